package dev.paloverde.gpu.kernels;

import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/**
 * Queries, keys and values of some sequences, and ways to run attention over them in steps. Row p of a sequence is
 * {@code [query heads | key heads | value heads]}, as a projection leaves them.
 */
final class Sequences {
    final KvLayout layout;
    final int queryHeads;
    final float[][][] rows;

    Sequences(RandomGenerator random, KvLayout layout, int queryHeads, int... lengths) {
        this.layout = layout;
        this.queryHeads = queryHeads;
        rows = new float[lengths.length][][];
        for (int s = 0; s < lengths.length; s++) {
            rows[s] = new float[lengths[s]][];
            for (int p = 0; p < lengths[s]; p++) {
                rows[s][p] = Numbers.normal(random, columns());
            }
        }
    }

    int columns() {
        return (queryHeads + 2 * layout.heads()) * layout.width();
    }

    int outputs() {
        return queryHeads * layout.width();
    }

    int pagesFor(int length) {
        return (length + layout.pageTokens() - 1) / layout.pageTokens();
    }

    int pagesForAll() {
        int pages = 0;
        for (float[][] sequence : rows) {
            pages += pagesFor(sequence.length);
        }
        return pages;
    }

    /** {@return block tables with the pages in the given order} */
    int[][] tables(List<Integer> order) {
        int next = 0;
        int[][] tables = new int[rows.length][];
        for (int s = 0; s < rows.length; s++) {
            tables[s] = new int[pagesFor(rows[s].length)];
            for (int i = 0; i < tables[s].length; i++) {
                tables[s][i] = order.get(next++);
            }
        }
        return tables;
    }

    /** A piece of a sequence: its positions {@code from} to {@code to}, exclusive. */
    record Piece(int sequence, int from, int to) {}

    /** {@return all sequences whole, in one step} */
    List<List<Piece>> whole() {
        List<Piece> step = new ArrayList<>();
        for (int s = 0; s < rows.length; s++) {
            step.add(new Piece(s, 0, rows[s].length));
        }
        return List.of(step);
    }

    /** {@return random steps: at each, some sequences go on by some positions, in random order} */
    List<List<Piece>> steps(RandomGenerator random, int most) {
        int[] done = new int[rows.length];
        List<List<Piece>> steps = new ArrayList<>();
        boolean left = true;
        while (left) {
            left = false;
            List<Piece> step = new ArrayList<>();
            for (int s = 0; s < rows.length; s++) {
                int remaining = rows[s].length - done[s];
                if (remaining > 0 && random.nextInt(3) > 0) {
                    int count = 1 + random.nextInt(Math.min(most, remaining));
                    step.add(random.nextInt(step.size() + 1), new Piece(s, done[s], done[s] + count));
                    done[s] += count;
                    remaining -= count;
                }
                left |= remaining > 0;
            }
            if (!step.isEmpty()) {
                steps.add(step);
            }
        }
        return steps;
    }

    /** Appends and attends step by step. {@return [sequence][position][outputs]} */
    float[][][] attend(CpuKernels kernels, Attention attention, List<List<Piece>> steps, int[][] tables, int pages) {
        float[][][] results = new float[rows.length][][];
        for (int s = 0; s < rows.length; s++) {
            results[s] = new float[rows[s].length][];
        }
        int layer = layout.layers() - 1;
        try (KvCache cache = kernels.cache(layout, pages)) {
            for (List<Piece> step : steps) {
                int count =
                        step.stream().mapToInt(piece -> piece.to - piece.from).sum();
                try (Tensor in = kernels.tensor(count, columns());
                        Tensor out = kernels.tensor(count, outputs())) {
                    in.resize(count);
                    out.resize(count);
                    int[] positions = new int[count];
                    int[] starts = new int[step.size() + 1];
                    int[][] stepTables = new int[step.size()][];
                    int row = 0;
                    for (int i = 0; i < step.size(); i++) {
                        Piece piece = step.get(i);
                        stepTables[i] = tables[piece.sequence];
                        for (int p = piece.from; p < piece.to; p++) {
                            in.write(row, rows[piece.sequence][p]);
                            positions[row++] = p;
                        }
                        starts[i + 1] = row;
                    }
                    StepBatch batch = new StepBatch(new int[count], positions, starts, stepTables);
                    int width = layout.width();
                    Heads queries = new Heads(in, 0, queryHeads, width);
                    Heads keys = new Heads(in, queryHeads * width, layout.heads(), width);
                    Heads values = new Heads(in, (queryHeads + layout.heads()) * width, layout.heads(), width);
                    kernels.append(cache, layer, keys, values, batch);
                    kernels.attend(queries, cache, layer, attention, batch, out);
                    row = 0;
                    for (Piece piece : step) {
                        for (int p = piece.from; p < piece.to; p++) {
                            results[piece.sequence][p] = out.read(row++);
                        }
                    }
                }
            }
        }
        return results;
    }

    /** {@return what {@link #attend} should give, in double precision} */
    double[] expected(Attention attention, int sequence, int position) {
        int width = layout.width();
        double[] out = new double[outputs()];
        int group = queryHeads / layout.heads();
        int first = Math.max(0, position - attention.window() + 1);
        for (int head = 0; head < queryHeads; head++) {
            float[][] keys = new float[position + 1][];
            float[][] values = new float[position + 1][];
            for (int p = 0; p <= position; p++) {
                int key = (queryHeads + head / group) * width;
                int value = key + layout.heads() * width;
                keys[p] = java.util.Arrays.copyOfRange(rows[sequence][p], key, key + width);
                values[p] = java.util.Arrays.copyOfRange(rows[sequence][p], value, value + width);
            }
            double[] one = Reference.attend(
                    rows[sequence][position], head * width, keys, values, first, position, attention.scale());
            System.arraycopy(one, 0, out, head * width, width);
        }
        return out;
    }
}
