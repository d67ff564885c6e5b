package dev.paloverde.gpu.device;

import java.io.IOException;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How a kernel gets into a stream's queue. {@link NativeLauncher} is the way through our own library; this class is the
 * one through JCuda, for where that library or the driver is too old: kernels then run strictly one after another.
 */
class Launcher {
    /** Of {@link #argumentBytes}: the driver does not tell. */
    static final int UNKNOWN = -1;

    private static final Logger LOG = LoggerFactory.getLogger(Launcher.class);

    private static Launcher chosen;

    Launcher() {}

    /** {@return the best launcher there is; the driver is there} */
    static synchronized Launcher choose() {
        if (chosen == null) {
            chosen = load();
        }
        return chosen;
    }

    private static Launcher load() {
        try {
            Natives.loadLauncher();
        } catch (IOException | LinkageError e) {
            LOG.warn(
                    "kernels run strictly one after another, and take a little longer to start: our native library cannot be"
                            + " loaded ({}); set -Djava.io.tmpdir to a directory that can be written and is not mounted"
                            + " noexec",
                    e.toString());
            return new Launcher();
        }
        if (!NativeLauncher.supported()) {
            LOG.warn(
                    "kernels run strictly one after another: the NVIDIA driver ({}) has no cuLaunchKernelEx; install driver"
                            + " 520 or newer",
                    Driver.version());
            return new Launcher();
        }
        return new NativeLauncher();
    }

    /** {@return whether a kernel may start before the one ahead of it in its stream has ended} */
    boolean overlaps() {
        return false;
    }

    /** {@return the size of the one structure that a kernel takes, 0 for none, or {@link #UNKNOWN}} */
    int argumentBytes(Kernel kernel) {
        return UNKNOWN;
    }

    /** {@return the driver's result of queueing a kernel} */
    int launch(Stream stream, Kernel kernel, int gridX, int gridY, int gridZ, int block, Arguments arguments) {
        if (kernel.clusterBlocks() > 1) {
            return CUresult.CUDA_ERROR_NOT_SUPPORTED;
        }
        return JCudaDriver.cuLaunchKernel(
                kernel.function(),
                gridX,
                gridY,
                gridZ,
                block,
                1,
                1,
                kernel.dynamicShared(),
                stream.handle(),
                arguments.parameters(),
                null);
    }

    /** {@return the driver's result of queueing a kernel that may overlap the one before; where {@link #overlaps}} */
    int launchOverlapping(
            Stream stream, Kernel kernel, int gridX, int gridY, int gridZ, int block, Arguments arguments) {
        return launch(stream, kernel, gridX, gridY, gridZ, block, arguments);
    }

    /** {@return the driver's result of queueing a kernel all blocks of which are on the device at the same time} */
    int launchTogether(Stream stream, Kernel kernel, int grid, int block, Arguments arguments) {
        return JCudaDriver.cuLaunchCooperativeKernel(
                kernel.function(),
                grid,
                1,
                1,
                block,
                1,
                1,
                kernel.dynamicShared(),
                stream.handle(),
                arguments.parameters());
    }
}
