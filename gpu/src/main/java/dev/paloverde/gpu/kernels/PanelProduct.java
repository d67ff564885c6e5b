package dev.paloverde.gpu.kernels;

import java.util.Arrays;

/**
 * Packed rows times one panel of weights. Sums stay beside the core while the weights of {@link #DEPTH} inputs go over
 * all rows; cutting the inputs there does not change a bit, since a sum that is set down and taken up again is the same.
 */
final class PanelProduct {
    /** Inputs taken at a time: with a panel's outputs, a block of weights that the second-level cache holds. */
    private static final int DEPTH = 1024;

    /** Tiles from which on it pays to widen bf16 weights once for all instead of once for each. */
    private static final int TILES_TO_WIDEN_FOR = 9;

    private static final int PANEL = CpuMatrix.PANEL;

    private final Arithmetic arithmetic;

    PanelProduct(Arithmetic arithmetic) {
        this.arithmetic = arithmetic;
    }

    /** {@return [tiles * 8, PANEL] sums, of {@code tiles} tiles of rows from {@code firstTile} on; in scratch memory} */
    float[] sums(PackedRows left, int firstTile, int tiles, CpuMatrix weight, int panel, Scratch scratch) {
        int size = tiles * Arithmetic.MOST_ROWS * PANEL;
        float[] sums = scratch.floats(Scratch.Use.SUMS, size);
        Arrays.fill(sums, 0, size, 0f);
        boolean half = weight.isHalf();
        boolean widen = half && tiles >= TILES_TO_WIDEN_FOR;
        float[] widened = widen ? scratch.floats(Scratch.Use.WEIGHTS, DEPTH * PANEL) : null;
        int columns = left.columns();
        int panelOffset = weight.offset(panel);
        for (int k = 0; k < columns; k += DEPTH) {
            int depth = Math.min(DEPTH, columns - k);
            int offset = panelOffset + k * PANEL;
            if (widen) {
                arithmetic.widen(weight.halves(panel), offset, widened, 0, depth * PANEL);
            }
            for (int tile = 0; tile < tiles; tile++) {
                int t = firstTile + tile;
                int sum = tile * Arithmetic.MOST_ROWS * PANEL;
                int height = left.height(t);
                float[] rows = left.array(t);
                int row = left.offset(t, k);
                if (widen) {
                    arithmetic.accumulate(height, rows, row, widened, 0, PANEL, depth, PANEL, sums, sum, PANEL);
                } else if (half) {
                    arithmetic.accumulate(
                            height, rows, row, weight.halves(panel), offset, PANEL, depth, PANEL, sums, sum, PANEL);
                } else {
                    arithmetic.accumulate(
                            height, rows, row, weight.floats(panel), offset, PANEL, depth, PANEL, sums, sum, PANEL);
                }
            }
        }
        return sums;
    }
}
