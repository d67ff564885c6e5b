package dev.paloverde.gpu.device;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** The CUDA driver of this host, looked for once. Until then no class of JCuda is touched. */
final class Driver {
    private static final Pattern KERNEL_MODULE = Pattern.compile("Kernel Module.*?\\s(\\d+\\.\\d+(?:\\.\\d+)?)\\s");

    private static Driver found;

    private final String obstacle;
    private final int devices;

    private Driver(String obstacle, int devices) {
        this.obstacle = obstacle;
        this.devices = devices;
    }

    /** {@return the driver, or what is in its way} */
    static synchronized Driver find() {
        if (found == null) {
            found = look();
        }
        return found;
    }

    /** {@return why no GPU can be used, and what to do about it; null if one can} */
    String obstacle() {
        return obstacle;
    }

    /**
     * {@return how many GPUs this process sees; at least 1}
     *
     * @throws PaloverdeException {@code DEVICE_UNAVAILABLE} if no GPU can be used
     */
    int devices() {
        if (obstacle != null) {
            throw new PaloverdeException(ErrorCode.DEVICE_UNAVAILABLE, "no GPU can be used: " + obstacle);
        }
        return devices;
    }

    /** {@return versions of the driver and of the CUDA it speaks; 580.95.05, CUDA 13.0} */
    static String version() {
        int[] number = new int[1];
        JCudaDriver.cuDriverGetVersion(number);
        String cuda = "CUDA " + number[0] / 1000 + "." + number[0] % 1000 / 10;
        try {
            Matcher matcher = KERNEL_MODULE.matcher(Files.readString(Path.of("/proc/driver/nvidia/version")));
            return matcher.find() ? matcher.group(1) + ", " + cuda : cuda;
        } catch (IOException e) {
            return cuda; // not every container has the file
        }
    }

    private static Driver look() {
        String system = System.getProperty("os.name") + " on " + System.getProperty("os.arch");
        if (!system.equals("Linux on amd64")) {
            return missing(system + " has no CUDA here; it is there for Linux on x86-64. Set device to cpu");
        }
        try {
            Natives.loadJCuda();
        } catch (IOException e) {
            return missing("JCuda's native library cannot be unpacked to " + System.getProperty("java.io.tmpdir") + " ("
                    + e + "); set -Djava.io.tmpdir to a directory that can be written and is not mounted noexec");
        } catch (LinkageError e) {
            return missing(unloadable(e));
        }
        int result = JCudaDriver.cuInit(0);
        int[] count = new int[1];
        String call = "cuInit";
        if (result == CUresult.CUDA_SUCCESS) {
            result = JCudaDriver.cuDeviceGetCount(count);
            call = "cuDeviceGetCount";
        }
        if (result == CUresult.CUDA_SUCCESS && count[0] == 0) {
            result = CUresult.CUDA_ERROR_NO_DEVICE;
        }
        return result == CUresult.CUDA_SUCCESS
                ? new Driver(null, count[0])
                : missing(CudaFailure.of(result, call, "the NVIDIA driver").getMessage());
    }

    /** {@return what a failure to load JCuda's library comes from; its message holds stack traces of two attempts} */
    private static String unloadable(LinkageError error) {
        String message = String.valueOf(error.getMessage());
        if (message.contains("libcuda.so.1: cannot open shared object file")) {
            return "libcuda.so.1 is not there: install the NVIDIA driver (it comes with the driver, not with the CUDA toolkit)"
                    + " and see that nvidia-smi runs; in a container ask for GPUs (docker run --gpus all; a resource"
                    + " nvidia.com/gpu in Kubernetes) with the capability \"compute\"; or set device to cpu";
        }
        String reason = message.lines()
                .filter(line -> line.contains(".so"))
                .reduce((first, second) -> second)
                .orElse(message)
                .strip();
        return "JCuda's native library cannot be loaded (" + reason + "); unless another library is missing, set"
                + " -Djava.io.tmpdir to a directory that is not mounted noexec";
    }

    private static Driver missing(String obstacle) {
        return new Driver(obstacle, 0);
    }
}
