package dev.paloverde.gpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.paloverde.gpu.PaloverdeException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterProperty;
import net.jqwik.api.lifecycle.BeforeProperty;

/** The operations that encoders alone need, against their formulas in double precision and in other company. */
class EncoderKernelsTest {
    /** Numbers and {@code x erfc(-x / sqrt 2) / 2} of them as fp32, by the C library's erfc. */
    private static final double[][] EXACT = {
        {-9.5, -9.969789321594591e-21},
        {-6, -5.919525870226207e-09},
        {-5.3, -3.068767945720432e-07},
        {-4.1, -8.46958112732799e-05},
        {-3, -0.004049694094890287},
        {-1.5, -0.10021080190328713},
        {-0.7, -0.16937455627736944},
        {-0.66, -0.16805376480704612},
        {-0.3, -0.11462657653421583},
        {-0.0001, -4.999600931429796e-05},
        {0, 0},
        {0.0001, 5.000398815948956e-05},
        {0.3, 0.1853734353867131},
        {0.66, 0.4919462614189976},
        {0.7, 0.5306254318017016},
        {1.5, 1.399789198096713},
        {3, 2.99595030590511},
        {4.1, 4.099915208821295},
        {5.3, 5.299999883858069},
        {6, 5.999999994080474},
        {9.5, 9.5},
        {40, 40}
    };

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

    @Property(tries = 40)
    void normalizesAroundTheMean(
            @ForAll @IntRange(min = 1, max = 20) int rows, @ForAll("sizes") int columns, @ForAll long seed) {
        Random random = new Random(seed);
        float[] input = Numbers.normal(random, rows * columns);
        for (int i = 0; i < input.length; i++) {
            input[i] += 3;
        }
        Numbers gains = Numbers.random(random, DataType.F32, 1, columns);
        Numbers biases = Numbers.random(random, DataType.F32, 1, columns);
        try (Weights gain = kernels.weights(List.of(gains));
                Weights bias = kernels.weights(List.of(biases));
                Tensor in = tensor(rows, columns, input);
                Tensor out = tensor(rows, columns, input)) {
            kernels.normalizeCentered(in, gain, bias, 1e-6f, out);
            for (int r = 0; r < rows; r++) {
                double mean = 0;
                double squares = 0;
                for (int i = 0; i < columns; i++) {
                    mean += input[r * columns + i] / (double) columns;
                }
                for (int i = 0; i < columns; i++) {
                    squares += Math.pow(input[r * columns + i] - mean, 2) / columns;
                }
                float[] found = out.read(r);
                // where numbers are nearly equal, what rounding does to their mean counts for more
                double near = 2e-5 + 1e-6 * Math.abs(mean) / Math.sqrt(squares + 1e-6f);
                for (int i = 0; i < columns; i++) {
                    double expected = (input[r * columns + i] - mean) / Math.sqrt(squares + 1e-6f) * gains.values()[i]
                            + biases.values()[i];
                    assertThat((double) found[i]).isCloseTo(expected, within(near));
                }
            }
        }
    }

    @Example
    void activatesByTheErrorFunction() {
        for (double[] pair : EXACT) {
            double tolerance = Math.max(4e-8, 1e-6 * Math.abs(pair[1]));
            assertThat((double) Gelu.exact((float) pair[0])).as("%s", pair[0]).isCloseTo(pair[1], within(tolerance));
        }
        assertThat(Gelu.exact(Float.NaN)).isNaN();
        assertThat(Gelu.exact(Float.POSITIVE_INFINITY)).isEqualTo(Float.POSITIVE_INFINITY);
    }

    @Property
    void activatesByTheTangent(@ForAll Random random) {
        float x = (float) (random.nextGaussian() * 5);
        double inner = Math.sqrt(2 / Math.PI) * (x + 0.044715 * Math.pow(x, 3));
        double expected = 0.5 * x * (1 + Math.tanh(inner));
        assertThat((double) Gelu.tanh(x)).isCloseTo(expected, within(2e-7 + 1e-6 * Math.abs(expected)));
    }

    @Property(tries = 20)
    void activatesProducts(
            @ForAll @IntRange(min = 1, max = 20) int rows,
            @ForAll("sizes") int columns,
            @ForAll("sizes") int outputs,
            @ForAll Activation activation,
            @ForAll long seed) {
        Random random = new Random(seed);
        float[] input = Numbers.normal(random, rows * columns);
        try (Matrix matrix = kernels.matrix(List.of(Numbers.random(random, DataType.F32, outputs, columns)));
                Weights bias = kernels.weights(List.of(Numbers.random(random, DataType.F32, 1, outputs)));
                Tensor in = tensor(rows, columns, input);
                Tensor sums = tensor(rows, outputs, new float[rows * outputs]);
                Tensor out = tensor(rows, outputs, new float[rows * outputs])) {
            kernels.multiply(in, matrix, bias, sums);
            kernels.multiplyActivated(in, matrix, bias, activation, out);
            for (int r = 0; r < rows; r++) {
                float[] expected = sums.read(r);
                Gelu.apply(activation, expected, 0, outputs);
                assertThat(out.read(r)).isEqualTo(expected);
            }
        }
    }

