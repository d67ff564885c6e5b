package dev.paloverde.gpu.device;

import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.JCudaDriver;

/**
 * A queue of work on a device: copies and kernels run one after another, in the order they were queued, while the calling
 * thread goes on. An error of the work itself shows at some later call, {@link #synchronize} at the latest. {@link
 * Device#stream} gives it; the caller closes it. Used by one thread at a time, which is {@link Device#attach attached}.
 */
public final class Stream extends Resource {
    /** JCuda's stream, which tells its address to heirs alone. */
    static final class Handle extends CUstream {
        long address() {
            return getNativePointer();
        }
    }

    private final Handle stream;

    Stream(Device device, Handle stream) {
        super(device);
        this.stream = stream;
    }

    /** Queues a copy from the host to the device. The host's bytes stay as they are until it is done. */
    public void copyIn(HostBuffer source, long from, Buffer target, long to, long bytes) {
        source.ensureWithin(from, bytes);
        target.ensureWithin(to, bytes);
        if (bytes > 0) {
            check(
                    JCudaDriver.cuMemcpyHtoDAsync(target.at(to), source.at(from), bytes, handle()),
                    "cuMemcpyHtoDAsync",
                    bytes);
        }
    }

    /** Queues a copy from the device to the host. The host's bytes are there when it is done. */
    public void copyOut(Buffer source, long from, HostBuffer target, long to, long bytes) {
        source.ensureWithin(from, bytes);
        target.ensureWithin(to, bytes);
        if (bytes > 0) {
            check(
                    JCudaDriver.cuMemcpyDtoHAsync(target.at(to), source.at(from), bytes, handle()),
                    "cuMemcpyDtoHAsync",
                    bytes);
        }
    }

    /** Queues a copy within the device, between ranges that do not overlap. */
    public void copy(Buffer source, long from, Buffer target, long to, long bytes) {
        source.ensureWithin(from, bytes);
        target.ensureWithin(to, bytes);
        if (bytes > 0) {
            check(
                    JCudaDriver.cuMemcpyDtoDAsync(target.at(to), source.at(from), bytes, handle()),
                    "cuMemcpyDtoDAsync",
                    bytes);
        }
    }

    /** Queues the filling of a range with one byte. */
    public void fill(Buffer target, long from, byte value, long bytes) {
        target.ensureWithin(from, bytes);
        if (bytes > 0) {
            check(JCudaDriver.cuMemsetD8Async(target.at(from), value, bytes, handle()), "cuMemsetD8Async", bytes);
        }
    }

    /**
     * Queues a kernel; it starts when all that was queued before is done.
     *
     * @param gridX blocks along the grid's first dimension, at least 1; gridY and gridZ alike, at most 65,535
     * @param block threads of a block, 1 to 1024
     * @param arguments the structure that the kernel takes; they are copied
     */
    public void launch(Kernel kernel, int gridX, int gridY, int gridZ, int block, Arguments arguments) {
        ensureOpen();
        kernel.ensureTakes(arguments);
        int result = device().launcher().launch(this, kernel, gridX, gridY, gridZ, block, arguments);
        if (result != CUresult.CUDA_SUCCESS) {
            throw refused(result, kernel, gridX, gridY, gridZ, block);
        }
    }

    /**
     * Queues a kernel that may start while the kernel queued right before it still runs: as soon as all blocks of that one
     * have ended or executed {@code griddepcontrol.launch_dependents}. The kernel executes {@code griddepcontrol.wait}
     * before it touches what an earlier one reads or writes (programmatic dependent launch, CUDA Programming Guide). Some
     * thread of every block that has work does so: the kernel behind waits for this one alone, so it is through this wait
     * that it comes after all the others. Where the device has no such thing, as its log says, this is {@link #launch(Kernel,
     * int, int, int, int, Arguments)}. Parameters as there.
     */
    public void launchOverlapping(Kernel kernel, int gridX, int gridY, int gridZ, int block, Arguments arguments) {
        if (!device().overlaps()) {
            launch(kernel, gridX, gridY, gridZ, block, arguments);
            return;
        }
        ensureOpen();
        kernel.ensureTakes(arguments);
        int result = device().launcher().launchOverlapping(this, kernel, gridX, gridY, gridZ, block, arguments);
        if (result != CUresult.CUDA_SUCCESS) {
            throw refused(result, kernel, gridX, gridY, gridZ, block);
        }
    }

