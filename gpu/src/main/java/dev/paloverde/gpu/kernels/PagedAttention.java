package dev.paloverde.gpu.kernels;

import java.util.Arrays;

/**
 * Attention over pages in two passes: all scores of a query, then their softmax, then the sum of values in the order of
 * positions. Up to eight queries that see the same key-value head (neighbouring rows, and the heads of a group) share
 * the reading of its pages; where they do not see the same positions of a page, each goes its own way, so that a
 * position a query does not see never enters its arithmetic.
 */
final class PagedAttention {
    private static final int MOST = Arithmetic.MOST_ROWS;
    private static final int PARTIALS = Arithmetic.PARTIALS;

    private final Arithmetic arithmetic;
    private final CpuKvCache cache;
    private final int layer;
    private final Attention attention;
    private final StepBatch batch;
    private final Heads queries;
    private final float[] in;
    private final float[] out;
    private final int width;
    private final int pageTokens;

    /** Heads of a group that go together, in one of {@link #headChunks} chunks. */
    private final int heads;

    private final int group;
    private final int headChunks;
    private final int rowsTogether;

    /** The first task of each sequence, and the number of tasks. */
    private final int[] firstTask;

    PagedAttention(
            Arithmetic arithmetic,
            Heads queries,
            float[] in,
            CpuKvCache cache,
            int layer,
            Attention attention,
            StepBatch batch,
            float[] out) {
        this.arithmetic = arithmetic;
        this.queries = queries;
        this.in = in;
        this.cache = cache;
        this.layer = layer;
        this.attention = attention;
        this.batch = batch;
        this.out = out;
        width = queries.width();
        pageTokens = cache.layout().pageTokens();
        group = queries.count() / cache.layout().heads();
        heads = Math.min(group, MOST);
        headChunks = (group + heads - 1) / heads;
        rowsTogether = MOST / heads;
        firstTask = new int[batch.sequences() + 1];
        for (int s = 0; s < batch.sequences(); s++) {
            int rows = batch.starts()[s + 1] - batch.starts()[s];
            firstTask[s + 1] = firstTask[s] + (rows + rowsTogether - 1) / rowsTogether * tasksPerRows();
        }
    }

    private int tasksPerRows() {
        return cache.layout().heads() * headChunks;
    }

    int tasks() {
        return firstTask[batch.sequences()];
    }

    /** One task: some rows of one sequence, one key-value head, the query heads of a chunk. */
    void run(int task, Scratch scratch) {
        int sequence = Arrays.binarySearch(firstTask, task);
        if (sequence < 0) {
            sequence = -sequence - 2;
        }
        while (firstTask[sequence + 1] == task) {
            sequence++; // sequences without rows
        }
        int local = task - firstTask[sequence];
        int firstRow = batch.starts()[sequence] + local / tasksPerRows() * rowsTogether;
        int rows = Math.min(rowsTogether, batch.starts()[sequence + 1] - firstRow);
        int keyHead = local % tasksPerRows() / headChunks;
        int firstHead = local % headChunks * heads;
        int headCount = Math.min(heads, group - firstHead);
        attend(sequence, firstRow, rows, keyHead, keyHead * group + firstHead, headCount, scratch);
    }

