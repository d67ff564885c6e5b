package dev.paloverde.udfs.text;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.udfs.Settings;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.apache.spark.TaskContext;
import org.apache.spark.resource.ResourceInformation;

/**
 * Which device a task computes on. Where Spark schedules GPUs ({@code spark.task.resource.gpu.amount}), a task takes the one
 * Spark gave it, so that several GPUs of an executor share its tasks; each has an engine of its own, with the whole model.
 * Where Spark does not, all tasks share the process's first GPU.
 */
public final class TaskDevice {
    private static final String RESOURCE = "gpu";

    private TaskDevice() {}

    /** {@return the device for the settings, as {@link dev.paloverde.gpu.kernels.Devices#open} takes it} */
    public static String of(Settings settings) {
        TaskContext task = TaskContext.get();
        ResourceInformation gpus = task == null ? null : task.resourcesJMap().get(RESOURCE);
        return of(
                settings.value(Settings.DEVICE),
                gpus == null ? List.of() : Arrays.asList(gpus.addresses()),
                System.getenv("CUDA_VISIBLE_DEVICES"));
    }

    /**
     * @param addresses of the GPUs that Spark gave the task, as the executor's discovery script named them
     * @param visible the process's CUDA_VISIBLE_DEVICES; null if it is not set
     */
    static String of(Settings.Device device, List<String> addresses, String visible) {
        if (device == Settings.Device.CPU || addresses.isEmpty()) {
            return device.name().toLowerCase(Locale.ROOT);
        }
        String address = addresses.get(0);
        if (visible != null && !visible.isBlank()) {
            List<String> names =
                    Arrays.stream(visible.split(",")).map(String::strip).toList();
            int place = names.indexOf(address);
            if (place >= 0) {
                return "cuda:" + place;
            }
        }
        if (!address.matches("\\d{1,3}")) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "Spark gave the task the GPU \"" + address
                            + "\", which is no number and not in CUDA_VISIBLE_DEVICES (" + visible
                            + "); let the discovery script print numbers, as Spark's own getGpusResources.sh does");
        }
        return "cuda:" + address;
    }
}
