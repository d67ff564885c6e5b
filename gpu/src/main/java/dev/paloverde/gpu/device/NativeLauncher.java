package dev.paloverde.gpu.device;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;

/** Launches through {@code launch.c}, which calls cuLaunchKernelEx: with attributes, and without garbage. */
final class NativeLauncher extends Launcher {
    @Override
    boolean overlaps() {
        return true;
    }

    @Override
    int argumentBytes(Kernel kernel) {
        return parameterBytes(kernel.function().address());
    }

    @Override
    int launch(Stream stream, Kernel kernel, int gridX, int gridY, int gridZ, int block, Arguments arguments) {
        return queue(stream, kernel, gridX, gridY, gridZ, block, arguments, false);
    }

    @Override
    int launchOverlapping(
            Stream stream, Kernel kernel, int gridX, int gridY, int gridZ, int block, Arguments arguments) {
        return queue(stream, kernel, gridX, gridY, gridZ, block, arguments, true);
    }

    private static int queue(
            Stream stream,
            Kernel kernel,
            int gridX,
            int gridY,
            int gridZ,
            int block,
            Arguments arguments,
            boolean overlapping) {
        int result = launchKernel(
                kernel.function().address(),
                gridX,
                gridY,
                gridZ,
                block,
                kernel.dynamicShared(),
                stream.handle().address(),
                arguments.address(),
                kernel.clusterBlocks(),
                overlapping);
        Reference.reachabilityFence(arguments);
        return result;
    }

    /** {@return whether the driver has cuLaunchKernelEx} */
    static native boolean supported();

    /** {@return where a direct buffer lies in this process} */
    static native long address(ByteBuffer buffer);

    static native int parameterBytes(long function);

    static native int launchKernel(
            long function,
            int gridX,
            int gridY,
            int gridZ,
            int block,
            int shared,
            long stream,
            long argument,
            int cluster,
            boolean overlapping);

    /**
     * Splits the multiprocessors of a GPU in two.
     *
     * @param multiprocessors that the first part has at least
     * @param out [4] the first part's context and its multiprocessors, then those of the rest
     * @return the driver's result; not supported by one before CUDA 12.5
     */
    static native int share(int ordinal, int multiprocessors, long[] out);

    /** {@return the driver's result of making a stream that runs on a part of the multiprocessors} */
    static native int shareStream(long context, int priority, Stream.Handle out);
}
