package dev.paloverde.gpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

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
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterProperty;
import net.jqwik.api.lifecycle.BeforeProperty;

/** Every operation against its formula in double precision. */
class CpuKernelsTest {
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
        return Arbitraries.of(1, 2, 3, 16, 31, 32, 33, 64, 97, 192, 300, 640);
    }

    @Provide
    Arbitrary<Integer> counts() {
        return Arbitraries.of(1, 2, 3, 5, 8, 9, 12, 16, 23, 70);
    }

    @Property(tries = 60)
    void multiplies(
            @ForAll("counts") int rows,
            @ForAll("sizes") int columns,
            @ForAll("sizes") int outputs,
            @ForAll DataType type,
            @ForAll boolean withBias,
            @ForAll boolean residual,
            @ForAll long seed) {
        Random random = new Random(seed);
        int cut = random.nextInt(outputs);
        List<HostTensor> parts = new ArrayList<>();
        float[] weights = new float[0];
        for (int part : cut == 0 ? new int[] {outputs} : new int[] {cut, outputs - cut}) {
            Numbers numbers = Numbers.random(random, type, part, columns);
            parts.add(numbers);
            int length = weights.length;
            weights = Arrays.copyOf(weights, length + part * columns);
            System.arraycopy(numbers.values(), 0, weights, length, part * columns);
        }
        float[] input = Numbers.normal(random, rows * columns);
        float[] before = Numbers.normal(random, rows * outputs);
        Numbers biases = Numbers.random(random, type, 1, outputs);
        double[] expected =
                Reference.multiply(input, rows, columns, weights, outputs, withBias ? biases.values() : null);
        try (Matrix matrix = kernels.matrix(parts);
                Weights bias = kernels.weights(List.of(biases));
                Tensor in = tensor(rows, columns, input);
                Tensor out = tensor(rows, outputs, before)) {
            assertThat(matrix.rows()).isEqualTo(outputs);
            assertThat(matrix.columns()).isEqualTo(columns);
            if (residual) {
                kernels.multiplyAdd(in, matrix, withBias ? bias : null, out);
            } else {
                kernels.multiply(in, matrix, withBias ? bias : null, out);
            }
            double tolerance = 1e-6 * columns + 1e-5;
            for (int r = 0; r < rows; r++) {
                float[] row = out.read(r);
                for (int o = 0; o < outputs; o++) {
                    double want = expected[r * outputs + o] + (residual ? before[r * outputs + o] : 0);
                    assertThat((double) row[o]).isCloseTo(want, within(tolerance));
                }
            }
            float[] logits = new float[rows * outputs];
            kernels.logits(in, matrix, logits);
            if (!residual && !withBias) {
                for (int r = 0; r < rows; r++) {
                    assertThat(Arrays.copyOfRange(logits, r * outputs, (r + 1) * outputs))
                            .isEqualTo(out.read(r));
                }
            }
        }
    }

    /** Quantized weights are those of the tensor that says what becomes of them. */
    @Property(tries = 20)
    void multipliesWithQuantizedWeights(
            @ForAll("sizes") int columns, @ForAll("sizes") int outputs, @ForAll DataType type, @ForAll long seed) {
        Random random = new Random(seed);
        Numbers weight = Numbers.random(random, type, outputs, columns);
        Numbers up = Numbers.random(random, type, outputs, columns);
        float[] input = Numbers.normal(random, 3 * columns);
        float[] quantized = new float[outputs * columns];
        new Fp8Tensor(weight).rows(0, outputs).asFloatBuffer().get(quantized);
        double[] expected = Reference.multiply(input, 3, columns, quantized, outputs, null);
        try (Matrix matrix = kernels.projection(List.of(weight), Quantization.FP8);
                Matrix same = kernels.projection(List.of(weight), Quantization.NONE);
                Matrix gated = kernels.gatedMatrix(weight, up, Quantization.FP8);
                Matrix gatedOfTensors = kernels.gatedMatrix(new Fp8Tensor(weight), new Fp8Tensor(up));
                Tensor in = tensor(3, columns, input);
                Tensor out = tensor(3, outputs, new float[3 * outputs]);
                Tensor other = tensor(3, outputs, new float[3 * outputs])) {
            kernels.multiply(in, matrix, null, out);
            for (int r = 0; r < 3; r++) {
                for (int o = 0; o < outputs; o++) {
                    assertThat((double) out.read(r)[o])
                            .isCloseTo(expected[r * outputs + o], within(1e-6 * columns + 1e-5));
                }
            }
            assertThat(same.bytes())
                    .isEqualTo(matrix.bytes() / 4 * type.bytes() + (type == DataType.F16 ? matrix.bytes() / 2 : 0));
            kernels.multiplyGated(in, gated, null, out);
            kernels.multiplyGated(in, gatedOfTensors, null, other);
            for (int r = 0; r < 3; r++) {
                assertThat(out.read(r)).isEqualTo(other.read(r));
            }
        }
    }

    @Property(tries = 30)
    void embeds(
            @ForAll("sizes") int vocabulary, @ForAll("sizes") int columns, @ForAll DataType type, @ForAll long seed) {
        Random random = new Random(seed);
        Numbers table = Numbers.random(random, type, vocabulary, columns);
        int[] tokens = random.ints(7, 0, vocabulary).toArray();
        try (Matrix matrix = kernels.matrix(List.of(table));
                Tensor out = tensor(tokens.length, columns, new float[tokens.length * columns])) {
            kernels.embed(matrix, tokens, out);
            for (int i = 0; i < tokens.length; i++) {
                assertThat(out.read(i))
                        .isEqualTo(Arrays.copyOfRange(table.values(), tokens[i] * columns, (tokens[i] + 1) * columns));
            }
        }
    }

    @Property(tries = 30)
    void normalizes(@ForAll("counts") int rows, @ForAll("sizes") int columns, @ForAll long seed) {
        Random random = new Random(seed);
        float[] input = Numbers.normal(random, rows * columns);
        Numbers gains = Numbers.random(random, DataType.F32, 1, columns);
        try (Weights gain = kernels.weights(List.of(gains));
                Tensor in = tensor(rows, columns, input);
                Tensor out = tensor(rows, columns, input)) {
            kernels.normalize(in, gain, 1e-5f, out);
            for (int r = 0; r < rows; r++) {
                assertRow(out.read(r), Reference.normalize(input, r * columns, gains.values(), 1e-5f), 1e-6, 1e-7);
            }
        }
    }

    @Property(tries = 30)
    void normalizesAndRotatesHeads(
            @ForAll("counts") int rows,
            @ForAll @IntRange(min = 1, max = 5) int count,
            @ForAll @IntRange(min = 1, max = 40) int half,
            @ForAll @IntRange(min = 0, max = 7) int before,
            @ForAll long seed) {
        Random random = new Random(seed);
        int width = 2 * half;
        int columns = before + count * width + 3;
        float[] input = Numbers.normal(random, rows * columns);
        Numbers gains = Numbers.random(random, DataType.F32, 1, width);
        float[] frequencies = new float[half];
        for (int i = 0; i < half; i++) {
            frequencies[i] = (float) Math.pow(10000, -(double) i / half);
        }
        Rotary rotary = new Rotary(frequencies, 1.25f);
        int position = random.nextInt(500);
        StepBatch batch = new StepBatch(
                new int[rows], IntStream.range(position, position + rows).toArray(), new int[] {0, rows}, new int[][] {
                    new int[0]
                });
        try (Weights gain = kernels.weights(List.of(gains));
                Tensor tensor = tensor(rows, columns, input)) {
            Heads heads = new Heads(tensor, before, count, width);
            kernels.normalize(heads, gain, 1e-6f);
            float[][] normalized = new float[rows][];
            for (int r = 0; r < rows; r++) {
                normalized[r] = tensor.read(r);
                for (int head = 0; head < count; head++) {
                    int first = before + head * width;
                    assertRow(
                            Arrays.copyOfRange(normalized[r], first, first + width),
                            Reference.normalize(input, r * columns + first, gains.values(), 1e-6f),
                            1e-6,
                            1e-7);
                }
            }
            kernels.rotate(heads, rotary, batch);
            for (int r = 0; r < rows; r++) {
                float[] row = tensor.read(r);
                for (int head = 0; head < count; head++) {
                    int first = before + head * width;
                    // an angle of 570 radians in fp32 is off by up to 3e-5
                    assertRow(
                            Arrays.copyOfRange(row, first, first + width),
                            Reference.rotate(normalized[r], first, rotary, position + r),
                            1e-4,
                            3e-4);
                }
                assertThat(Arrays.copyOfRange(row, 0, before))
                        .isEqualTo(Arrays.copyOfRange(input, r * columns, r * columns + before));
                assertThat(Arrays.copyOfRange(row, columns - 3, columns))
                        .isEqualTo(Arrays.copyOfRange(input, (r + 1) * columns - 3, (r + 1) * columns));
            }
        }
    }

    @Property(tries = 30)
    void gatesWithSilu(@ForAll("counts") int rows, @ForAll("sizes") int columns, @ForAll long seed) {
        Random random = new Random(seed);
        float[] input = Numbers.normal(random, rows * 2 * columns);
        for (int i = 0; i < input.length; i++) {
            input[i] *= 10;
        }
        try (Tensor in = tensor(rows, 2 * columns, input);
                Tensor out = tensor(rows, columns, new float[rows * columns])) {
            kernels.swiGlu(in, out);
            for (int r = 0; r < rows; r++) {
                double[] expected = new double[columns];
                for (int i = 0; i < columns; i++) {
                    expected[i] = Reference.silu(input[2 * r * columns + i]) * input[(2 * r + 1) * columns + i];
                }
                assertRow(out.read(r), expected, 1e-6, 1e-30);
            }
        }
    }

    @Property(tries = 40)
    void attends(
            @ForAll("layouts") KvLayout layout,
            @ForAll @IntRange(min = 1, max = 10) int group,
            @ForAll("windows") int window,
            @ForAll long seed) {
        Random random = new Random(seed);
        Sequences sequences = new Sequences(random, layout, layout.heads() * group, 1, 1 + random.nextInt(70), 40);
        Attention attention = new Attention((float) (1 / Math.sqrt(layout.width())), window);
        List<Integer> order = new ArrayList<>(
                IntStream.range(0, sequences.pagesForAll() + 3).boxed().toList());
        Collections.shuffle(order, random);
        float[][][] results =
                sequences.attend(kernels, attention, sequences.whole(), sequences.tables(order), order.size());
        for (int s = 0; s < results.length; s++) {
            for (int p = 0; p < results[s].length; p++) {
                assertRow(results[s][p], sequences.expected(attention, s, p), 1e-5, 3e-6);
            }
        }
    }

    @Provide
    Arbitrary<KvLayout> layouts() {
        return Arbitraries.of(
                new KvLayout(1, 1, 64, 16),
                new KvLayout(2, 2, 16, 16),
                new KvLayout(1, 3, 24, 16),
                new KvLayout(1, 1, 5, 3),
                new KvLayout(2, 2, 32, 4),
                new KvLayout(1, 2, 40, 32),
                new KvLayout(1, 1, 33, 1));
    }

    @Provide
    Arbitrary<Integer> windows() {
        return Arbitraries.of(Attention.UNLIMITED, 1, 7, 16, 33);
    }

    @Property(tries = 30)
    void givesLogProbabilities(
            @ForAll("counts") int rows,
            @ForAll("vocabularies") int vocabulary,
            @ForAll DataType type,
            @ForAll long seed) {
        Random random = new Random(seed);
        int columns = 24;
        Numbers head = Numbers.random(random, type, vocabulary, columns);
        float[] input = Numbers.normal(random, rows * columns);
        int[] targets = random.ints(rows, 0, vocabulary).toArray();
        double[] logits = Reference.multiply(input, rows, columns, head.values(), vocabulary, null);
        float[] logProbabilities = new float[rows];
        int[] best = new int[rows];
        float[] own = new float[rows * vocabulary];
        try (Matrix matrix = kernels.matrix(List.of(head));
                Tensor hidden = tensor(rows, columns, input)) {
            kernels.logProbabilities(hidden, matrix, targets, logProbabilities, best);
            kernels.logits(hidden, matrix, own);
        }
        for (int r = 0; r < rows; r++) {
            double want = Reference.logProbability(logits, r * vocabulary, vocabulary, targets[r]);
            assertThat((double) logProbabilities[r]).isCloseTo(want, within(2e-5));
            int first = 0;
            for (int i = 1; i < vocabulary; i++) {
                if (own[r * vocabulary + i] > own[r * vocabulary + first]) {
                    first = i;
                }
            }
            assertThat(best[r]).isEqualTo(first);
        }
    }

    @Provide
    Arbitrary<Integer> vocabularies() {
        return Arbitraries.of(1, 31, 97, 512, 2047, 2049, 5000);
    }

    /** More than one block of storage: rows and pages at the seams. */
    @Example
    void storesWhatIsLarge() {
        int columns = 1000;
        int outputs = 9000;
        float[] table = new float[outputs * columns];
        for (int row = 0; row < outputs; row++) {
            table[row * columns + row % columns] = row + 1;
        }
        float[] ones = new float[columns];
        Arrays.fill(ones, 1f);
        float[] sums = new float[outputs];
        for (DataType type : new DataType[] {DataType.F32, DataType.BF16}) {
            Numbers numbers = new Numbers(type, outputs, columns, table);
            try (Matrix matrix = kernels.matrix(List.of(numbers));
                    Tensor in = tensor(1, columns, ones)) {
                assertThat(matrix.bytes()).isEqualTo(9024L * columns * type.bytes());
                kernels.logits(in, matrix, sums);
            }
            for (int row = 0; row < outputs; row++) {
                assertThat(sums[row]).isEqualTo(numbers.values()[row * columns + row % columns]);
            }
        }
        KvLayout layout = new KvLayout(1, 1, 256, 16);
        Sequences sequences = new Sequences(new Random(1), layout, 1, 100, 100);
        Attention attention = new Attention(0.1f, Attention.UNLIMITED);
        List<Integer> near = IntStream.range(0, 14).boxed().toList();
        List<Integer> far = IntStream.range(0, 14).mapToObj(i -> i * 77).toList();
        assertThat(sequences.attend(kernels, attention, sequences.whole(), sequences.tables(far), 1002))
                .isDeepEqualTo(sequences.attend(kernels, attention, sequences.whole(), sequences.tables(near), 14));
    }

    private Tensor tensor(int rows, int columns, float[] values) {
        Tensor tensor = kernels.tensor(rows, columns);
        tensor.resize(rows);
        for (int r = 0; r < rows; r++) {
            tensor.write(r, Arrays.copyOfRange(values, r * columns, (r + 1) * columns));
        }
        return tensor;
    }

    private static void assertRow(float[] found, double[] expected, double relative, double absolute) {
        assertThat(found).hasSameSizeAs(expected);
        for (int i = 0; i < found.length; i++) {
            assertThat((double) found[i])
                    .as("element %d", i)
                    .isCloseTo(expected[i], within(absolute + relative * Math.abs(expected[i])));
        }
    }
}
