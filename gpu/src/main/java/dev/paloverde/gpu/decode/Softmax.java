package dev.paloverde.gpu.decode;

/**
 * Exponentials that a just-in-time compiler cannot change: a fixed sequence of double additions and multiplications,
 * which Java 17 rounds alike on every machine, and fast enough for a whole vocabulary.
 */
final class Softmax {
    private static final double LOG2_E = 1.4426950408889634;
    /** ln 2 in two parts, the first with enough trailing zeros that its product with an exponent is exact. */
    private static final double LN_2_HIGH = 6.93147180369123816490e-01;

    private static final double LN_2_LOW = 1.90821492927058770002e-10;
    /** Adding and subtracting it rounds to a whole number. */
    private static final double ROUND = 0x1.8p52;

    private Softmax() {}

    /**
     * e to the power of x, to within a few units in the last place.
     *
     * @param x at most 700; NaN gives NaN
     */
    static double exp(double x) {
        if (x < -708) {
            return 0;
        }
        double shifted = x * LOG2_E + ROUND;
        double exponent = shifted - ROUND;
        double r = x - exponent * LN_2_HIGH - exponent * LN_2_LOW;
        double sum = 1.0 / 6227020800.0;
        sum = sum * r + 1.0 / 479001600.0;
        sum = sum * r + 1.0 / 39916800.0;
        sum = sum * r + 1.0 / 3628800.0;
        sum = sum * r + 1.0 / 362880.0;
        sum = sum * r + 1.0 / 40320.0;
        sum = sum * r + 1.0 / 5040.0;
        sum = sum * r + 1.0 / 720.0;
        sum = sum * r + 1.0 / 120.0;
        sum = sum * r + 1.0 / 24.0;
        sum = sum * r + 1.0 / 6.0;
        sum = sum * r + 0.5;
        sum = sum * r + 1.0;
        sum = sum * r + 1.0;
        return sum * Double.longBitsToDouble((long) exponent + 1023 << 52);
    }

    /**
     * The sum of {@code exp((values[i] - offset) / temperature)} over a range, added in an order of its own: lanes of
     * four. NaN if there is one among the values.
     */
    static double sum(float[] values, int from, int count, float offset, double temperature) {
        double sum0 = 0;
        double sum1 = 0;
        double sum2 = 0;
        double sum3 = 0;
        int i = from;
        int end = from + count;
        for (; i + 3 < end; i += 4) {
            sum0 += exp((values[i] - (double) offset) / temperature);
            sum1 += exp((values[i + 1] - (double) offset) / temperature);
            sum2 += exp((values[i + 2] - (double) offset) / temperature);
            sum3 += exp((values[i + 3] - (double) offset) / temperature);
        }
        for (; i < end; i++) {
            sum0 += exp((values[i] - (double) offset) / temperature);
        }
        return sum0 + sum1 + (sum2 + sum3);
    }
}
