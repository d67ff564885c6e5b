package dev.paloverde.gpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.paloverde.gpu.kernels.AttentionReference.Gradients;
import dev.paloverde.gpu.kernels.AttentionReference.Output;
import dev.paloverde.gpu.kernels.AttentionReference.Rule;
import dev.paloverde.gpu.kernels.AttentionReference.Shape;
import dev.paloverde.gpu.kernels.AttentionReference.Sight;
import java.util.Arrays;
import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;

/** The reference against what can be said of attention without computing it, and gradients against differences. */
class AttentionReferenceTest {
    private static final float[] NO_SINKS = {};

    @Property(tries = 30)
    void equalKeysGiveTheMeanOfTheValuesSeen(@ForAll long seed, @ForAll @IntRange(min = 1, max = 9) int seen) {
        Shape shape = new Shape(3, 9, 2, 1, 4, 5);
        Random random = new Random(seed);
        float[] key = numbers(random, 4);
        float[] keys = new float[9 * 4];
        for (int position = 0; position < 9; position++) {
            System.arraycopy(key, 0, keys, 4 * position, 4);
        }
        float[] queries = numbers(random, 3 * 2 * 4);
        float[] values = numbers(random, 9 * 5);
        Output out = AttentionReference.forward(
                shape, Sight.window(shape, seen - 1, 0), new Rule(0.5), queries, keys, values);
        int last = 8;
        int first = Math.max(0, last - seen + 1);
        for (int column = 0; column < 5; column++) {
            double mean = 0;
            for (int position = first; position <= last; position++) {
                mean += values[5 * position + column] / (double) (last - first + 1);
            }
            assertThat(out.values()[(2 * 2 + 1) * 5 + column]).isCloseTo(mean, within(1e-12));
        }
        double product = 0;
        for (int i = 0; i < 4; i++) {
            product += (double) queries[(2 * 2 + 1) * 4 + i] * key[i];
        }
        assertThat(out.sums()[3 + 2]).isCloseTo(0.5 * product + Math.log(last - first + 1), within(1e-12));
    }

    /** A sink is a key with that score and a value of zeros. */
    @Property(tries = 30)
    void aSinkIsOneMoreKeyWithoutAValue(@ForAll long seed, @ForAll @DoubleRange(min = -6, max = 6) double sink) {
        int queries = 4;
        int keys = 6;
        Random random = new Random(seed);
        float[] q = numbers(random, queries * 3);
        float[] k = numbers(random, keys * 3);
        float[] v = numbers(random, keys * 2);
        // a column more: 1 in queries, 0 in keys, the sink in the key that is added at the front
        float[] widerQueries = new float[queries * 4];
        float[] widerKeys = new float[(keys + 1) * 4];
        float[] widerValues = new float[(keys + 1) * 2];
        for (int i = 0; i < queries; i++) {
            System.arraycopy(q, 3 * i, widerQueries, 4 * i, 3);
            widerQueries[4 * i + 3] = 1;
        }
        for (int i = 0; i < keys; i++) {
            System.arraycopy(k, 3 * i, widerKeys, 4 * (i + 1), 3);
            System.arraycopy(v, 2 * i, widerValues, 2 * (i + 1), 2);
        }
        widerKeys[3] = (float) sink;
        Shape shape = new Shape(queries, keys, 1, 1, 3, 2);
        Shape wider = new Shape(queries, keys + 1, 1, 1, 4, 2);
        Rule rule = new Rule(1, 0, new float[] {(float) sink});
        Output out = AttentionReference.forward(shape, Sight.window(shape, Integer.MAX_VALUE, 0), rule, q, k, v);
        Output same = AttentionReference.forward(
                wider, Sight.window(wider, Integer.MAX_VALUE, 0), new Rule(1), widerQueries, widerKeys, widerValues);
        assertThat(out.values()).containsExactly(same.values(), within(1e-12));
        assertThat(out.sums()).containsExactly(same.sums(), within(1e-12));
    }

    @Example
    void aQueryWithoutKeysHasTheSinkAlone() {
        Shape shape = new Shape(3, 1, 2, 2, 2, 2);
        Sight causal = Sight.window(shape, Integer.MAX_VALUE, 0);
        float[] queries = numbers(new Random(1), 12);
        float[] keys = numbers(new Random(2), 4);
        float[] values = numbers(new Random(3), 4);
        Output plain = AttentionReference.forward(shape, causal, new Rule(1), queries, keys, values);
        assertThat(Arrays.copyOf(plain.values(), 8)).containsOnly(0);
        assertThat(plain.sums()[0]).isEqualTo(Double.NEGATIVE_INFINITY);
        assertThat(Arrays.copyOfRange(plain.values(), 8, 10)).containsExactly(values[0], values[1]);

        Rule sinks = new Rule(1, 0, new float[] {-400, 7});
        Output out = AttentionReference.forward(shape, causal, sinks, queries, keys, values);
        assertThat(Arrays.copyOf(out.values(), 8)).containsOnly(0);
        assertThat(new double[] {out.sums()[0], out.sums()[3]}).containsExactly(-400, 7);
        Gradients gradients = AttentionReference.backward(shape, causal, sinks, queries, keys, values, new double[12]);
        assertThat(gradients.sinks()).containsOnly(0);
    }