    /**
     * Queues a kernel whose blocks wait for one another: it starts when all that was queued before is done, and when there is
     * room for all of it, so that none of its blocks waits for one that cannot start (a cooperative launch, CUDA Programming
     * Guide).
     *
     * @param grid blocks; at most {@link Kernel#maxResidentBlocks} for each multiprocessor that the stream runs on
     * @param block threads of a block
     */
    public void launchTogether(Kernel kernel, int grid, int block, Arguments arguments) {
        ensureOpen();
        kernel.ensureTakes(arguments);
        int result = device().launcher().launchTogether(this, kernel, grid, block, arguments);
        if (result != CUresult.CUDA_SUCCESS) {
            throw refused(result, kernel, grid, 1, 1, block);
        }
    }

    /** Queues a recorded graph. A graph runs once at a time: queued again, it waits for itself. */
    public void launch(Graph graph) {
        check(JCudaDriver.cuGraphLaunch(graph.handle(), handle()), "cuGraphLaunch");
    }

    /** Sets a mark behind all that is queued. */
    public void record(Event event) {
        check(JCudaDriver.cuEventRecord(event.handle(), handle()), "cuEventRecord");
    }

    /** Makes what is queued from here on wait for a mark, of another stream perhaps, as it is set now. */
    public void await(Event event) {
        check(JCudaDriver.cuStreamWaitEvent(handle(), event.handle(), 0), "cuStreamWaitEvent");
    }

    /** Waits until all that is queued is done. */
    public void synchronize() {
        check(JCudaDriver.cuStreamSynchronize(handle()), "cuStreamSynchronize");
    }

    /**
     * Records what is queued on this stream instead of running it. While recording, the calling thread only queues copies,
     * fills and kernels: allocating, loading and waiting are errors. Kernels were fetched from their module before.
     *
     * @param work queues what is to be recorded
     * @return the recording, which the caller closes
     */
    public Graph capture(Runnable work) {
        check(
                JCudaDriver.cuStreamBeginCapture(handle(), CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
                "cuStreamBeginCapture");
        CUgraph graph = new CUgraph();
        try {
            work.run();
        } catch (Throwable e) {
            if (JCudaDriver.cuStreamEndCapture(handle(), graph) == CUresult.CUDA_SUCCESS) {
                JCudaDriver.cuGraphDestroy(graph);
            }
            throw e;
        }
        check(JCudaDriver.cuStreamEndCapture(handle(), graph), "cuStreamEndCapture");
        try {
            CUgraphExec executable = new CUgraphExec();
            check(JCudaDriver.cuGraphInstantiate(executable, graph, 0), "cuGraphInstantiate");
            return device().register(new Graph(device(), executable));
        } finally {
            JCudaDriver.cuGraphDestroy(graph);
        }
    }

    Handle handle() {
        ensureOpen();
        return stream;
    }

    private void check(int result, String call) {
        device().check(result, call);
    }

    private void check(int result, String call, long bytes) {
        if (result != CUresult.CUDA_SUCCESS) {
            throw device().failure(result, call + " of " + bytes + " bytes");
        }
    }

    private RuntimeException refused(int result, Kernel kernel, int gridX, int gridY, int gridZ, int block) {
        return device().failure(
                        result,
                        "launching " + kernel.name() + " on a grid of " + gridX + " x " + gridY + " x " + gridZ
                                + " blocks of " + block + " threads with " + kernel.dynamicShared()
                                + " bytes of dynamic shared memory");
    }

    @Override
    String describe() {
        return "stream";
    }

    @Override
    int release() {
        return JCudaDriver.cuStreamDestroy(stream);
    }
}
