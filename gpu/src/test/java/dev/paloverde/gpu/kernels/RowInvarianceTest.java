package dev.paloverde.gpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.lifecycle.AfterProperty;
import net.jqwik.api.lifecycle.BeforeProperty;

/** A row gets the same bits whatever stands beside it, wherever its pages lie, however its prefill was cut. */
class RowInvarianceTest {
    private CpuKernels kernels;

    @BeforeProperty
    void open() {
        kernels = new CpuKernels(Arithmetic.choose(), 2);
    }

    @AfterProperty
    void close() {
        assertThat(kernels.unclosed()).isEmpty();
        kernels.close();
    }

    @Provide
    Arbitrary<Integer> sizes() {
        return Arbitraries.of(1, 3, 31, 64, 97, 640);
    }

    @Property(tries = 40)
    void products(
            @ForAll("sizes") int columns, @ForAll("sizes") int outputs, @ForAll DataType type, @ForAll long seed) {
        Random random = new Random(seed);
        float[][] rows = new float[40][];
        for (int r = 0; r < rows.length; r++) {
            rows[r] = Numbers.normal(random, columns);
        }
        int[] targets = random.ints(rows.length, 0, outputs).toArray();
        int[] all = IntStream.range(0, rows.length).toArray();
        try (Matrix matrix = kernels.matrix(List.of(Numbers.random(random, type, outputs, columns)));
                Weights bias = kernels.weights(List.of(Numbers.random(random, type, 1, outputs)))) {
            float[][] whole = products(matrix, bias, rows, targets, all);
            for (int count : new int[] {1, 2, 3, 5, 8, 9, 30}) {
                int[] some = random.ints(count, 0, rows.length).toArray();
                float[][] results = products(matrix, bias, rows, targets, some);
                for (int i = 0; i < count; i++) {
                    assertThat(results[i]).isEqualTo(whole[some[i]]);
                }
            }
        }
    }

    /** {@return for each row its product, log-probability and best token} */
    private float[][] products(Matrix matrix, Weights bias, float[][] rows, int[] targets, int[] which) {
        int count = which.length;
        int outputs = matrix.rows();
        try (Tensor in = kernels.tensor(count, matrix.columns());
                Tensor out = kernels.tensor(count, outputs)) {
            in.resize(count);
            out.resize(count);
            int[] ownTargets = new int[count];
            for (int i = 0; i < count; i++) {
                in.write(i, rows[which[i]]);
                ownTargets[i] = targets[which[i]];
            }
            kernels.multiply(in, matrix, bias, out);
            float[] logProbabilities = new float[count];
            int[] best = new int[count];
            kernels.logProbabilities(in, matrix, ownTargets, logProbabilities, best);
            float[][] results = new float[count][];
            for (int i = 0; i < count; i++) {
                results[i] = Arrays.copyOf(out.read(i), outputs + 2);
                results[i][outputs] = logProbabilities[i];
                results[i][outputs + 1] = best[i];
            }
            return results;
        }
    }

    @Property(tries = 40)
    void attention(
            @ForAll("layouts") KvLayout layout,
            @ForAll("groups") int group,
            @ForAll("windows") int window,
            @ForAll long seed) {
        Random random = new Random(seed);
        Sequences sequences = new Sequences(random, layout, layout.heads() * group, 60, 1, 1 + random.nextInt(50), 17);
        Attention attention = new Attention(0.3f, window);
        int pages = sequences.pagesForAll();
        List<Integer> order = new ArrayList<>(IntStream.range(0, pages).boxed().toList());
        float[][][] whole = sequences.attend(kernels, attention, sequences.whole(), sequences.tables(order), pages);
        for (int most : new int[] {1, 5, 40}) {
            Collections.shuffle(order, random);
            float[][][] steps =
                    sequences.attend(kernels, attention, sequences.steps(random, most), sequences.tables(order), pages);
            assertThat(steps).isDeepEqualTo(whole);
        }
    }

