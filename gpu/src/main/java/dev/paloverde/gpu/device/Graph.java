package dev.paloverde.gpu.device;

import jcuda.driver.CUgraphExec;
import jcuda.driver.JCudaDriver;

/**
 * Work that {@link Stream#capture} has recorded, to be queued as a whole by {@link Stream#launch(Graph)}: with the same
 * kernels, grids, arguments and addresses each time. What it uses, buffers and modules, outlives it; the caller closes it
 * when it no longer runs.
 */
public final class Graph extends Resource {
    private final CUgraphExec executable;

    Graph(Device device, CUgraphExec executable) {
        super(device);
        this.executable = executable;
    }

    CUgraphExec handle() {
        ensureOpen();
        return executable;
    }

    @Override
    String describe() {
        return "graph";
    }

    @Override
    int release() {
        return JCudaDriver.cuGraphExecDestroy(executable);
    }
}
