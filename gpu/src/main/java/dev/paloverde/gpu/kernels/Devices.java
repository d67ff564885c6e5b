package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where kernels are opened by the name of a device. */
public final class Devices {
    private static final Logger LOG = LoggerFactory.getLogger(Devices.class);

    /** Whether this JVM's log says already what {@code auto} is. */
    private static final AtomicBoolean SAID = new AtomicBoolean();

    private Devices() {}

    /**
     * Opens kernels. {@code cpu} is always there. {@code cuda} is a GPU or an error, never something else. {@code auto}
     * takes the best there is and says in the log what that was and why.
     *
     * @param device {@code auto}, {@code cpu} or {@code cuda}
     * @param threads CPU threads to compute with, the caller's included; at least 1
     * @return kernels that the caller closes
     * @throws PaloverdeException {@code INVALID_OPTION} for another device or fewer threads; {@code DEVICE_UNAVAILABLE}
     *     where the device asked for is not there
     */
    public static Kernels open(String device, int threads) {
        if (threads < 1) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION, "threads is " + threads + "; give at least 1 for the CPU kernels");
        }
        return switch (device) {
            case "cpu" -> openCpu(threads);
            case "cuda" ->
                throw new PaloverdeException(
                        ErrorCode.DEVICE_UNAVAILABLE,
                        "device cuda: this build of Paloverde has no CUDA kernels; set device to cpu or auto, or use a build"
                                + " that has them");
            case "auto" -> {
                Kernels kernels = openCpu(threads);
                if (!SAID.getAndSet(true)) {
                    LOG.info(
                            "device auto: {}, since this build of Paloverde has no CUDA kernels; for more speed give it more"
                                    + " threads, or use a build with CUDA kernels on a host with an NVIDIA driver",
                            kernels.description());
                }
                yield kernels;
            }
            default ->
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION, "device is \"" + device + "\"; use auto, cpu or cuda");
        };
    }

    private static Kernels openCpu(int threads) {
        return new CpuKernels(Arithmetic.choose(), threads);
    }
}
