package dev.paloverde.gpu.kernels;

/**
 * The numbers of {@link Quantization#FP8}: one bit of sign, four of exponent, three of mantissa, no infinity; 448 is the
 * largest, 2^-9 the least above zero. All are bf16 numbers.
 */
final class Fp8 {
    /** The largest number. */
    static final float LARGEST = 448;

    private static final int BIAS = 7;
    private static final int MANTISSA = 3;
    private static final byte NOT_A_NUMBER = 0x7f;

    private Fp8() {}

    /**
     * {@return what the codes of a row are multiplied with: a 448th of its largest magnitude, and no subnormal number}
     *
     * @param count how many numbers of {@code row} count, from {@code first} on
     */
    static float scale(float[] row, int first, int count) {
        float largest = 0;
        for (int i = first; i < first + count; i++) {
            largest = Math.max(largest, Math.abs(row[i]));
        }
        return Math.max(largest / LARGEST, Float.MIN_NORMAL);
    }

    /** {@return the code of the nearest number, of two the one with the even code; beyond 448 that of 448} */
    static byte encode(float number) {
        if (Float.isNaN(number)) {
            return NOT_A_NUMBER;
        }
        int sign = number < 0 || 1 / number < 0 ? 0x80 : 0;
        float magnitude = Math.min(Math.abs(number), LARGEST);
        int exponent = Math.max(Math.getExponent(magnitude), 1 - BIAS);
        // whole units of the last place; rint rounds halves to even, and a carry runs into the exponent as it should
        int units = (int) Math.rint(Math.scalb(magnitude, MANTISSA - exponent));
        return (byte) (sign | units + (exponent + BIAS - 1 << MANTISSA));
    }

    /** {@return the number of a code} */
    static float decode(byte code) {
        int exponent = code >> MANTISSA & 15;
        int mantissa = code & 7;
        if ((code & 0x7f) == NOT_A_NUMBER) {
            return Float.NaN;
        }
        float magnitude = exponent == 0
                ? Math.scalb((float) mantissa, 1 - BIAS - MANTISSA)
                : Math.scalb((float) (8 + mantissa), exponent - BIAS - MANTISSA);
        return code < 0 ? -magnitude : magnitude;
    }
}
