package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.model.Pooling;

/** A text whose last hidden states are pooled, position by position, in double precision. */
final class EmbeddingSequence extends Sequence {
    private final EmbeddingRequest request;
    private double[] sum;
    private int pooled;

    EmbeddingSequence(Work<?> work, EmbeddingRequest request) {
        super(work, 0, null, request.tokens().length);
        this.request = request;
    }

    @Override
    int length() {
        return request.tokens().length;
    }

    @Override
    int token(int position) {
        return request.tokens()[position];
    }

    @Override
    void read(int first, int count, int row, Readout readout) {
        int last = first + count - 1;
        if (request.pooling() == Pooling.LAST) {
            if (last == length() - 1) {
                readout.pool(this, row + count - 1);
            }
            return;
        }
        for (int position = Math.max(first, pooled); position <= last; position++) {
            readout.pool(this, row + position - first);
        }
    }

    void pool(float[] hidden) {
        if (sum == null) {
            sum = new double[hidden.length];
        }
        for (int i = 0; i < hidden.length; i++) {
            sum[i] += hidden[i];
        }
        pooled++;
    }

    @Override
    boolean done() {
        return computed() == length();
    }

    Embedding result() {
        float[] values = new float[sum.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (sum[i] / pooled);
            if (Float.isNaN(values[i])) {
                throw new PaloverdeException(
                        ErrorCode.NOT_A_NUMBER,
                        "component %d of the embedding is not a number; look for NaN or infinite weights".formatted(i));
            }
        }
        return new Embedding(values);
    }
}
