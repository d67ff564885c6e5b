package dev.paloverde.gpu.kernels;

import java.util.Arrays;

/**
 * Softmax over a vocabulary without its logits: panel by panel, a running maximum and the sum of exponentials below it
 * (Milakov and Gimelshein, arXiv 1805.02867), in sections of fixed length that are put together in order. Sections are
 * what threads share.
 */
final class VocabularyScan {
    private static final int SECTION_PANELS = 64;
    private static final int TILES_AT_A_TIME = 32;
    private static final int PANEL = CpuMatrix.PANEL;
    private static final int PARTIALS = Arithmetic.PARTIALS;

    private final Arithmetic arithmetic;
    private final PanelProduct product;
    private final PackedRows left;
    private final CpuMatrix head;
    private final int[] targets;
    private final int sections;

    // [section][row] and, for sums, [PARTIALS]
    private final float[] maxima;
    private final float[] sums;
    private final int[] best;
    private final float[] targetLogits;

    VocabularyScan(Arithmetic arithmetic, PackedRows left, CpuMatrix head, int[] targets) {
        this.arithmetic = arithmetic;
        this.product = new PanelProduct(arithmetic);
        this.left = left;
        this.head = head;
        this.targets = targets;
        sections = (head.panels() + SECTION_PANELS - 1) / SECTION_PANELS;
        maxima = new float[sections * left.rows()];
        sums = new float[Math.multiplyExact(sections * left.rows(), PARTIALS)];
        best = new int[sections * left.rows()];
        targetLogits = new float[left.rows()];
    }

    void run(Workers workers, float[] logProbabilities, int[] bestTokens) {
        Arrays.fill(maxima, Float.NEGATIVE_INFINITY);
        workers.run(sections, this::scan);
        for (int row = 0; row < left.rows(); row++) {
            finish(row, logProbabilities, bestTokens);
        }
    }

    private void scan(int section, Scratch scratch) {
        int end = Math.min(head.panels(), (section + 1) * SECTION_PANELS);
        for (int firstTile = 0; firstTile < left.tiles(); firstTile += TILES_AT_A_TIME) {
            int tiles = Math.min(TILES_AT_A_TIME, left.tiles() - firstTile);
            int firstRow = firstTile * Arithmetic.MOST_ROWS;
            int rows = Math.min(tiles * Arithmetic.MOST_ROWS, left.rows() - firstRow);
            for (int panel = section * SECTION_PANELS; panel < end; panel++) {
                float[] logits = product.sums(left, firstTile, tiles, head, panel, scratch);
                for (int r = 0; r < rows; r++) {
                    take(section, firstRow + r, panel, logits, r * PANEL);
                }
            }
        }
    }

    private void take(int section, int row, int panel, float[] logits, int offset) {
        int width = head.width(panel);
        Arrays.fill(logits, offset + width, offset + PANEL, Float.NEGATIVE_INFINITY);
        int slot = section * left.rows() + row;
        int firstToken = panel * PANEL;
        int target = targets[row] - firstToken;
        if (target >= 0 && target < PANEL) {
            targetLogits[row] = logits[offset + target];
        }
        float max = arithmetic.scaleAndMax(logits, offset, PANEL, 1f);
        if (max == Float.NEGATIVE_INFINITY) {
            return; // no token of the panel is possible: it adds nothing
        }
        // not ">": a maximum that is not a number must come through
        if (!(max <= maxima[slot])) {
            float shrink = Arithmetic.exp(maxima[slot] - max);
            for (int i = 0; i < PARTIALS; i++) {
                sums[slot * PARTIALS + i] *= shrink;
            }
            maxima[slot] = max;
            for (int i = 0; i < width; i++) {
                if (logits[offset + i] == max) {
                    best[slot] = firstToken + i;
                    break;
                }
            }
        }
        arithmetic.exponentials(logits, offset, PANEL, maxima[slot], sums, slot * PARTIALS);
    }

    private void finish(int row, float[] logProbabilities, int[] bestTokens) {
        float max = Float.NEGATIVE_INFINITY;
        int token = 0;
        for (int section = 0; section < sections; section++) {
            int slot = section * left.rows() + row;
            if (!(maxima[slot] <= max)) {
                token = best[slot];
            }
            max = Math.max(max, maxima[slot]);
        }
        double sum = 0;
        for (int section = 0; section < sections; section++) {
            int slot = section * left.rows() + row;
            sum += Arithmetic.total(sums, slot * PARTIALS) * StrictMath.exp((double) maxima[slot] - max);
        }
        logProbabilities[row] = (float) ((double) targetLogits[row] - max - StrictMath.log(sum));
        bestTokens[row] = token;
    }
}
