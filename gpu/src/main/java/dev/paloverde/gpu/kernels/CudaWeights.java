package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.device.Buffer;
import java.util.Set;

/** A weight vector in the memory of a GPU, fp32. */
final class CudaWeights extends Resource implements Weights {
    private final CudaKernels kernels;
    private final int length;
    private final Buffer values;

    CudaWeights(Set<Resource> books, CudaKernels kernels, int length) {
        super(books);
        this.kernels = kernels;
        this.length = length;
        this.values = kernels.device().allocate(4L * CudaTensor.padded(length));
    }

    Buffer values() {
        ensureOpen();
        return values;
    }

    @Override
    public int length() {
        return length;
    }

    @Override
    String describe() {
        return "weights of " + length;
    }

    @Override
    void release() {
        kernels.forgetRecordings();
        values.close();
    }
}