    @Property(tries = 40)
    void attendsToAllOfABlockAndToNothingElse(
            @ForAll @IntRange(min = 1, max = 4) int heads,
            @ForAll("sizes") int width,
            @ForAll @IntRange(min = 1, max = 4) int blocks,
            @ForAll long seed) {
        Random random = new Random(seed);
        int[] starts = new int[blocks + 1];
        for (int block = 0; block < blocks; block++) {
            starts[block + 1] = starts[block] + random.nextInt(block == 0 ? 40 : 20);
        }
        int rows = starts[blocks];
        int columns = 3 * heads * width + 5;
        float[][] input = new float[rows][];
        for (int r = 0; r < rows; r++) {
            input[r] = Numbers.normal(random, columns);
        }
        double scale = 1 / Math.sqrt(width);
        float[][] found = attend(input, heads, width, starts);
        for (int block = 0; block < blocks; block++) {
            float[][] own = Arrays.copyOfRange(input, starts[block], starts[block + 1]);
            for (int head = 0; head < heads; head++) {
                float[][] keys = part(own, (heads + head) * width, width);
                float[][] values = part(own, (2 * heads + head) * width, width);
                for (int r = 0; r < own.length; r++) {
                    double[] expected = Reference.attend(own[r], head * width, keys, values, 0, own.length - 1, scale);
                    for (int i = 0; i < width; i++) {
                        assertThat((double) found[starts[block] + r][head * width + i])
                                .isCloseTo(expected[i], within(1e-4));
                    }
                }
            }
            // the same bits as alone
            float[][] alone = attend(own, heads, width, new int[] {0, own.length});
            for (int r = 0; r < own.length; r++) {
                assertThat(found[starts[block] + r]).isEqualTo(alone[r]);
            }
        }
    }

    @Property(tries = 40)
    void cutsImagesIntoPatches(
            @ForAll @IntRange(min = 1, max = 3) int images,
            @ForAll @IntRange(min = 1, max = 5) int side,
            @ForAll @IntRange(min = 1, max = 4) int across,
            @ForAll @IntRange(min = 1, max = 4) int down,
            @ForAll @IntRange(min = 0, max = 3) int prefix,
            @ForAll PatchLayout.Order order,
            @ForAll long seed) {
        Random random = new Random(seed);
        float[][] values = new float[3][];
        Arrays.setAll(values, channel -> Numbers.normal(random, 256));
        PatchLayout layout = new PatchLayout(across * side, down * side, side, prefix, order, values);
        List<byte[]> samples = new ArrayList<>();
        for (int i = 0; i < images; i++) {
            samples.add(new byte[layout.samples()]);
            random.nextBytes(samples.get(i));
        }
        int sequence = prefix + across * down;
        try (Tensor out = tensor(images * sequence, 3 * side * side, new float[images * sequence * 3 * side * side])) {
            kernels.cut(samples, layout, out);
            for (int row = 0; row < images * sequence; row++) {
                int patch = row % sequence - prefix;
                float[] found = out.read(row);
                for (int number = 0; number < found.length; number++) {
                    boolean last = order == PatchLayout.Order.CHANNELS_LAST;
                    int channel = last ? number % 3 : number / (side * side);
                    int pixel = last ? number / 3 : number % (side * side);
                    int x = patch % across * side + pixel % side;
                    int y = patch / across * side + pixel / side;
                    assertThat(found[number])
                            .isEqualTo(
                                    patch < 0
                                            ? 0
                                            : values[channel][
                                                    samples.get(row / sequence)[3 * (y * across * side + x) + channel]
                                                            & 0xff]);
                }
            }
        }
    }

    @Example
    void givesRowsAsTheyWereWhenTheyWereAskedFor() {
        float[] numbers = {1, 2, 3, 4, Float.NaN, 6};
        try (Tensor tensor = tensor(3, 2, numbers);
                LateRows rows = kernels.fetch(tensor)) {
            tensor.write(0, new float[6], 3);
            rows.await();
            float[] out = {9, 9, 9, 9, 9};
            assertThat(rows.read(0, 2, out)).isTrue();
            assertThat(out).containsExactly(1, 2, 3, 4, 9);
            assertThat(rows.read(1, 2, out)).isFalse();
            assertThat(out).containsExactly(3, 4, Float.NaN, 6, 9);
        }
    }

    @Example
    void refusesBlocksThatAreNotItsRows() {
        try (Tensor tensor = tensor(4, 24, new float[96]);
                Tensor out = tensor(4, 8, new float[32])) {
            Heads heads = new Heads(tensor, 0, 1, 8);
            for (int[] starts : new int[][] {{0, 3}, {1, 4}, {0, 3, 2, 4}}) {
                assertThatThrownBy(() -> kernels.attendWithin(heads, heads, heads, 1, starts, out))
                        .isInstanceOf(PaloverdeException.class);
            }
        }
    }

    private float[][] attend(float[][] input, int heads, int width, int[] starts) {
        int rows = input.length;
        float[][] found = new float[rows][];
        try (Tensor in = kernels.tensor(rows, 3 * heads * width + 5);
                Tensor out = kernels.tensor(rows, heads * width)) {
            in.resize(rows);
            out.resize(rows);
            for (int r = 0; r < rows; r++) {
                in.write(r, input[r]);
            }
            kernels.attendWithin(
                    new Heads(in, 0, heads, width),
                    new Heads(in, heads * width, heads, width),
                    new Heads(in, 2 * heads * width, heads, width),
                    (float) (1 / Math.sqrt(width)),
                    starts,
                    out);
            for (int r = 0; r < rows; r++) {
                found[r] = out.read(r);
            }
        }
        return found;
    }

    private static float[][] part(float[][] rows, int from, int width) {
        float[][] parts = new float[rows.length][];
        for (int r = 0; r < rows.length; r++) {
            parts[r] = Arrays.copyOfRange(rows[r], from, from + width);
        }
        return parts;
    }

    private Tensor tensor(int rows, int columns, float[] values) {
        Tensor tensor = kernels.tensor(rows, columns);
        tensor.resize(rows);
        tensor.write(0, values, rows);
        return tensor;
    }
}
