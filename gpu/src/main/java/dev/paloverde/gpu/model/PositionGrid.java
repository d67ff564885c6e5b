package dev.paloverde.gpu.model;

import dev.paloverde.gpu.image.Resampling;
import java.util.Arrays;

/**
 * Position embeddings of a grid of patches, interpolated to another grid as the families do: DINOv2 and SigLIP by PyTorch's
 * bicubic interpolation (Keys' kernel with a = -3/4, four neighbours, edges repeated), DINOv2 with registers by the one that
 * is stretched where a grid shrinks, SigLIP 2 by the bilinear one that is.
 */
final class PositionGrid {
    private static final double TORCH_KEYS = -0.75;

    private PositionGrid() {}

    /**
     * @param table [side * side, width], row by row of the grid
     * @return [rows * columns, width]
     */
    static float[] fit(VisionFamily family, float[] table, int side, int rows, int columns, int width) {
        if (rows == side && columns == side) {
            return table;
        }
        Resampling.Taps down = taps(family, side, rows);
        Resampling.Taps across = taps(family, side, columns);
        float[] wide = new float[side * columns * width];
        for (int y = 0; y < side; y++) {
            for (int x = 0; x < columns; x++) {
                mix(
                        table,
                        (y * side + across.first()[x]) * width,
                        width,
                        across.weights()[x],
                        wide,
                        (y * columns + x) * width,
                        width);
            }
        }
        float[] fitted = new float[rows * columns * width];
        for (int y = 0; y < rows; y++) {
            for (int x = 0; x < columns; x++) {
                mix(
                        wide,
                        (down.first()[y] * columns + x) * width,
                        columns * width,
                        down.weights()[y],
                        fitted,
                        (y * columns + x) * width,
                        width);
            }
        }
        return fitted;
    }

    private static void mix(float[] in, int from, int step, double[] weights, float[] out, int to, int width) {
        double[] sums = new double[width];
        for (int j = 0; j < weights.length; j++) {
            for (int i = 0; i < width; i++) {
                sums[i] += weights[j] * in[from + j * step + i];
            }
        }
        for (int i = 0; i < width; i++) {
            out[to + i] = (float) sums[i];
        }
    }

    private static Resampling.Taps taps(VisionFamily family, int from, int to) {
        return switch (family) {
            case SIGLIP, DINOV2 -> cubic(from, to);
            case SIGLIP2 -> Resampling.BILINEAR.taps(from, to);
            case DINOV2_WITH_REGISTERS -> Resampling.BICUBIC.taps(from, to);
        };
    }

    /** Four taps each, those beyond an edge added to the edge's. */
    private static Resampling.Taps cubic(int from, int to) {
        int[] first = new int[to];
        double[][] weights = new double[to][];
        for (int i = 0; i < to; i++) {
            double place = (i + 0.5) * from / to - 0.5;
            int whole = (int) Math.floor(place);
            int begin = clamp(whole - 1, from);
            double[] row = new double[clamp(whole + 2, from) - begin + 1];
            for (int tap = whole - 1; tap <= whole + 2; tap++) {
                row[clamp(tap, from) - begin] += cubicWeight(Math.abs(place - tap));
            }
            first[i] = begin;
            weights[i] = Arrays.copyOf(row, row.length);
        }
        return new Resampling.Taps(first, weights);
    }

    private static double cubicWeight(double distance) {
        double a = TORCH_KEYS;
        if (distance <= 1) {
            return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
        }
        return distance < 2 ? ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a : 0;
    }

    private static int clamp(int index, int size) {
        return Math.max(0, Math.min(size - 1, index));
    }
}
