package dev.paloverde.gpu.kernels;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.random.RandomGenerator;

/** A host tensor of given numbers, encoded as a file would hold them. */
final class Numbers implements HostTensor {
    private final DataType type;
    private final int rows;
    private final int columns;
    private final float[] values;
    private final ByteBuffer bytes;

    Numbers(DataType type, int rows, int columns, float[] source) {
        this.type = type;
        this.rows = rows;
        this.columns = columns;
        values = new float[rows * columns];
        bytes = ByteBuffer.allocate(values.length * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < values.length; i++) {
            switch (type) {
                case F32 -> {
                    values[i] = source[i];
                    bytes.putFloat(source[i]);
                }
                case BF16 -> {
                    int bits = Float.floatToRawIntBits(source[i]) >>> 16;
                    values[i] = Float.intBitsToFloat(bits << 16);
                    bytes.putShort((short) bits);
                }
                case F16 -> {
                    // of a normal fp16's range, with the significand cut to ten bits
                    int bits = Float.floatToRawIntBits(source[i]) & ~0x1fff;
                    int exponent = (bits >>> 23 & 0xff) - 127 + 15;
                    if (exponent < 1 || exponent > 30) {
                        bits = 0;
                        exponent = 0;
                    }
                    values[i] = Float.intBitsToFloat(bits);
                    bytes.putShort((short) (bits >>> 16 & 0x8000 | exponent << 10 | bits >>> 13 & 0x3ff));
                }
            }
        }
    }

    static Numbers random(RandomGenerator random, DataType type, int rows, int columns) {
        return new Numbers(type, rows, columns, normal(random, rows * columns));
    }

    static float[] normal(RandomGenerator random, int length) {
        float[] values = new float[length];
        for (int i = 0; i < length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    /** {@return what the file really holds, [rows, columns]} */
    float[] values() {
        return values;
    }

    @Override
    public String name() {
        return "numbers";
    }

    @Override
    public DataType type() {
        return type;
    }

    @Override
    public int rows() {
        return rows;
    }

    @Override
    public int columns() {
        return columns;
    }

    @Override
    public ByteBuffer rows(int first, int count) {
        int row = columns * type.bytes();
        return bytes.slice(first * row, count * row).order(ByteOrder.LITTLE_ENDIAN);
    }
}
