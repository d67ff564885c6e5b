package dev.paloverde.gpu.kernels;

import java.util.Arrays;

/**
 * Attention of the rows of a block to all rows of it, without a cache. One task has one head of one block: its keys are
 * laid out once with positions along lanes, then queries go over them eight at a time.
 */
final class BlockAttention {
    private static final int PARTIALS = Arithmetic.PARTIALS;

    private final Arithmetic arithmetic;
    private final Heads queries;
    private final Heads keys;
    private final Heads values;
    private final float[] queryNumbers;
    private final float[] keyNumbers;
    private final float[] valueNumbers;
    private final float scale;
    private final int[] starts;
    private final float[] out;
    private final int width;

    BlockAttention(
            Arithmetic arithmetic,
            Heads queries,
            float[] queryNumbers,
            Heads keys,
            float[] keyNumbers,
            Heads values,
            float[] valueNumbers,
            float scale,
            int[] starts,
            float[] out) {
        this.arithmetic = arithmetic;
        this.queries = queries;
        this.keys = keys;
        this.values = values;
        this.queryNumbers = queryNumbers;
        this.keyNumbers = keyNumbers;
        this.valueNumbers = valueNumbers;
        this.scale = scale;
        this.starts = starts;
        this.out = out;
        this.width = queries.width();
    }

    int tasks() {
        return (starts.length - 1) * queries.count();
    }

    void run(int task, Scratch scratch) {
        int block = task / queries.count();
        int head = task % queries.count();
        int first = starts[block];
        int count = starts[block + 1] - first;
        if (count == 0) {
            return;
        }
        // an odd multiple of 16, as in PagedAttention
        int span = (count + PARTIALS - 1) / PARTIALS * PARTIALS | PARTIALS;
        float[] turned = turnKeys(first, count, head, span, scratch);
        for (int row = 0; row < count; row += Arithmetic.MOST_ROWS) {
            attend(first, row, Math.min(Arithmetic.MOST_ROWS, count - row), count, head, turned, span, scratch);
        }
    }

    /** {@return the keys of a head as [width][span]} */
    private float[] turnKeys(int first, int count, int head, int span, Scratch scratch) {
        float[] turned = scratch.floats(Scratch.Use.WEIGHTS, Math.multiplyExact(width, span));
        int columns = keys.tensor().columns();
        for (int key = 0; key < count; key++) {
            int source = (first + key) * columns + keys.firstColumn() + head * width;
            for (int i = 0; i < width; i++) {
                turned[i * span + key] = keyNumbers[source + i];
            }
        }
        return turned;
    }

    private void attend(int first, int row, int rows, int count, int head, float[] turned, int span, Scratch scratch) {
        int height = PackedRows.tileHeight(rows);
        float[] packed = packQueries(first + row, rows, height, head, scratch);
        float[] scores = scratch.floats(Scratch.Use.SCORES, height * span);
        Arrays.fill(scores, 0, height * span, 0f);
        arithmetic.accumulate(height, packed, 0, turned, 0, span, width, count, scores, 0, span);

        float[] sums = new float[rows];
        float[] partials = scratch.floats(Scratch.Use.PARTIALS, PARTIALS);
        for (int q = 0; q < rows; q++) {
            float max = arithmetic.scaleAndMax(scores, q * span, count, scale);
            int end = (count + PARTIALS - 1) / PARTIALS * PARTIALS;
            Arrays.fill(scores, q * span + count, q * span + end, Float.NEGATIVE_INFINITY);
            Arrays.fill(partials, 0, PARTIALS, 0f);
            arithmetic.exponentials(scores, q * span, end, max, partials, 0);
            sums[q] = (float) Arithmetic.total(partials, 0);
        }

        float[] outputs = scratch.floats(Scratch.Use.OUTPUTS, height * width);
        Arrays.fill(outputs, 0, height * width, 0f);
        int columns = values.tensor().columns();
        int source = first * columns + values.firstColumn() + head * width;
        if (height == 1) {
            arithmetic.accumulate(1, scores, 0, valueNumbers, source, columns, count, width, outputs, 0, width);
        } else {
            arithmetic.accumulateRows(
                    height, scores, 0, span, valueNumbers, source, columns, count, width, outputs, 0, width);
        }
        for (int q = 0; q < rows; q++) {
            int target = ((first + row + q) * queries.count() + head) * width;
            for (int i = 0; i < width; i++) {
                out[target + i] = outputs[q * width + i] / sums[q];
            }
        }
    }

    /** {@return the queries as [width][height]} */
    private float[] packQueries(int firstRow, int rows, int height, int head, Scratch scratch) {
        float[] packed = scratch.floats(Scratch.Use.QUERIES, width * height);
        int columns = queries.tensor().columns();
        for (int q = 0; q < height; q++) {
            int source = (firstRow + q) * columns + queries.firstColumn() + head * width;
            for (int i = 0; i < width; i++) {
                packed[i * height + q] = q < rows ? queryNumbers[source + i] : 0f;
            }
        }
        return packed;
    }
}
