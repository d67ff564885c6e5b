package dev.paloverde.gpu.kernels;

import java.nio.ByteBuffer;

/** Numbers of model files as fp32. Every fp16 and every bf16 number is an fp32 number, so nothing is rounded. */
final class HostNumbers {
    private HostNumbers() {}

    /** Reads {@code count} numbers from the buffer's position on. */
    static void read(ByteBuffer source, DataType type, float[] out, int count) {
        switch (type) {
            case F32 -> source.asFloatBuffer().get(out, 0, count);
            case F16 -> {
                for (int i = 0; i < count; i++) {
                    out[i] = halfToFloat(source.getShort(source.position() + i * Short.BYTES));
                }
            }
            case BF16 -> {
                for (int i = 0; i < count; i++) {
                    out[i] = Float.intBitsToFloat(source.getShort(source.position() + i * Short.BYTES) << 16);
                }
            }
        }
    }

    /** Rounds to the nearest bf16, to the even one of two. */
    static short floatToBf16(float number) {
        int bits = Float.floatToRawIntBits(number);
        if (Float.isNaN(number)) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }

    /** IEEE 754 binary16 to binary32. */
    static float halfToFloat(short half) {
        int sign = (half & 0x8000) << 16;
        int magnitude = half & 0x7fff;
        if (magnitude >= 0x7c00) {
            return Float.intBitsToFloat(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
        }
        if (magnitude < 0x400) {
            float subnormal = magnitude * 0x1p-24f;
            return sign == 0 ? subnormal : -subnormal;
        }
        return Float.intBitsToFloat(sign | (magnitude << 13) + (127 - 15 << 23));
    }
}
