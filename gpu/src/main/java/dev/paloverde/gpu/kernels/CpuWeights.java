package dev.paloverde.gpu.kernels;

import java.util.Set;

/** A weight vector in one heap array. */
final class CpuWeights extends Resource implements Weights {
    private final int length;
    private float[] values;

    CpuWeights(Set<Resource> books, float[] values) {
        super(books);
        this.length = values.length;
        this.values = values;
    }

    float[] values() {
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
        values = null;
    }
}