    @Property(tries = 30)
    void cappedScoresStayBelowTheCap(@ForAll long seed, @ForAll @DoubleRange(min = 0.1, max = 30) double softcap) {
        Shape shape = new Shape(1, 7, 1, 1, 3, 1);
        Random random = new Random(seed);
        float[] queries = numbers(random, 3);
        float[] keys = numbers(random, 21);
        for (int i = 0; i < keys.length; i++) {
            keys[i] *= 1000;
        }
        Sight all = Sight.window(shape, Integer.MAX_VALUE, 0);
        Rule rule = new Rule(1, softcap, NO_SINKS);
        Output out = AttentionReference.forward(shape, all, rule, queries, keys, numbers(random, 7));
        assertThat(out.sums()[0]).isBetween(-softcap + Math.log(7) - 1e-9, softcap + Math.log(7) + 1e-9);

        Shape one = new Shape(1, 1, 1, 1, 1, 1);
        float[] number = {1.5f};
        Output single = AttentionReference.forward(
                one, Sight.window(one, 0, 0), new Rule(2, softcap, NO_SINKS), number, number, number);
        assertThat(single.sums()[0]).isCloseTo(softcap * Math.tanh(4.5 / softcap), within(1e-12));
        assertThat(single.values()[0]).isEqualTo(1.5);
    }

    @Property(tries = 20)
    void headsOfQueriesShareHeadsOfKeys(@ForAll long seed) {
        Shape shared = new Shape(3, 5, 6, 2, 4, 3);
        Shape own = new Shape(3, 5, 6, 6, 4, 3);
        Random random = new Random(seed);
        float[] queries = numbers(random, 3 * 6 * 4);
        float[] keys = numbers(random, 5 * 2 * 4);
        float[] values = numbers(random, 5 * 2 * 3);
        Sight sight = Sight.window(shared, 2, 1);
        Output out = AttentionReference.forward(shared, sight, new Rule(0.5), queries, keys, values);
        Output same = AttentionReference.forward(
                own, sight, new Rule(0.5), queries, repeated(keys, 5, 2, 4, 3), repeated(values, 5, 2, 3, 3));
        assertThat(out.values()).containsExactly(same.values());
        assertThat(out.sums()).containsExactly(same.sums());
    }

    /** Of every input, against central differences of a loss that is linear in the output. */
    @Property(tries = 12)
    void gradientsAreThoseOfDifferences(
            @ForAll long seed,
            @ForAll @IntRange(min = 0, max = 2) int kind,
            @ForAll @IntRange(min = 0, max = 4) int left,
            @ForAll @IntRange(min = 0, max = 2) int right) {
        Shape shape = new Shape(4, 5, 4, 2, 3, 2);
        Random random = new Random(seed);
        float[] queries = numbers(random, 4 * 4 * 3);
        float[] keys = numbers(random, 5 * 2 * 3);
        float[] values = numbers(random, 5 * 2 * 2);
        float[] sinks = kind == 2 ? numbers(random, 4) : NO_SINKS;
        Rule rule = new Rule(0.7, kind == 1 ? 1.3 : 0, sinks);
        double[] loss = new double[4 * 4 * 2];
        Arrays.setAll(loss, i -> random.nextGaussian());
        Sight sight = Sight.window(shape, left, right);
        Gradients gradients = AttentionReference.backward(shape, sight, rule, queries, keys, values, loss);
        agree(gradients.queries(), queries, () -> loss(shape, sight, rule, queries, keys, values, loss));
        agree(gradients.keys(), keys, () -> loss(shape, sight, rule, queries, keys, values, loss));
        agree(gradients.values(), values, () -> loss(shape, sight, rule, queries, keys, values, loss));
        agree(gradients.sinks(), sinks, () -> loss(shape, sight, rule, queries, keys, values, loss));
    }

    private static void agree(double[] gradient, float[] input, java.util.function.DoubleSupplier loss) {
        assertThat(gradient).hasSameSizeAs(input);
        for (int i = 0; i < input.length; i++) {
            float before = input[i];
            float above = before + 1e-3f;
            float below = before - 1e-3f;
            input[i] = above;
            double high = loss.getAsDouble();
            input[i] = below;
            double low = loss.getAsDouble();
            input[i] = before;
            assertThat(gradient[i]).isCloseTo((high - low) / ((double) above - below), within(2e-5));
        }
    }

    private static double loss(
            Shape shape, Sight sight, Rule rule, float[] queries, float[] keys, float[] values, double[] weights) {
        double[] out = AttentionReference.forward(shape, sight, rule, queries, keys, values)
                .values();
        double sum = 0;
        for (int i = 0; i < out.length; i++) {
            sum += out[i] * weights[i];
        }
        return sum;
    }

    private static float[] repeated(float[] rows, int positions, int heads, int width, int times) {
        float[] out = new float[rows.length * times];
        for (int position = 0; position < positions; position++) {
            for (int head = 0; head < heads * times; head++) {
                System.arraycopy(
                        rows,
                        (position * heads + head / times) * width,
                        out,
                        (position * heads * times + head) * width,
                        width);
            }
        }
        return out;
    }

    private static float[] numbers(Random random, int count) {
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = (float) random.nextGaussian();
        }
        return numbers;
    }
}
