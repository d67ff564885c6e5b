package dev.paloverde.gpu.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The inner loops on SIMD lanes. Linked only where the module {@code jdk.incubator.vector} is there: nothing but {@link
 * Arithmetic#choose} may name this class. What is left over at the end of a row goes through the plain loops, whose bits
 * are the same.
 *
 * <p>The tiles are written out by hand because C2 keeps sums in registers only when each is a local variable.
 */
final class VectorArithmetic extends Arithmetic {
    /** Lane bits to use instead of the widest the CPU has: 128, 256 or 512. Changes speed, never results. */
    static final String BITS_PROPERTY = "paloverde.cpu.vector-bits";

    private static final VectorSpecies<Float> FLOATS = species();
    private static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, FLOATS.vectorShape());
    private static final VectorSpecies<Short> HALVES =
            VectorSpecies.of(short.class, VectorShape.forBitSize(FLOATS.vectorBitSize() / 2));
    private static final int LANES = FLOATS.length();

    /** AVX2 has 16 registers, too few for sixteen sums; AVX-512 and NEON have 32. */
    private static final boolean MANY_REGISTERS = LANES != 8;

    private final PlainArithmetic plain = new PlainArithmetic();

    private VectorArithmetic() {}

    private static VectorSpecies<Float> species() {
        Integer bits = Integer.getInteger(BITS_PROPERTY);
        return bits == null
                ? FloatVector.SPECIES_PREFERRED
                : VectorSpecies.of(float.class, VectorShape.forBitSize(bits));
    }

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
        if (MANY_REGISTERS || rows < 8) {
            for (; j + 2 * LANES <= width; j += 2 * LANES) {
                int p = panelOffset + j;
                int s = sumOffset + j;
                switch (rows) {
                    case 1 -> tile1x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                    case 2 -> tile2x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                    case 4 -> tile4x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                    default -> tile8x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                }
            }
        }
        for (; j + LANES <= width; j += LANES) {
            int p = panelOffset + j;
            int s = sumOffset + j;
            switch (rows) {
                case 1 -> tile1x1(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                case 2 -> tile2x1(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                case 4 -> tile4x1(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                default -> tile8x1(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
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
        if (MANY_REGISTERS || rows < 8) {
            for (; j + 2 * LANES <= width; j += 2 * LANES) {
                int p = panelOffset + j;
                int s = sumOffset + j;
                switch (rows) {
                    case 1 -> tile1x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                    case 2 -> tile2x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                    case 4 -> tile4x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                    default -> tile8x2(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                }
            }
        }
        for (; j + LANES <= width; j += LANES) {
            int p = panelOffset + j;
            int s = sumOffset + j;
            switch (rows) {
                case 1 -> tile1x1(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                case 2 -> tile2x1(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                case 4 -> tile4x1(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
                default -> tile8x1(left, leftOffset, panel, p, stride, depth, sums, s, sumStride);
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
    void widen(short[] from, int fromOffset, float[] to, int toOffset, int length) {
        int i = 0;
        for (; i + LANES <= length; i += LANES) {
            widened(from, fromOffset + i).intoArray(to, toOffset + i);
        }
        plain.widen(from, fromOffset + i, to, toOffset + i, length - i);
    }

    private static FloatVector widened(short[] from, int offset) {
        // S2I and a shift: ZERO_EXTEND_S2I is not usable on JDK 17
        return ((IntVector) ShortVector.fromArray(HALVES, from, offset).convertShape(VectorOperators.S2I, INTS, 0))
                .lanewise(VectorOperators.LSHL, 16)
                .reinterpretAsFloats();
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

    private static void tile1x1(
            float[] left,
            int leftOffset,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, p);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[leftOffset + k]);
            s00 = x0.fma(w0, s00);
        }
        s00.intoArray(sums, row0);
    }

    private static void tile1x2(
            float[] left,
            int leftOffset,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        FloatVector s01 = FloatVector.fromArray(FLOATS, sums, row0 + LANES);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, p);
            FloatVector w1 = FloatVector.fromArray(FLOATS, panel, p + LANES);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[leftOffset + k]);
            s00 = x0.fma(w0, s00);
            s01 = x0.fma(w1, s01);
        }
        s00.intoArray(sums, row0);
        s01.intoArray(sums, row0 + LANES);
    }

    private static void tile2x1(
            float[] left,
            int leftOffset,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = sumOffset + sumStride;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        FloatVector s10 = FloatVector.fromArray(FLOATS, sums, row1);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            int x = leftOffset + k * 2;
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, p);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[x]);
            s00 = x0.fma(w0, s00);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[x + 1]);
            s10 = x1.fma(w0, s10);
        }
        s00.intoArray(sums, row0);
        s10.intoArray(sums, row1);
    }

    private static void tile2x2(
            float[] left,
            int leftOffset,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = sumOffset + sumStride;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        FloatVector s01 = FloatVector.fromArray(FLOATS, sums, row0 + LANES);
        FloatVector s10 = FloatVector.fromArray(FLOATS, sums, row1);
        FloatVector s11 = FloatVector.fromArray(FLOATS, sums, row1 + LANES);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            int x = leftOffset + k * 2;
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, p);
            FloatVector w1 = FloatVector.fromArray(FLOATS, panel, p + LANES);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[x]);
            s00 = x0.fma(w0, s00);
            s01 = x0.fma(w1, s01);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[x + 1]);
            s10 = x1.fma(w0, s10);
            s11 = x1.fma(w1, s11);
        }
        s00.intoArray(sums, row0);
        s01.intoArray(sums, row0 + LANES);
        s10.intoArray(sums, row1);
        s11.intoArray(sums, row1 + LANES);
    }

    private static void tile4x1(
            float[] left,
            int leftOffset,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = sumOffset + sumStride;
        int row2 = sumOffset + 2 * sumStride;
        int row3 = sumOffset + 3 * sumStride;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        FloatVector s10 = FloatVector.fromArray(FLOATS, sums, row1);
        FloatVector s20 = FloatVector.fromArray(FLOATS, sums, row2);
        FloatVector s30 = FloatVector.fromArray(FLOATS, sums, row3);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            int x = leftOffset + k * 4;
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, p);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[x]);
            s00 = x0.fma(w0, s00);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[x + 1]);
            s10 = x1.fma(w0, s10);
            FloatVector x2 = FloatVector.broadcast(FLOATS, left[x + 2]);
            s20 = x2.fma(w0, s20);
            FloatVector x3 = FloatVector.broadcast(FLOATS, left[x + 3]);
            s30 = x3.fma(w0, s30);
        }
        s00.intoArray(sums, row0);
        s10.intoArray(sums, row1);
        s20.intoArray(sums, row2);
        s30.intoArray(sums, row3);
    }

    private static void tile4x2(
            float[] left,
            int leftOffset,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = sumOffset + sumStride;
        int row2 = sumOffset + 2 * sumStride;
        int row3 = sumOffset + 3 * sumStride;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        FloatVector s01 = FloatVector.fromArray(FLOATS, sums, row0 + LANES);
        FloatVector s10 = FloatVector.fromArray(FLOATS, sums, row1);
        FloatVector s11 = FloatVector.fromArray(FLOATS, sums, row1 + LANES);
        FloatVector s20 = FloatVector.fromArray(FLOATS, sums, row2);
        FloatVector s21 = FloatVector.fromArray(FLOATS, sums, row2 + LANES);
        FloatVector s30 = FloatVector.fromArray(FLOATS, sums, row3);
        FloatVector s31 = FloatVector.fromArray(FLOATS, sums, row3 + LANES);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            int x = leftOffset + k * 4;
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, p);
            FloatVector w1 = FloatVector.fromArray(FLOATS, panel, p + LANES);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[x]);
            s00 = x0.fma(w0, s00);
            s01 = x0.fma(w1, s01);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[x + 1]);
            s10 = x1.fma(w0, s10);
            s11 = x1.fma(w1, s11);
            FloatVector x2 = FloatVector.broadcast(FLOATS, left[x + 2]);
            s20 = x2.fma(w0, s20);
            s21 = x2.fma(w1, s21);
            FloatVector x3 = FloatVector.broadcast(FLOATS, left[x + 3]);
            s30 = x3.fma(w0, s30);
            s31 = x3.fma(w1, s31);
        }
        s00.intoArray(sums, row0);
        s01.intoArray(sums, row0 + LANES);
        s10.intoArray(sums, row1);
        s11.intoArray(sums, row1 + LANES);
        s20.intoArray(sums, row2);
        s21.intoArray(sums, row2 + LANES);
        s30.intoArray(sums, row3);
        s31.intoArray(sums, row3 + LANES);
    }

    private static void tile8x1(
            float[] left,
            int leftOffset,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = sumOffset + sumStride;
        int row2 = sumOffset + 2 * sumStride;
        int row3 = sumOffset + 3 * sumStride;
        int row4 = sumOffset + 4 * sumStride;
        int row5 = sumOffset + 5 * sumStride;
        int row6 = sumOffset + 6 * sumStride;
        int row7 = sumOffset + 7 * sumStride;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        FloatVector s10 = FloatVector.fromArray(FLOATS, sums, row1);
        FloatVector s20 = FloatVector.fromArray(FLOATS, sums, row2);
        FloatVector s30 = FloatVector.fromArray(FLOATS, sums, row3);
        FloatVector s40 = FloatVector.fromArray(FLOATS, sums, row4);
        FloatVector s50 = FloatVector.fromArray(FLOATS, sums, row5);
        FloatVector s60 = FloatVector.fromArray(FLOATS, sums, row6);
        FloatVector s70 = FloatVector.fromArray(FLOATS, sums, row7);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            int x = leftOffset + k * 8;
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, p);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[x]);
            s00 = x0.fma(w0, s00);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[x + 1]);
            s10 = x1.fma(w0, s10);
            FloatVector x2 = FloatVector.broadcast(FLOATS, left[x + 2]);
            s20 = x2.fma(w0, s20);
            FloatVector x3 = FloatVector.broadcast(FLOATS, left[x + 3]);
            s30 = x3.fma(w0, s30);
            FloatVector x4 = FloatVector.broadcast(FLOATS, left[x + 4]);
            s40 = x4.fma(w0, s40);
            FloatVector x5 = FloatVector.broadcast(FLOATS, left[x + 5]);
            s50 = x5.fma(w0, s50);
            FloatVector x6 = FloatVector.broadcast(FLOATS, left[x + 6]);
            s60 = x6.fma(w0, s60);
            FloatVector x7 = FloatVector.broadcast(FLOATS, left[x + 7]);
            s70 = x7.fma(w0, s70);
        }
        s00.intoArray(sums, row0);
        s10.intoArray(sums, row1);
        s20.intoArray(sums, row2);
        s30.intoArray(sums, row3);
        s40.intoArray(sums, row4);
        s50.intoArray(sums, row5);
        s60.intoArray(sums, row6);
        s70.intoArray(sums, row7);
    }

    private static void tile8x2(
            float[] left,
            int leftOffset,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = sumOffset + sumStride;
        int row2 = sumOffset + 2 * sumStride;
        int row3 = sumOffset + 3 * sumStride;
        int row4 = sumOffset + 4 * sumStride;
        int row5 = sumOffset + 5 * sumStride;
        int row6 = sumOffset + 6 * sumStride;
        int row7 = sumOffset + 7 * sumStride;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        FloatVector s01 = FloatVector.fromArray(FLOATS, sums, row0 + LANES);
        FloatVector s10 = FloatVector.fromArray(FLOATS, sums, row1);
        FloatVector s11 = FloatVector.fromArray(FLOATS, sums, row1 + LANES);
        FloatVector s20 = FloatVector.fromArray(FLOATS, sums, row2);
        FloatVector s21 = FloatVector.fromArray(FLOATS, sums, row2 + LANES);
        FloatVector s30 = FloatVector.fromArray(FLOATS, sums, row3);
        FloatVector s31 = FloatVector.fromArray(FLOATS, sums, row3 + LANES);
        FloatVector s40 = FloatVector.fromArray(FLOATS, sums, row4);
        FloatVector s41 = FloatVector.fromArray(FLOATS, sums, row4 + LANES);
        FloatVector s50 = FloatVector.fromArray(FLOATS, sums, row5);
        FloatVector s51 = FloatVector.fromArray(FLOATS, sums, row5 + LANES);
        FloatVector s60 = FloatVector.fromArray(FLOATS, sums, row6);
        FloatVector s61 = FloatVector.fromArray(FLOATS, sums, row6 + LANES);
        FloatVector s70 = FloatVector.fromArray(FLOATS, sums, row7);
        FloatVector s71 = FloatVector.fromArray(FLOATS, sums, row7 + LANES);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            int x = leftOffset + k * 8;
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, p);
            FloatVector w1 = FloatVector.fromArray(FLOATS, panel, p + LANES);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[x]);
            s00 = x0.fma(w0, s00);
            s01 = x0.fma(w1, s01);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[x + 1]);
            s10 = x1.fma(w0, s10);
            s11 = x1.fma(w1, s11);
            FloatVector x2 = FloatVector.broadcast(FLOATS, left[x + 2]);
            s20 = x2.fma(w0, s20);
            s21 = x2.fma(w1, s21);
            FloatVector x3 = FloatVector.broadcast(FLOATS, left[x + 3]);
            s30 = x3.fma(w0, s30);
            s31 = x3.fma(w1, s31);
            FloatVector x4 = FloatVector.broadcast(FLOATS, left[x + 4]);
            s40 = x4.fma(w0, s40);
            s41 = x4.fma(w1, s41);
            FloatVector x5 = FloatVector.broadcast(FLOATS, left[x + 5]);
            s50 = x5.fma(w0, s50);
            s51 = x5.fma(w1, s51);
            FloatVector x6 = FloatVector.broadcast(FLOATS, left[x + 6]);
            s60 = x6.fma(w0, s60);
            s61 = x6.fma(w1, s61);
            FloatVector x7 = FloatVector.broadcast(FLOATS, left[x + 7]);
            s70 = x7.fma(w0, s70);
            s71 = x7.fma(w1, s71);
        }
        s00.intoArray(sums, row0);
        s01.intoArray(sums, row0 + LANES);
        s10.intoArray(sums, row1);
        s11.intoArray(sums, row1 + LANES);
        s20.intoArray(sums, row2);
        s21.intoArray(sums, row2 + LANES);
        s30.intoArray(sums, row3);
        s31.intoArray(sums, row3 + LANES);
        s40.intoArray(sums, row4);
        s41.intoArray(sums, row4 + LANES);
        s50.intoArray(sums, row5);
        s51.intoArray(sums, row5 + LANES);
        s60.intoArray(sums, row6);
        s61.intoArray(sums, row6 + LANES);
        s70.intoArray(sums, row7);
        s71.intoArray(sums, row7 + LANES);
    }

    private static void tile1x1(
            float[] left,
            int leftOffset,
            short[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            FloatVector w0 = widened(panel, p);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[leftOffset + k]);
            s00 = x0.fma(w0, s00);
        }
        s00.intoArray(sums, row0);
    }

    private static void tile1x2(
            float[] left,
            int leftOffset,
            short[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        FloatVector s01 = FloatVector.fromArray(FLOATS, sums, row0 + LANES);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            FloatVector w0 = widened(panel, p);
            FloatVector w1 = widened(panel, p + LANES);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[leftOffset + k]);
            s00 = x0.fma(w0, s00);
            s01 = x0.fma(w1, s01);
        }
        s00.intoArray(sums, row0);
        s01.intoArray(sums, row0 + LANES);
    }

    private static void tile2x1(
            float[] left,
            int leftOffset,
            short[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = sumOffset + sumStride;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        FloatVector s10 = FloatVector.fromArray(FLOATS, sums, row1);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            int x = leftOffset + k * 2;
            FloatVector w0 = widened(panel, p);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[x]);
            s00 = x0.fma(w0, s00);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[x + 1]);
            s10 = x1.fma(w0, s10);
        }
        s00.intoArray(sums, row0);
        s10.intoArray(sums, row1);
    }

    private static void tile2x2(
            float[] left,
            int leftOffset,
            short[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = sumOffset + sumStride;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        FloatVector s01 = FloatVector.fromArray(FLOATS, sums, row0 + LANES);
        FloatVector s10 = FloatVector.fromArray(FLOATS, sums, row1);
        FloatVector s11 = FloatVector.fromArray(FLOATS, sums, row1 + LANES);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            int x = leftOffset + k * 2;
            FloatVector w0 = widened(panel, p);
            FloatVector w1 = widened(panel, p + LANES);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[x]);
            s00 = x0.fma(w0, s00);
            s01 = x0.fma(w1, s01);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[x + 1]);
            s10 = x1.fma(w0, s10);
            s11 = x1.fma(w1, s11);
        }
        s00.intoArray(sums, row0);
        s01.intoArray(sums, row0 + LANES);
        s10.intoArray(sums, row1);
        s11.intoArray(sums, row1 + LANES);
    }

    private static void tile4x1(
            float[] left,
            int leftOffset,
            short[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = sumOffset + sumStride;
        int row2 = sumOffset + 2 * sumStride;
        int row3 = sumOffset + 3 * sumStride;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        FloatVector s10 = FloatVector.fromArray(FLOATS, sums, row1);
        FloatVector s20 = FloatVector.fromArray(FLOATS, sums, row2);
        FloatVector s30 = FloatVector.fromArray(FLOATS, sums, row3);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            int x = leftOffset + k * 4;
            FloatVector w0 = widened(panel, p);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[x]);
            s00 = x0.fma(w0, s00);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[x + 1]);
            s10 = x1.fma(w0, s10);
            FloatVector x2 = FloatVector.broadcast(FLOATS, left[x + 2]);
            s20 = x2.fma(w0, s20);
            FloatVector x3 = FloatVector.broadcast(FLOATS, left[x + 3]);
            s30 = x3.fma(w0, s30);
        }
        s00.intoArray(sums, row0);
        s10.intoArray(sums, row1);
        s20.intoArray(sums, row2);
        s30.intoArray(sums, row3);
    }

    private static void tile4x2(
            float[] left,
            int leftOffset,
            short[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = sumOffset + sumStride;
        int row2 = sumOffset + 2 * sumStride;
        int row3 = sumOffset + 3 * sumStride;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        FloatVector s01 = FloatVector.fromArray(FLOATS, sums, row0 + LANES);
        FloatVector s10 = FloatVector.fromArray(FLOATS, sums, row1);
        FloatVector s11 = FloatVector.fromArray(FLOATS, sums, row1 + LANES);
        FloatVector s20 = FloatVector.fromArray(FLOATS, sums, row2);
        FloatVector s21 = FloatVector.fromArray(FLOATS, sums, row2 + LANES);
        FloatVector s30 = FloatVector.fromArray(FLOATS, sums, row3);
        FloatVector s31 = FloatVector.fromArray(FLOATS, sums, row3 + LANES);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            int x = leftOffset + k * 4;
            FloatVector w0 = widened(panel, p);
            FloatVector w1 = widened(panel, p + LANES);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[x]);
            s00 = x0.fma(w0, s00);
            s01 = x0.fma(w1, s01);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[x + 1]);
            s10 = x1.fma(w0, s10);
            s11 = x1.fma(w1, s11);
            FloatVector x2 = FloatVector.broadcast(FLOATS, left[x + 2]);
            s20 = x2.fma(w0, s20);
            s21 = x2.fma(w1, s21);
            FloatVector x3 = FloatVector.broadcast(FLOATS, left[x + 3]);
            s30 = x3.fma(w0, s30);
            s31 = x3.fma(w1, s31);
        }
        s00.intoArray(sums, row0);
        s01.intoArray(sums, row0 + LANES);
        s10.intoArray(sums, row1);
        s11.intoArray(sums, row1 + LANES);
        s20.intoArray(sums, row2);
        s21.intoArray(sums, row2 + LANES);
        s30.intoArray(sums, row3);
        s31.intoArray(sums, row3 + LANES);
    }

    private static void tile8x1(
            float[] left,
            int leftOffset,
            short[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = sumOffset + sumStride;
        int row2 = sumOffset + 2 * sumStride;
        int row3 = sumOffset + 3 * sumStride;
        int row4 = sumOffset + 4 * sumStride;
        int row5 = sumOffset + 5 * sumStride;
        int row6 = sumOffset + 6 * sumStride;
        int row7 = sumOffset + 7 * sumStride;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        FloatVector s10 = FloatVector.fromArray(FLOATS, sums, row1);
        FloatVector s20 = FloatVector.fromArray(FLOATS, sums, row2);
        FloatVector s30 = FloatVector.fromArray(FLOATS, sums, row3);
        FloatVector s40 = FloatVector.fromArray(FLOATS, sums, row4);
        FloatVector s50 = FloatVector.fromArray(FLOATS, sums, row5);
        FloatVector s60 = FloatVector.fromArray(FLOATS, sums, row6);
        FloatVector s70 = FloatVector.fromArray(FLOATS, sums, row7);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            int x = leftOffset + k * 8;
            FloatVector w0 = widened(panel, p);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[x]);
            s00 = x0.fma(w0, s00);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[x + 1]);
            s10 = x1.fma(w0, s10);
            FloatVector x2 = FloatVector.broadcast(FLOATS, left[x + 2]);
            s20 = x2.fma(w0, s20);
            FloatVector x3 = FloatVector.broadcast(FLOATS, left[x + 3]);
            s30 = x3.fma(w0, s30);
            FloatVector x4 = FloatVector.broadcast(FLOATS, left[x + 4]);
            s40 = x4.fma(w0, s40);
            FloatVector x5 = FloatVector.broadcast(FLOATS, left[x + 5]);
            s50 = x5.fma(w0, s50);
            FloatVector x6 = FloatVector.broadcast(FLOATS, left[x + 6]);
            s60 = x6.fma(w0, s60);
            FloatVector x7 = FloatVector.broadcast(FLOATS, left[x + 7]);
            s70 = x7.fma(w0, s70);
        }
        s00.intoArray(sums, row0);
        s10.intoArray(sums, row1);
        s20.intoArray(sums, row2);
        s30.intoArray(sums, row3);
        s40.intoArray(sums, row4);
        s50.intoArray(sums, row5);
        s60.intoArray(sums, row6);
        s70.intoArray(sums, row7);
    }

    private static void tile8x2(
            float[] left,
            int leftOffset,
            short[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = sumOffset + sumStride;
        int row2 = sumOffset + 2 * sumStride;
        int row3 = sumOffset + 3 * sumStride;
        int row4 = sumOffset + 4 * sumStride;
        int row5 = sumOffset + 5 * sumStride;
        int row6 = sumOffset + 6 * sumStride;
        int row7 = sumOffset + 7 * sumStride;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        FloatVector s01 = FloatVector.fromArray(FLOATS, sums, row0 + LANES);
        FloatVector s10 = FloatVector.fromArray(FLOATS, sums, row1);
        FloatVector s11 = FloatVector.fromArray(FLOATS, sums, row1 + LANES);
        FloatVector s20 = FloatVector.fromArray(FLOATS, sums, row2);
        FloatVector s21 = FloatVector.fromArray(FLOATS, sums, row2 + LANES);
        FloatVector s30 = FloatVector.fromArray(FLOATS, sums, row3);
        FloatVector s31 = FloatVector.fromArray(FLOATS, sums, row3 + LANES);
        FloatVector s40 = FloatVector.fromArray(FLOATS, sums, row4);
        FloatVector s41 = FloatVector.fromArray(FLOATS, sums, row4 + LANES);
        FloatVector s50 = FloatVector.fromArray(FLOATS, sums, row5);
        FloatVector s51 = FloatVector.fromArray(FLOATS, sums, row5 + LANES);
        FloatVector s60 = FloatVector.fromArray(FLOATS, sums, row6);
        FloatVector s61 = FloatVector.fromArray(FLOATS, sums, row6 + LANES);
        FloatVector s70 = FloatVector.fromArray(FLOATS, sums, row7);
        FloatVector s71 = FloatVector.fromArray(FLOATS, sums, row7 + LANES);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            int x = leftOffset + k * 8;
            FloatVector w0 = widened(panel, p);
            FloatVector w1 = widened(panel, p + LANES);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[x]);
            s00 = x0.fma(w0, s00);
            s01 = x0.fma(w1, s01);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[x + 1]);
            s10 = x1.fma(w0, s10);
            s11 = x1.fma(w1, s11);
            FloatVector x2 = FloatVector.broadcast(FLOATS, left[x + 2]);
            s20 = x2.fma(w0, s20);
            s21 = x2.fma(w1, s21);
            FloatVector x3 = FloatVector.broadcast(FLOATS, left[x + 3]);
            s30 = x3.fma(w0, s30);
            s31 = x3.fma(w1, s31);
            FloatVector x4 = FloatVector.broadcast(FLOATS, left[x + 4]);
            s40 = x4.fma(w0, s40);
            s41 = x4.fma(w1, s41);
            FloatVector x5 = FloatVector.broadcast(FLOATS, left[x + 5]);
            s50 = x5.fma(w0, s50);
            s51 = x5.fma(w1, s51);
            FloatVector x6 = FloatVector.broadcast(FLOATS, left[x + 6]);
            s60 = x6.fma(w0, s60);
            s61 = x6.fma(w1, s61);
            FloatVector x7 = FloatVector.broadcast(FLOATS, left[x + 7]);
            s70 = x7.fma(w0, s70);
            s71 = x7.fma(w1, s71);
        }
        s00.intoArray(sums, row0);
        s01.intoArray(sums, row0 + LANES);
        s10.intoArray(sums, row1);
        s11.intoArray(sums, row1 + LANES);
        s20.intoArray(sums, row2);
        s21.intoArray(sums, row2 + LANES);
        s30.intoArray(sums, row3);
        s31.intoArray(sums, row3 + LANES);
        s40.intoArray(sums, row4);
        s41.intoArray(sums, row4 + LANES);
        s50.intoArray(sums, row5);
        s51.intoArray(sums, row5 + LANES);
        s60.intoArray(sums, row6);
        s61.intoArray(sums, row6 + LANES);
        s70.intoArray(sums, row7);
        s71.intoArray(sums, row7 + LANES);
    }
}
