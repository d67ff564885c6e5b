package dev.paloverde.gpu.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Tiles of {@link VectorArithmetic}: so many rows by so many vectors of outputs, all sums in registers. They are written
 * out, alike as they are, because C2 keeps a sum in a register only when it is a local variable of its own.
 *
 * <p>Named by rows x vectors. {@code tile} reads its left side packed [depth][rows], {@code tile4of8} four rows of a
 * packing of eight, {@code rows} unpacked [rows][leftStride].
 */
final class VectorTiles {
    static final VectorSpecies<Float> FLOATS = species();
    static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, FLOATS.vectorShape());
    static final int LANES = FLOATS.length();

    private static final VectorSpecies<Short> HALVES =
            VectorSpecies.of(short.class, VectorShape.forBitSize(FLOATS.vectorBitSize() / 2));

    private VectorTiles() {}

    private static VectorSpecies<Float> species() {
        Integer bits = Integer.getInteger(VectorArithmetic.BITS_PROPERTY);
        return bits == null
                ? FloatVector.SPECIES_PREFERRED
                : VectorSpecies.of(float.class, VectorShape.forBitSize(bits));
    }

    /** {@return bf16 numbers as fp32} */
    static FloatVector widened(short[] from, int offset) {
        // S2I and a shift: ZERO_EXTEND_S2I is not usable on JDK 17
        return ((IntVector) ShortVector.fromArray(HALVES, from, offset).convertShape(VectorOperators.S2I, INTS, 0))
                .lanewise(VectorOperators.LSHL, 16)
                .reinterpretAsFloats();
    }

    static void tile1x1(
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

    static void tile2x1(
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
        int row1 = row0 + sumStride;
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

    static void tile4x1(
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
        int row1 = row0 + sumStride;
        int row2 = row1 + sumStride;
        int row3 = row2 + sumStride;
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

    static void tile8x1(
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
        int row1 = row0 + sumStride;
        int row2 = row1 + sumStride;
        int row3 = row2 + sumStride;
        int row4 = row3 + sumStride;
        int row5 = row4 + sumStride;
        int row6 = row5 + sumStride;
        int row7 = row6 + sumStride;
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

    static void tile1x2(
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

    static void tile2x2(
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
        int row1 = row0 + sumStride;
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

    static void tile4x2(
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
        int row1 = row0 + sumStride;
        int row2 = row1 + sumStride;
        int row3 = row2 + sumStride;
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

    static void tile8x2(
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
        int row1 = row0 + sumStride;
        int row2 = row1 + sumStride;
        int row3 = row2 + sumStride;
        int row4 = row3 + sumStride;
        int row5 = row4 + sumStride;
        int row6 = row5 + sumStride;
        int row7 = row6 + sumStride;
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

    static void tile4of8x2(
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
        int row1 = row0 + sumStride;
        int row2 = row1 + sumStride;
        int row3 = row2 + sumStride;
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

    static void rows2x1(
            float[] left,
            int leftOffset,
            int leftStride,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = row0 + sumStride;
        int left0 = leftOffset;
        int left1 = left0 + leftStride;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        FloatVector s10 = FloatVector.fromArray(FLOATS, sums, row1);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, p);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[left0 + k]);
            s00 = x0.fma(w0, s00);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[left1 + k]);
            s10 = x1.fma(w0, s10);
        }
        s00.intoArray(sums, row0);
        s10.intoArray(sums, row1);
    }

    static void rows4x1(
            float[] left,
            int leftOffset,
            int leftStride,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = row0 + sumStride;
        int row2 = row1 + sumStride;
        int row3 = row2 + sumStride;
        int left0 = leftOffset;
        int left1 = left0 + leftStride;
        int left2 = left1 + leftStride;
        int left3 = left2 + leftStride;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        FloatVector s10 = FloatVector.fromArray(FLOATS, sums, row1);
        FloatVector s20 = FloatVector.fromArray(FLOATS, sums, row2);
        FloatVector s30 = FloatVector.fromArray(FLOATS, sums, row3);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, p);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[left0 + k]);
            s00 = x0.fma(w0, s00);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[left1 + k]);
            s10 = x1.fma(w0, s10);
            FloatVector x2 = FloatVector.broadcast(FLOATS, left[left2 + k]);
            s20 = x2.fma(w0, s20);
            FloatVector x3 = FloatVector.broadcast(FLOATS, left[left3 + k]);
            s30 = x3.fma(w0, s30);
        }
        s00.intoArray(sums, row0);
        s10.intoArray(sums, row1);
        s20.intoArray(sums, row2);
        s30.intoArray(sums, row3);
    }

    static void rows8x1(
            float[] left,
            int leftOffset,
            int leftStride,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = row0 + sumStride;
        int row2 = row1 + sumStride;
        int row3 = row2 + sumStride;
        int row4 = row3 + sumStride;
        int row5 = row4 + sumStride;
        int row6 = row5 + sumStride;
        int row7 = row6 + sumStride;
        int left0 = leftOffset;
        int left1 = left0 + leftStride;
        int left2 = left1 + leftStride;
        int left3 = left2 + leftStride;
        int left4 = left3 + leftStride;
        int left5 = left4 + leftStride;
        int left6 = left5 + leftStride;
        int left7 = left6 + leftStride;
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
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, p);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[left0 + k]);
            s00 = x0.fma(w0, s00);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[left1 + k]);
            s10 = x1.fma(w0, s10);
            FloatVector x2 = FloatVector.broadcast(FLOATS, left[left2 + k]);
            s20 = x2.fma(w0, s20);
            FloatVector x3 = FloatVector.broadcast(FLOATS, left[left3 + k]);
            s30 = x3.fma(w0, s30);
            FloatVector x4 = FloatVector.broadcast(FLOATS, left[left4 + k]);
            s40 = x4.fma(w0, s40);
            FloatVector x5 = FloatVector.broadcast(FLOATS, left[left5 + k]);
            s50 = x5.fma(w0, s50);
            FloatVector x6 = FloatVector.broadcast(FLOATS, left[left6 + k]);
            s60 = x6.fma(w0, s60);
            FloatVector x7 = FloatVector.broadcast(FLOATS, left[left7 + k]);
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

    static void rows2x2(
            float[] left,
            int leftOffset,
            int leftStride,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = row0 + sumStride;
        int left0 = leftOffset;
        int left1 = left0 + leftStride;
        FloatVector s00 = FloatVector.fromArray(FLOATS, sums, row0);
        FloatVector s01 = FloatVector.fromArray(FLOATS, sums, row0 + LANES);
        FloatVector s10 = FloatVector.fromArray(FLOATS, sums, row1);
        FloatVector s11 = FloatVector.fromArray(FLOATS, sums, row1 + LANES);
        for (int k = 0; k < depth; k++) {
            int p = panelOffset + k * stride;
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, p);
            FloatVector w1 = FloatVector.fromArray(FLOATS, panel, p + LANES);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[left0 + k]);
            s00 = x0.fma(w0, s00);
            s01 = x0.fma(w1, s01);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[left1 + k]);
            s10 = x1.fma(w0, s10);
            s11 = x1.fma(w1, s11);
        }
        s00.intoArray(sums, row0);
        s01.intoArray(sums, row0 + LANES);
        s10.intoArray(sums, row1);
        s11.intoArray(sums, row1 + LANES);
    }

    static void rows4x2(
            float[] left,
            int leftOffset,
            int leftStride,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = row0 + sumStride;
        int row2 = row1 + sumStride;
        int row3 = row2 + sumStride;
        int left0 = leftOffset;
        int left1 = left0 + leftStride;
        int left2 = left1 + leftStride;
        int left3 = left2 + leftStride;
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
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, p);
            FloatVector w1 = FloatVector.fromArray(FLOATS, panel, p + LANES);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[left0 + k]);
            s00 = x0.fma(w0, s00);
            s01 = x0.fma(w1, s01);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[left1 + k]);
            s10 = x1.fma(w0, s10);
            s11 = x1.fma(w1, s11);
            FloatVector x2 = FloatVector.broadcast(FLOATS, left[left2 + k]);
            s20 = x2.fma(w0, s20);
            s21 = x2.fma(w1, s21);
            FloatVector x3 = FloatVector.broadcast(FLOATS, left[left3 + k]);
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

    static void rows8x2(
            float[] left,
            int leftOffset,
            int leftStride,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            float[] sums,
            int sumOffset,
            int sumStride) {
        int row0 = sumOffset;
        int row1 = row0 + sumStride;
        int row2 = row1 + sumStride;
        int row3 = row2 + sumStride;
        int row4 = row3 + sumStride;
        int row5 = row4 + sumStride;
        int row6 = row5 + sumStride;
        int row7 = row6 + sumStride;
        int left0 = leftOffset;
        int left1 = left0 + leftStride;
        int left2 = left1 + leftStride;
        int left3 = left2 + leftStride;
        int left4 = left3 + leftStride;
        int left5 = left4 + leftStride;
        int left6 = left5 + leftStride;
        int left7 = left6 + leftStride;
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
            FloatVector w0 = FloatVector.fromArray(FLOATS, panel, p);
            FloatVector w1 = FloatVector.fromArray(FLOATS, panel, p + LANES);
            FloatVector x0 = FloatVector.broadcast(FLOATS, left[left0 + k]);
            s00 = x0.fma(w0, s00);
            s01 = x0.fma(w1, s01);
            FloatVector x1 = FloatVector.broadcast(FLOATS, left[left1 + k]);
            s10 = x1.fma(w0, s10);
            s11 = x1.fma(w1, s11);
            FloatVector x2 = FloatVector.broadcast(FLOATS, left[left2 + k]);
            s20 = x2.fma(w0, s20);
            s21 = x2.fma(w1, s21);
            FloatVector x3 = FloatVector.broadcast(FLOATS, left[left3 + k]);
            s30 = x3.fma(w0, s30);
            s31 = x3.fma(w1, s31);
            FloatVector x4 = FloatVector.broadcast(FLOATS, left[left4 + k]);
            s40 = x4.fma(w0, s40);
            s41 = x4.fma(w1, s41);
            FloatVector x5 = FloatVector.broadcast(FLOATS, left[left5 + k]);
            s50 = x5.fma(w0, s50);
            s51 = x5.fma(w1, s51);
            FloatVector x6 = FloatVector.broadcast(FLOATS, left[left6 + k]);
            s60 = x6.fma(w0, s60);
            s61 = x6.fma(w1, s61);
            FloatVector x7 = FloatVector.broadcast(FLOATS, left[left7 + k]);
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

    static void tile1x2(
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

    static void tile2x2(
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
        int row1 = row0 + sumStride;
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

    static void tile4x2(
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
        int row1 = row0 + sumStride;
        int row2 = row1 + sumStride;
        int row3 = row2 + sumStride;
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

    static void tile8x2(
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
        int row1 = row0 + sumStride;
        int row2 = row1 + sumStride;
        int row3 = row2 + sumStride;
        int row4 = row3 + sumStride;
        int row5 = row4 + sumStride;
        int row6 = row5 + sumStride;
        int row7 = row6 + sumStride;
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

    static void tile4of8x2(
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
        int row1 = row0 + sumStride;
        int row2 = row1 + sumStride;
        int row3 = row2 + sumStride;
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
}