    @Provide
    Arbitrary<KvLayout> layouts() {
        return Arbitraries.of(
                new KvLayout(1, 1, 64, 16),
                new KvLayout(2, 2, 24, 16),
                new KvLayout(1, 2, 16, 4),
                new KvLayout(1, 1, 9, 5),
                new KvLayout(1, 1, 32, 32));
    }

    @Provide
    Arbitrary<Integer> groups() {
        return Arbitraries.of(1, 2, 3, 4, 8, 12);
    }

    @Provide
    Arbitrary<Integer> windows() {
        return Arbitraries.of(Attention.UNLIMITED, 1, 6, 16, 40);
    }

    /** Pages are handed on without being wiped: what a former owner left must not be seen, not even a NaN. */
    @Example
    void whatStandsBehindASequenceIsNotSeen() {
        KvLayout layout = new KvLayout(1, 1, 16, 16);
        float[][] results = new float[2][];
        for (int run = 0; run < 2; run++) {
            Random random = new Random(1);
            Sequences sequence = new Sequences(random, layout, 4, 6);
            Sequences former = new Sequences(random, layout, 4, 16);
            for (float[] row : former.rows[0]) {
                Arrays.fill(row, run == 0 ? Float.NaN : 7f);
            }
            try (KvCache cache = kernels.cache(layout, 1);
                    Tensor in = kernels.tensor(16, sequence.columns());
                    Tensor out = kernels.tensor(16, sequence.outputs())) {
                for (Sequences owner : List.of(former, sequence)) {
                    int rows = owner.rows[0].length;
                    in.resize(rows);
                    out.resize(rows);
                    for (int p = 0; p < rows; p++) {
                        in.write(p, owner.rows[0][p]);
                    }
                    StepBatch batch = new StepBatch(
                            new int[rows], IntStream.range(0, rows).toArray(), new int[] {0, rows}, new int[][] {{0}});
                    kernels.append(cache, 0, new Heads(in, 64, 1, 16), new Heads(in, 80, 1, 16), batch);
                    kernels.attend(
                            new Heads(in, 0, 4, 16), cache, 0, new Attention(0.25f, Attention.UNLIMITED), batch, out);
                }
                results[run] = out.read(5);
            }
        }
        assertThat(results[0]).isEqualTo(results[1]);
        assertThat(Float.isNaN(results[0][0])).isFalse();
    }

    @Example
    void aCopiedPageServesAsTheFirst() {
        KvLayout layout = new KvLayout(2, 2, 8, 16);
        Sequences sequence = new Sequences(new Random(3), layout, 4, 11);
        try (KvCache cache = kernels.cache(layout, 3);
                Tensor in = kernels.tensor(11, sequence.columns());
                Tensor first = kernels.tensor(1, sequence.outputs());
                Tensor second = kernels.tensor(1, sequence.outputs())) {
            for (int layer = 0; layer < 2; layer++) {
                in.resize(10);
                for (int p = 0; p < 10; p++) {
                    in.write(p, sequence.rows[0][p]);
                }
                StepBatch prefix = new StepBatch(
                        new int[10], IntStream.range(0, 10).toArray(), new int[] {0, 10}, new int[][] {{0}});
                kernels.append(cache, layer, new Heads(in, 32, 2, 8), new Heads(in, 48, 2, 8), prefix);
            }
            kernels.copyPage(cache, 0, 2, 10);
            in.resize(1);
            first.resize(1);
            second.resize(1);
            in.write(0, sequence.rows[0][10]);
            for (int layer = 0; layer < 2; layer++) {
                for (int page : new int[] {0, 2}) {
                    StepBatch step = new StepBatch(new int[1], new int[] {10}, new int[] {0, 1}, new int[][] {{page}});
                    kernels.append(cache, layer, new Heads(in, 32, 2, 8), new Heads(in, 48, 2, 8), step);
                    kernels.attend(
                            new Heads(in, 0, 4, 8),
                            cache,
                            layer,
                            new Attention(1f, Attention.UNLIMITED),
                            step,
                            page == 0 ? first : second);
                }
                assertThat(second.read(0)).isEqualTo(first.read(0));
            }
        }
    }
}
