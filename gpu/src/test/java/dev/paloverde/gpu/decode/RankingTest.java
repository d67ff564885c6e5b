package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

class RankingTest {
    @Property(tries = 300)
    void ranksByLogitAndThenById(
            @ForAll long seed,
            @ForAll @IntRange(min = 1, max = 3000) int vocabulary,
            @ForAll @IntRange(min = 1, max = 400) int wanted) {
        Random random = new Random(seed);
        float[] logits = new float[vocabulary + 2];
        int distinct = 1 + random.nextInt(2000);
        for (int i = 0; i < logits.length; i++) {
            logits[i] = switch (random.nextInt(20)) {
                case 0 -> 0f;
                case 1 -> -0f;
                case 2 -> Float.NEGATIVE_INFINITY;
                case 3 -> Float.MIN_VALUE;
                default -> (random.nextInt(distinct) - distinct / 2) * 0.37f;
            };
        }
        int[] expected = IntStream.range(0, vocabulary)
                .boxed()
                .sorted(Comparator.comparing((Integer token) -> -(logits[2 + token] + 0f))
                        .thenComparing(Comparator.naturalOrder()))
                .limit(wanted)
                .mapToInt(Integer::intValue)
                .toArray();
        int[] ranked = new int[vocabulary];
        new Ranking().top(logits, 2, vocabulary, wanted, ranked);
        assertThat(Arrays.copyOf(ranked, expected.length)).isEqualTo(expected);
    }
}