    private void attend(
            int sequence, int firstRow, int rows, int keyHead, int firstHead, int headCount, Scratch scratch) {
        int[] pages = batch.pages()[sequence];
        int count = rows * headCount;
        int height = PackedRows.tileHeight(count);
        int firstSeen = firstSeen(firstRow);
        int lastSeen = batch.positions()[firstRow + rows - 1];
        int firstPage = firstSeen / pageTokens;
        int lastPage = lastSeen / pageTokens;
        int base = floor(firstPage * pageTokens);
        // an odd multiple of 16: at a power of two the scores of all queries would fall into the same set of the cache
        int span = floor((lastPage + 1) * pageTokens - base + PARTIALS - 1) | PARTIALS;

        float[] packed = packQueries(firstRow, firstHead, headCount, count, height, scratch);
        float[] scores = scratch.floats(Scratch.Use.SCORES, Math.multiplyExact(height, span));
        Arrays.fill(scores, 0, height * span, 0f);
        for (int page = firstPage; page <= lastPage; page++) {
            arithmetic.accumulate(
                    height,
                    packed,
                    0,
                    cache.block(pages[page]),
                    cache.keys(pages[page], layer, keyHead),
                    pageTokens,
                    width,
                    pageTokens,
                    scores,
                    page * pageTokens - base,
                    span);
        }

        float[] sums = new float[count];
        for (int q = 0; q < count; q++) {
            sums[q] = softmax(
                    scores,
                    q * span,
                    base,
                    firstSeen(firstRow + q / headCount),
                    lastOf(firstRow, q, headCount),
                    scratch);
        }

        float[] outputs = scratch.floats(Scratch.Use.OUTPUTS, height * width);
        Arrays.fill(outputs, 0, height * width, 0f);
        int allFrom = firstSeen(firstRow + rows - 1);
        int allTo = batch.positions()[firstRow];
        for (int page = firstPage; page <= lastPage; page++) {
            float[] block = cache.block(pages[page]);
            int values = cache.values(pages[page], layer, keyHead);
            int from = page * pageTokens;
            int to = from + pageTokens - 1;
            if (height > 1 && from >= allFrom && to <= allTo) {
                arithmetic.accumulateRows(
                        height, scores, from - base, span, block, values, width, pageTokens, width, outputs, 0, width);
            } else {
                for (int q = 0; q < count; q++) {
                    int first = Math.max(from, firstSeen(firstRow + q / headCount));
                    int last = Math.min(to, lastOf(firstRow, q, headCount));
                    if (first <= last) {
                        arithmetic.accumulate(
                                1,
                                scores,
                                q * span + first - base,
                                block,
                                values + (first - from) * width,
                                width,
                                last - first + 1,
                                width,
                                outputs,
                                q * width,
                                width);
                    }
                }
            }
        }
        for (int q = 0; q < count; q++) {
            int target = ((firstRow + q / headCount) * queries.count() + firstHead + q % headCount) * width;
            for (int i = 0; i < width; i++) {
                out[target + i] = outputs[q * width + i] / sums[q];
            }
        }
    }

    /** {@return the queries as [width][height], rows first, then heads} */
    private float[] packQueries(int firstRow, int firstHead, int headCount, int count, int height, Scratch scratch) {
        float[] packed = scratch.floats(Scratch.Use.QUERIES, width * height);
        int columns = queries.tensor().columns();
        for (int q = 0; q < height; q++) {
            if (q < count) {
                int source = (firstRow + q / headCount) * columns
                        + queries.firstColumn()
                        + (firstHead + q % headCount) * width;
                for (int i = 0; i < width; i++) {
                    packed[i * height + q] = in[source + i];
                }
            } else {
                for (int i = 0; i < width; i++) {
                    packed[i * height + q] = 0f;
                }
            }
        }
        return packed;
    }

    /**
     * Turns the scores of positions {@code first} to {@code last} into exponentials below their maximum, and those around
     * them, up to the next multiples of 16, into zeros. {@return the sum}
     */
    private float softmax(float[] scores, int row, int base, int first, int last, Scratch scratch) {
        int offset = row - base;
        float max = arithmetic.scaleAndMax(scores, offset + first, last - first + 1, attention.scale());
        int from = floor(first);
        int to = floor(last + PARTIALS);
        Arrays.fill(scores, offset + from, offset + first, Float.NEGATIVE_INFINITY);
        Arrays.fill(scores, offset + last + 1, offset + to, Float.NEGATIVE_INFINITY);
        float[] partials = scratch.floats(Scratch.Use.PARTIALS, PARTIALS);
        Arrays.fill(partials, 0, PARTIALS, 0f);
        arithmetic.exponentials(scores, offset + from, to - from, max, partials, 0);
        return (float) Arithmetic.total(partials, 0);
    }

    private int firstSeen(int row) {
        return Math.max(0, batch.positions()[row] - attention.window() + 1);
    }

    private int lastOf(int firstRow, int query, int headCount) {
        return batch.positions()[firstRow + query / headCount];
    }

    private static int floor(int position) {
        return position - position % PARTIALS;
    }
}
