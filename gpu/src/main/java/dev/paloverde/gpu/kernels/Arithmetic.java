package dev.paloverde.gpu.kernels;

import java.lang.reflect.InvocationTargetException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The inner loops of {@link CpuKernels}, and the one place that knows whether they run on SIMD lanes.
 *
 * <p>Law: every implementation, at every lane count, gives the same bits. So each output element is accumulated one
 * product after the other with a fused multiply-add, outputs lie along the lanes, and no lane is ever summed with
 * another; where a sum over a row is needed, it is kept in {@link #PARTIALS} partial sums, element i going to partial
 * {@code i mod PARTIALS}, which {@link #total} adds up in one order.
 */
abstract class Arithmetic {
    private static final Logger LOG = LoggerFactory.getLogger(Arithmetic.class);

    /** Partial sums of a reduction: a multiple of every lane count there is. */
    static final int PARTIALS = 16;

    /** The most rows that {@link #accumulate} takes at once. */
    static final int MOST_ROWS = 8;

    /* exp: x = n ln 2 + r, exp(x) = 2^n (1 + r + r^2 q(r)); q is minimax on |r| <= ln 2 / 2 (relative error 3e-9). */
    static final float EXP_LOWEST = -104f;
    static final float EXP_HIGHEST = 89f;
    static final float LOG2_E = 0x1.715476p0f;
    static final float MINUS_LN2_HIGH = -0x1.62e43p-1f;
    static final float MINUS_LN2_LOW = 0x1.05c610p-29f;
    static final float Q0 = 0x1.fffffcp-2f;
    static final float Q1 = 0x1.555492p-3f;
    static final float Q2 = 0x1.5558b0p-5f;
    static final float Q3 = 0x1.123988p-7f;
    static final float Q4 = 0x1.6a4ce4p-10f;
    /** Adding it leaves the nearest integer in the low bits of the significand. */
    static final float ROUNDER = 0x1.8p23f;

    static final int ROUNDER_BITS = 0x4b400000;
    static final int EXPONENT_BIAS = 127;
    static final int SIGNIFICAND_BITS = 23;

    /** {@return the variant in words, for logs} */
    abstract String description();

    /**
     * {@code sums[r][j] += left[0][r] * panel[0][j] + left[1][r] * panel[1][j] + ...}, one fused multiply-add after the
     * other in that order.
     *
     * @param rows 1, 2, 4 or 8
     * @param left [depth][rows], packed
     * @param panel [depth][stride], of which the first {@code width} columns are used
     * @param sums [rows][sumStride], of which the first {@code width} columns are used
     */
    abstract void accumulate(
            int rows,
            float[] left,
            int leftOffset,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            int width,
            float[] sums,
            int sumOffset,
            int sumStride);

    /** As above; {@code left} is [rows][leftStride], of which the first {@code depth} columns are used. */
    abstract void accumulateRows(
            int rows,
            float[] left,
            int leftOffset,
            int leftStride,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            int width,
            float[] sums,
            int sumOffset,
            int sumStride);

    /** As the first; the panel holds the upper halves of binary32 numbers. */
    abstract void accumulate(
            int rows,
            float[] left,
            int leftOffset,
            short[] panel,
            int panelOffset,
            int stride,
            int depth,
            int width,
            float[] sums,
            int sumOffset,
            int sumStride);

    /** {@code to[i] = from[i]}, where {@code from} holds the upper halves of binary32 numbers. */
    abstract void widen(short[] from, int fromOffset, float[] to, int toOffset, int length);

    /** {@code partials[i mod 16] += values[i]^2}, fused. */
    abstract void addSquares(float[] values, int offset, int length, float[] partials);

    /** {@code out[i] = in[i] * factor * gain[i]}, from the left. */
    abstract void scale(float[] in, int inOffset, float factor, float[] gain, float[] out, int outOffset, int length);

    /** Multiplies in place by a factor. {@return the largest product; NaN where there is one} */
    abstract float scaleAndMax(float[] values, int offset, int length, float factor);

    /**
     * {@code values[i] = exp(values[i] - shift)}, in place, and {@code partials[i mod 16] += values[i]}.
     *
     * @param length a multiple of {@link #PARTIALS}
     */
    abstract void exponentials(
            float[] values, int offset, int length, float shift, float[] partials, int partialOffset);

    /** {@code out[i] = gate[i] / (1 + exp(-gate[i])) * up[i]}; gate and up are both in {@code in}. */
    abstract void swiGlu(float[] in, int gateOffset, int upOffset, float[] out, int outOffset, int length);

    /**
     * e^x to less than 1.1 units in the last place, subnormal results included; 0 below -104, infinity above 88.73, NaN
     * of NaN. Written in operations that have one rounding everywhere, so that lanes can do the same.
     */
    static float exp(float x) {
        float clamped = Math.min(Math.max(x, EXP_LOWEST), EXP_HIGHEST);
        float shifted = Math.fma(clamped, LOG2_E, ROUNDER);
        float n = shifted - ROUNDER;
        int exponent = Float.floatToRawIntBits(shifted) - ROUNDER_BITS;
        float r = Math.fma(n, MINUS_LN2_LOW, Math.fma(n, MINUS_LN2_HIGH, clamped));
        float q = Math.fma(Math.fma(Math.fma(Math.fma(Q4, r, Q3), r, Q2), r, Q1), r, Q0);
        float significand = Math.fma(r * r, q, r) + 1f;
        // in two steps: 2^n alone leaves the normal range at both ends
        int half = exponent >> 1;
        return significand * powerOfTwo(half) * powerOfTwo(exponent - half);
    }

    private static float powerOfTwo(int exponent) {
        return Float.intBitsToFloat((exponent + EXPONENT_BIAS) << SIGNIFICAND_BITS);
    }

    /** {@return the sum of the partial sums, in order} */
    static double total(float[] partials, int offset) {
        double sum = 0;
        for (int i = 0; i < PARTIALS; i++) {
            sum += partials[offset + i];
        }
        return sum;
    }

    /** {@return the fastest implementation that this JVM can run, once it is warm; see {@link WarmingArithmetic}} */
    static Arithmetic choose() {
        return Choice.WARMING;
    }

    /** {@return the SIMD implementation, or the plain one where it is missing; then a log line says why} */
    static Arithmetic best() {
        return Choice.BEST;
    }

    private static final class Choice {
        static final Arithmetic BEST = find();
        static final Arithmetic WARMING =
                BEST instanceof PlainArithmetic ? BEST : new WarmingArithmetic(new PlainArithmetic(), BEST);

        private static Arithmetic find() {
            if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
                return plain("the module jdk.incubator.vector is not there; start the JVM with"
                        + " --add-modules=jdk.incubator.vector (spark.executor.extraJavaOptions,"
                        + " spark.driver.extraJavaOptions)");
            }
            try {
                // by name: the class cannot be linked where the module is absent
                return (Arithmetic) Class.forName("dev.paloverde.gpu.kernels.VectorArithmetic")
                        .getDeclaredMethod("open")
                        .invoke(null);
            } catch (InvocationTargetException e) {
                return plain(String.valueOf(e.getCause().getMessage()));
            } catch (ReflectiveOperationException | LinkageError e) {
                return plain(e.toString());
            }
        }

        private static Arithmetic plain(String reason) {
            LOG.warn("CPU kernels run without SIMD, many times slower (the results are the same): {}", reason);
            return new PlainArithmetic();
        }
    }
}
