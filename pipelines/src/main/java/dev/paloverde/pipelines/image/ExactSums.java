package dev.paloverde.pipelines.image;

import java.io.Serializable;
import java.math.BigDecimal;
import java.math.BigInteger;

/**
 * Sums of doubles without rounding, so that neither the order nor the partitioning of what is added matters: each is a wide
 * fixed-point number in limbs of 32 bits that carry into each other now and then (Kulisch's accumulator; Neal, "Fast Exact
 * Summation Using Small and Large Superaccumulators", 2015). Limbs begin at 2^{@value #LEAST_EXPONENT}, the last bit of the
 * square of the least float, and end beyond the sum of 2^60 squares of the greatest one.
 */
final class ExactSums implements Serializable {
    private static final long serialVersionUID = 1L;
    private static final int LEAST_EXPONENT = -298;
    private static final int LIMB_BITS = 32;
    private static final int LIMBS = 21;
    private static final long LIMB_MASK = 0xFFFF_FFFFL;

    /** Each adds less than 2^32 to a limb, so that so many cannot overflow it. */
    private static final int MOST_ADDED = 1 << 29;

    private static final int MANTISSA_BITS = 52;
    private static final int EXPONENT_BIAS = 1075;

    private final long[] limbs;
    private int added;

    /** @param sums how many */
    ExactSums(int sums) {
        limbs = new long[Math.multiplyExact(sums, LIMBS)];
    }

    int count() {
        return limbs.length / LIMBS;
    }

    /**
     * Adds to one of them.
     *
     * @param value a float, or the product of two, as a double: exactly
     */
    void add(int sum, double value) {
        if (value == 0) {
            return;
        }
        long bits = Double.doubleToRawLongBits(value);
        long mantissa = bits & (1L << MANTISSA_BITS) - 1 | 1L << MANTISSA_BITS;
        // neither floats nor their squares are subnormal as doubles
        int shift = (int) (bits >>> MANTISSA_BITS & 0x7FF) - EXPONENT_BIAS - LEAST_EXPONENT;
        if (shift < 0) {
            // what is below the least exponent is zero there
            mantissa >>>= -shift;
            shift = 0;
        }
        int limb = sum * LIMBS + shift / LIMB_BITS;
        int within = shift % LIMB_BITS;
        long low = mantissa << within;
        long high = within == 0 ? 0 : mantissa >>> Long.SIZE - within;
        if (bits < 0) {
            limbs[limb] -= low & LIMB_MASK;
            limbs[limb + 1] -= low >>> LIMB_BITS;
            limbs[limb + 2] -= high;
        } else {
            limbs[limb] += low & LIMB_MASK;
            limbs[limb + 1] += low >>> LIMB_BITS;
            limbs[limb + 2] += high;
        }
    }

    /** Says that so many times every sum has been added to; to be called often enough that limbs do not overflow. */
    void counted(int times) {
        added += times;
        if (added >= MOST_ADDED) {
            carry();
        }
    }

    /** Adds sums of other rows. */
    ExactSums merge(ExactSums other) {
        carry();
        other.carry();
        for (int i = 0; i < limbs.length; i++) {
            limbs[i] += other.limbs[i];
        }
        added = 1;
        return this;
    }

    private void carry() {
        for (int begin = 0; begin < limbs.length; begin += LIMBS) {
            for (int i = begin; i < begin + LIMBS - 1; i++) {
                limbs[i + 1] += limbs[i] >> LIMB_BITS;
                limbs[i] &= LIMB_MASK;
            }
        }
        added = 0;
    }

    /** {@return one of the sums, as it is} */
    BigDecimal sum(int sum) {
        BigInteger whole = BigInteger.ZERO;
        for (int i = LIMBS - 1; i >= 0; i--) {
            whole = whole.shiftLeft(LIMB_BITS).add(BigInteger.valueOf(limbs[sum * LIMBS + i]));
        }
        return new BigDecimal(whole).divide(new BigDecimal(BigInteger.TWO.pow(-LEAST_EXPONENT)));
    }
}
