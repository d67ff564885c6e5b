package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class RowNoiseTest {
    @Test
    void isAFunctionOfSeedRowPositionAndToken() {
        RowNoise noise = new RowNoise(7, new RowKey(1, 2));
        assertThat(new RowNoise(7, new RowKey(1, 2)).gumbel(3, 4)).isEqualTo(noise.gumbel(3, 4));
        assertThat(noise.gumbel(4, 3)).isNotEqualTo(noise.gumbel(3, 4));
        assertThat(new RowNoise(8, new RowKey(1, 2)).gumbel(3, 4)).isNotEqualTo(noise.gumbel(3, 4));
        assertThat(new RowNoise(7, new RowKey(2, 1)).gumbel(3, 4)).isNotEqualTo(noise.gumbel(3, 4));
    }

    /** Results that users have stored depend on these bits; the numbers were made by another program. */
    @Test
    void doesNotChangeFromReleaseToRelease() {
        RowNoise noise = new RowNoise(42, RowKey.of("a row"));
        assertThat(noise.gumbel(0, 0)).isEqualTo(1.7539686088620472);
        assertThat(noise.gumbel(1000, 127_999)).isEqualTo(-0.5803354765020211);
    }

    @Test
    void isFiniteAtBothEnds() {
        assertThat(RowNoise.gumbel(0)).isBetween(-3.7, -3.5);
        assertThat(RowNoise.gumbel(-1)).isBetween(36.0, RowNoise.LARGEST_GUMBEL);
    }

    @Property(tries = 2000)
    void staysBelowItsBound(@ForAll long bits) {
        assertThat(RowNoise.gumbel(bits)).isLessThanOrEqualTo(RowNoise.gumbelBound(bits));
        assertThat(RowNoise.gumbelBound(bits)).isLessThanOrEqualTo(RowNoise.LARGEST_GUMBEL);
    }

    @Property(tries = 300)
    void skippingTokensThatCannotWinChangesNothing(
            @ForAll long seed, @ForAll @IntRange(min = 1, max = 900) int vocabulary) {
        Random random = new Random(seed);
        float spread = (float) Math.exp(random.nextGaussian() * 2);
        float[] logits = new float[vocabulary + 3];
        int likeliest = 0;
        for (int token = 0; token < vocabulary; token++) {
            logits[3 + token] =
                    random.nextInt(9) == 0 ? Float.NEGATIVE_INFINITY : (float) random.nextGaussian() * spread;
            likeliest = logits[3 + token] > logits[3 + likeliest] ? token : likeliest;
        }
        logits[3 + likeliest] = Math.max(logits[3 + likeliest], 0);
        double temperature = 0.1 + random.nextDouble() * 2;
        double floor = random.nextBoolean() ? logits[3 + likeliest] - spread : Double.NEGATIVE_INFINITY;
        RowNoise noise = new RowNoise(seed, new RowKey(seed, 1));
        int position = random.nextInt(5000);

        int best = -1;
        double bestValue = Double.NEGATIVE_INFINITY;
        for (int token = 0; token < vocabulary; token++) {
            double value = logits[3 + token] / temperature + noise.gumbel(position, token);
            if (logits[3 + token] >= floor && value > bestValue) {
                best = token;
                bestValue = value;
            }
        }
        assertThat(noise.argmax(logits, 3, vocabulary, temperature, floor, likeliest, position))
                .isEqualTo(best);

        int n = 1 + random.nextInt(20);
        int[] top = new int[n + 2];
        int found = noise.top(logits, 3, vocabulary, temperature, floor, position, n, top);
        List<Integer> ranked = IntStream.range(0, vocabulary)
                .filter(token -> logits[3 + token] >= floor)
                .boxed()
                .sorted(Comparator.comparingDouble(
                                (Integer token) -> -(logits[3 + token] / temperature + noise.gumbel(position, token)))
                        .thenComparing(Comparator.naturalOrder()))
                .limit(n)
                .toList();
        assertThat(Arrays.stream(top, 0, found).boxed().toList()).isEqualTo(ranked);
    }
}
