package dev.paloverde.gpu.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The inner loops on SIMD lanes. Linked only where the module {@code jdk.incubator.vector} is there: nothing but {@link
 * Arithmetic#choose} may name this class. What is left over at the end of a row goes through the plain loops, whose bits
 * are the same.
 */
final class VectorArithmetic extends Arithmetic {
    /** Lane bits to use instead of the widest the CPU has: 128, 256 or 512. Changes speed, never results. */
    static final String BITS_PROPERTY = "paloverde.cpu.vector-bits";

    private static final VectorSpecies<Float> FLOATS = VectorTiles.FLOATS;
    private static final VectorSpecies<Integer> INTS = VectorTiles.INTS;
    private static final int LANES = VectorTiles.LANES;

    /** AVX2 has 16 registers, too few for sixteen sums; AVX-512 and NEON have 32. */
    private static final boolean MANY_REGISTERS = LANES != 8;

    private final PlainArithmetic plain = new PlainArithmetic();

    private VectorArithmetic() {}

    /** Called by name, see {@link Arithmetic#choose}. */
    static Arithmetic open() {
        if (LANES < 4 || LANES > PARTIALS) {
            throw new UnsupportedOperationException(
                    "the CPU has " + FLOATS.vectorBitSize() + "-bit vectors, where 128 to 512 are of use");
        }
        return new VectorArithmetic();
    }

    @Override
    String description() {
        return "Vector API, " + bits() + " bits";
    }

    /** {@return the width of a vector} */
    int bits() {
        return FLOATS.vectorBitSize();
    }

    @Override
    void accumulate(
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
            int sumStride) {
        int j = 0;
        for (; j + 2 * LANES <= width; j += 2 * LANES) {
            int p = panelOffset + j;
            int s = sumOffset + j;
            switch (rows) {
                case 1 -> VectorTiles.tile1x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                case 2 -> VectorTiles.tile2x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                case 4 -> VectorTiles.tile4x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                default -> {
                    if (MANY_REGISTERS) {
                        VectorTiles.tile8x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                    } else {
                        int t = s + 4 * sumStride;
                        VectorTiles.tile4of8x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                        VectorTiles.tile4of8x2(left, leftOffset + 4, panel, p, stride, depth, sums, t, sumStride);
                    }
                }
            }
        }
        for (; j + LANES <= width; j += LANES) {
            int p = panelOffset + j;
            int s = sumOffset + j;
            switch (rows) {
                case 1 -> VectorTiles.tile1x1(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                case 2 -> VectorTiles.tile2x1(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                case 4 -> VectorTiles.tile4x1(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                default -> VectorTiles.tile8x1(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
            }
        }
        if (j < width) {
            plain.accumulate(
                    rows,
                    left,
                    leftOffset,
                    panel,
                    panelOffset + j,
                    stride,
                    depth,
                    width - j,
                    sums,
                    sumOffset + j,
                    sumStride);
        }
    }

    @Override
    void accumulate(
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
            int sumStride) {
        int j = 0;
        for (; j + 2 * LANES <= width; j += 2 * LANES) {
            int p = panelOffset + j;
            int s = sumOffset + j;
            switch (rows) {
                case 1 -> VectorTiles.tile1x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                case 2 -> VectorTiles.tile2x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                case 4 -> VectorTiles.tile4x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                default -> {
                    if (MANY_REGISTERS) {
                        VectorTiles.tile8x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                    } else {
                        int t = s + 4 * sumStride;
                        VectorTiles.tile4of8x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                        VectorTiles.tile4of8x2(left, leftOffset + 4, panel, p, stride, depth, sums, t, sumStride);
                    }
                }
            }
        }
        if (j < width) {
            plain.accumulate(
                    rows,
                    left,
                    leftOffset,
                    panel,
                    panelOffset + j,
                    stride,
                    depth,
                    width - j,
                    sums,
                    sumOffset + j,
                    sumStride);
        }
    }

    @Override
    void accumulateRows(
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
            int sumStride) {
        int j = 0;
        for (; j + 2 * LANES <= width; j += 2 * LANES) {
            int p = panelOffset + j;
            int s = sumOffset + j;
            switch (rows) {
                case 1 -> VectorTiles.tile1x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                case 2 ->
                    VectorTiles.rows2x2(left, leftOffset, leftStride, panel, p, stride, depth, sums, s, sumStride);
                case 4 ->
                    VectorTiles.rows4x2(left, leftOffset, leftStride, panel, p, stride, depth, sums, s, sumStride);
                default -> {
                    if (MANY_REGISTERS) {
                        VectorTiles.rows8x2(left, leftOffset, leftStride, panel, p, stride, depth, sums, s, sumStride);
                    } else {
                        int l = leftOffset + 4 * leftStride;
                        int t = s + 4 * sumStride;
                        VectorTiles.rows4x2(left, leftOffset, leftStride, panel, p, stride, depth, sums, s, sumStride);
                        VectorTiles.rows4x2(left, l, leftStride, panel, p, stride, depth, sums, t, sumStride);
                    }
                }
            }
        }
        for (; j + LANES <= width; j += LANES) {
            int p = panelOffset + j;
            int s = sumOffset + j;
            switch (rows) {
                case 1 -> VectorTiles.tile1x1(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                case 2 ->
                    VectorTiles.rows2x1(left, leftOffset, leftStride, panel, p, stride, depth, sums, s, sumStride);
                case 4 ->
                    VectorTiles.rows4x1(left, leftOffset, leftStride, panel, p, stride, depth, sums, s, sumStride);
                default ->
                    VectorTiles.rows8x1(left, leftOffset, leftStride, panel, p, stride, depth, sums, s, sumStride);
            }
        }
        if (j < width) {
            plain.accumulateRows(
                    rows,
                    left,
                    leftOffset,
                    leftStride,
                    panel,
                    panelOffset + j,
                    stride,
                    depth,
                    width - j,
                    sums,
                    sumOffset + j,
                    sumStride);
        }
    }

    @Override
    void widen(short[] from, int fromOffset, float[] to, int toOffset, int length) {
        int i = 0;
        for (; i + LANES <= length; i += LANES) {
            VectorTiles.widened(from, fromOffset + i).intoArray(to, toOffset + i);
        }
        plain.widen(from, fromOffset + i, to, toOffset + i, length - i);
    }

    @Override
    void addSquares(float[] values, int offset, int length, float[] partials) {
        int whole = length - length % PARTIALS;
        for (int lane = 0; lane < PARTIALS; lane += LANES) {
            FloatVector sum = FloatVector.fromArray(FLOATS, partials, lane);
            for (int i = lane; i < whole; i += PARTIALS) {
                FloatVector value = FloatVector.fromArray(FLOATS, values, offset + i);
                sum = value.fma(value, sum);
            }
            sum.intoArray(partials, lane);
        }
        plain.addSquares(values, offset + whole, length - whole, partials);
    }

    @Override
    void scale(float[] in, int inOffset, float factor, float[] gain, float[] out, int outOffset, int length) {
        int i = 0;
        for (; i + LANES <= length; i += LANES) {
            FloatVector.fromArray(FLOATS, in, inOffset + i)
                    .mul(factor)
                    .mul(FloatVector.fromArray(FLOATS, gain, i))
                    .intoArray(out, outOffset + i);
        }
        for (; i < length; i++) {
            out[outOffset + i] = in[inOffset + i] * factor * gain[i];
        }
    }

    @Override
    float scaleAndMax(float[] values, int offset, int length, float factor) {
        int i = 0;
        float max = Float.NEGATIVE_INFINITY;
        if (length >= LANES) {
            FloatVector most = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
            for (; i + LANES <= length; i += LANES) {
                FloatVector scaled =
                        FloatVector.fromArray(FLOATS, values, offset + i).mul(factor);
                scaled.intoArray(values, offset + i);
                most = most.max(scaled);
            }
            // a maximum has the same bits in any order
            max = most.reduceLanes(VectorOperators.MAX);
        }
        return Math.max(max, plain.scaleAndMax(values, offset + i, length - i, factor));
    }

    @Override
    void exponentials(float[] values, int offset, int length, float shift, float[] partials, int partialOffset) {
        for (int lane = 0; lane < PARTIALS; lane += LANES) {
            FloatVector sum = FloatVector.fromArray(FLOATS, partials, partialOffset + lane);
            for (int i = lane; i < length; i += PARTIALS) {
                FloatVector value =
                        exp(FloatVector.fromArray(FLOATS, values, offset + i).sub(shift));
                value.intoArray(values, offset + i);
                sum = sum.add(value);
            }
            sum.intoArray(partials, partialOffset + lane);
        }
    }

    @Override
    void swiGlu(float[] in, int gateOffset, int upOffset, float[] out, int outOffset, int length) {
        int i = 0;
        for (; i + LANES <= length; i += LANES) {
            FloatVector gate = FloatVector.fromArray(FLOATS, in, gateOffset + i);
            FloatVector up = FloatVector.fromArray(FLOATS, in, upOffset + i);
            gate.div(exp(gate.neg()).add(1f)).mul(up).intoArray(out, outOffset + i);
        }
        for (; i < length; i++) {
            out[outOffset + i] = PlainArithmetic.swiGlu(in[gateOffset + i], in[upOffset + i]);
        }
    }

    /** {@link Arithmetic#exp(float)}, operation by operation. */
    private static FloatVector exp(FloatVector x) {
        FloatVector clamped = x.max(EXP_LOWEST).min(EXP_HIGHEST);
        FloatVector shifted =
                clamped.fma(FloatVector.broadcast(FLOATS, LOG2_E), FloatVector.broadcast(FLOATS, ROUNDER));
        FloatVector n = shifted.sub(ROUNDER);
        IntVector exponent = shifted.reinterpretAsInts().sub(ROUNDER_BITS);
        FloatVector r = n.fma(
                FloatVector.broadcast(FLOATS, MINUS_LN2_LOW),
                n.fma(FloatVector.broadcast(FLOATS, MINUS_LN2_HIGH), clamped));
        FloatVector q = FloatVector.broadcast(FLOATS, Q4)
                .fma(r, FloatVector.broadcast(FLOATS, Q3))
                .fma(r, FloatVector.broadcast(FLOATS, Q2))
                .fma(r, FloatVector.broadcast(FLOATS, Q1))
                .fma(r, FloatVector.broadcast(FLOATS, Q0));
        FloatVector significand = r.mul(r).fma(q, r).add(1f);
        IntVector half = exponent.lanewise(VectorOperators.ASHR, 1);
        return significand.mul(powerOfTwo(half)).mul(powerOfTwo(exponent.sub(half)));
    }

    private static FloatVector powerOfTwo(IntVector exponent) {
        return exponent.add(EXPONENT_BIAS)
                .lanewise(VectorOperators.LSHL, SIGNIFICAND_BITS)
                .reinterpretAsFloats();
    }
}
