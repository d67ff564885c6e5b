package dev.paloverde.gpu.kernels;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A weight as it is after {@link Quantization#FP8}, in fp32 again: for devices that have no product of such numbers. */
final class Fp8Tensor implements HostTensor {
    private final HostTensor source;

    Fp8Tensor(HostTensor source) {
        this.source = source;
    }

    @Override
    public String name() {
        return source.name();
    }

    @Override
    public DataType type() {
        return DataType.F32;
    }

    @Override
    public int rows() {
        return source.rows();
    }

    @Override
    public int columns() {
        return source.columns();
    }

    @Override
    public ByteBuffer rows(int first, int count) {
        int columns = source.columns();
        float[] numbers = new float[Math.multiplyExact(count, columns)];
        HostNumbers.read(source.rows(first, count), source.type(), numbers, numbers.length);
        for (int row = 0; row < count; row++) {
            float scale = Fp8.scale(numbers, row * columns, columns);
            for (int i = row * columns; i < (row + 1) * columns; i++) {
                numbers[i] = Fp8.decode(Fp8.encode(numbers[i] / scale)) * scale;
            }
        }
        ByteBuffer bytes = ByteBuffer.allocate(Math.multiplyExact(numbers.length, Float.BYTES))
                .order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(numbers);
        return bytes;
    }
}
