package dev.paloverde.gpu.model;

import dev.paloverde.gpu.kernels.DataType;
import dev.paloverde.gpu.kernels.HostTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A weight that was computed from those of the files, on the heap, in fp32.
 *
 * @param values [rows, columns]
 */
record ComputedTensor(String name, int rows, int columns, float[] values) implements HostTensor {
    @Override
    public DataType type() {
        return DataType.F32;
    }

    @Override
    public ByteBuffer rows(int first, int count) {
        ByteBuffer bytes = ByteBuffer.allocate(Math.multiplyExact(Float.BYTES * columns, count))
                .order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values, first * columns, count * columns);
        return bytes;
    }
}
