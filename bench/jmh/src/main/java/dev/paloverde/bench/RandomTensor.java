package dev.paloverde.bench;

import dev.paloverde.gpu.kernels.DataType;
import dev.paloverde.gpu.kernels.HostTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.SplittableRandom;

/** Weights of any size that are made when they are read: uniform in [-1, 1), the same at each run. */
record RandomTensor(DataType type, int rows, int columns) implements HostTensor {
    @Override
    public String name() {
        return "random";
    }

    @Override
    public ByteBuffer rows(int first, int count) {
        SplittableRandom random = new SplittableRandom(first);
        ByteBuffer bytes = ByteBuffer.allocate(count * columns * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        while (bytes.hasRemaining()) {
            float value = (float) random.nextDouble(-1, 1);
            switch (type) {
                case F32 -> bytes.putFloat(value);
                case BF16 -> bytes.putShort((short) (Float.floatToRawIntBits(value) >>> 16));
                case F16 -> throw new UnsupportedOperationException("fp16 is held as fp32: measure that");
            }
        }
        return bytes.flip();
    }

    /** {@return a row of activations} */
    static float[] activations(int length) {
        SplittableRandom random = new SplittableRandom(length);
        float[] values = new float[length];
        for (int i = 0; i < length; i++) {
            values[i] = (float) random.nextDouble(-1, 1);
        }
        return values;
    }
}
