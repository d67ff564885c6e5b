package dev.paloverde.gpu.decode;

/**
 * Exponentials that a just-in-time compiler cannot change: a fixed sequence of double additions and multiplications,
 * which Java 17 rounds alike on every machine, and fast enough for a whole vocabulary.
 */
final class Softmax {
    /** Steps of the table to a doubling. */
    private static final int STEPS = 64;

    private static final double STEPS_PER_UNIT = STEPS / StrictMath.log(2);
    /** ln 2 in two parts (fdlibm's), the first with enough trailing zeros that its product with a step is exact. */
    private static final double STEP_HIGH = 6.93147180369123816490e-01 / STEPS;

    private static final double STEP_LOW = 1.90821492927058770002e-10 / STEPS;
    /** Adding it leaves the nearest whole number in the lower bits. */
    private static final double ROUND = 0x1.8p52;

    /** Powers of two to 0/64, 1/64, ... */
    private static final double[] POWERS = new double[STEPS];

    static {
        for (int step = 0; step < STEPS; step++) {
            POWERS[step] = StrictMath.exp(step * StrictMath.log(2) / STEPS);
        }
    }

    private Softmax() {}

    /**
     * e to the power of x, to within a few units in the last place: {@code x = n ln 2 / 64 + r}, a table for the first
     * part and five terms of the series for the rest, which is below 0.0055.
     *
     * @param x at most 700; NaN gives NaN
     */
    static double exp(double x) {
        if (x < -708) {
            return 0;
        }
        double shifted = x * STEPS_PER_UNIT + ROUND;
        int step = (int) Double.doubleToRawLongBits(shifted);
        double whole = shifted - ROUND;
        double r = x - whole * STEP_HIGH - whole * STEP_LOW;
        double square = r * r;
        double rest = 1 + r + square * (0.5 + r * (1 / 6.0) + square * (1 / 24.0 + r * (1 / 120.0)));
        double power = Double.longBitsToDouble((long) (step >> 6) + 1023 << 52);
        return rest * (POWERS[step & STEPS - 1] * power);
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
        if (temperature == 1) {
            for (; i + 3 < end; i += 4) {
                sum0 += exp(values[i] - (double) offset);
                sum1 += exp(values[i + 1] - (double) offset);
                sum2 += exp(values[i + 2] - (double) offset);
                sum3 += exp(values[i + 3] - (double) offset);
            }
        }
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
