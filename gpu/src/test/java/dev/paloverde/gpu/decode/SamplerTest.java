package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.TokenChooser;
import dev.paloverde.gpu.kernels.TokenRanker;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The sampler's choices have the law that its documentation says, and its filters keep what they say. */
class SamplerTest {
    private static final float[] LOGITS = {1.3f, -0.4f, 2.1f, 0.2f, 2.1f, -3, 0.9f, 1.25f};
    private static final int DRAWS = 300_000;
    private static final SeenTokens NOTHING_SEEN = new SeenTokens();

    static Stream<Sampling> samplings() {
        return Stream.of(0.7f, 1f)
                .flatMap(temperature -> Stream.of(
                        sampling(temperature, 0, 1, 0),
                        sampling(temperature, 3, 1, 0),
                        sampling(temperature, 0, 0.8f, 0),
                        sampling(temperature, 0, 1, 0.3f),
                        sampling(temperature, 6, 0.9f, 0.2f)));
    }

    @ParameterizedTest
    @MethodSource("samplings")
    void choicesOfARowsPositionsHaveTheExactLaw(Sampling sampling) {
        RowNoise noise = new RowNoise(sampling.seed(), RowKey.of("row"));
        Sampler sampler = new Sampler(LOGITS.length);
        long[] counts = new long[LOGITS.length];
        for (int position = 0; position < DRAWS; position++) {
            counts[
                    sampler.choose(LOGITS, 0, sampling, noise, NOTHING_SEEN, position)
                            .token()]++;
        }
        assertLaw(counts, law(LOGITS, sampling));
    }

    @ParameterizedTest
    @MethodSource("samplings")
    void choicesOfManyRowsAtOnePositionHaveTheExactLaw(Sampling sampling) {
        Sampler sampler = new Sampler(LOGITS.length);
        long[] counts = new long[LOGITS.length];
        for (int row = 0; row < DRAWS / 3; row++) {
            RowNoise noise = new RowNoise(sampling.seed(), new RowKey(0, row));
            counts[sampler.choose(LOGITS, 0, sampling, noise, NOTHING_SEEN, 5).token()]++;
        }
        assertLaw(counts, law(LOGITS, sampling));
    }

    @Test
    void neighbouringPositionsAreIndependent() {
        Sampling sampling = sampling(1, 0, 1, 0);
        RowNoise noise = new RowNoise(3, RowKey.of("row"));
        Sampler sampler = new Sampler(LOGITS.length);
        double[] law = law(LOGITS, sampling);
        int size = LOGITS.length;
        long[] counts = new long[size * size];
        double[] pairs = new double[size * size];
        for (int i = 0; i < DRAWS; i++) {
            int first = sampler.choose(LOGITS, 0, sampling, noise, NOTHING_SEEN, 2 * i)
                    .token();
            int second = sampler.choose(LOGITS, 0, sampling, noise, NOTHING_SEEN, 2 * i + 1)
                    .token();
            counts[first * size + second]++;
        }
        for (int i = 0; i < pairs.length; i++) {
            pairs[i] = law[i / size] * law[i % size];
        }
        assertLaw(counts, pairs);
    }

    /** The test of the law rejects samplers that are only slightly wrong. */
    @Test
    void theTestOfTheLawHasPower() {
        RowNoise noise = new RowNoise(1, RowKey.of("row"));
        Sampler sampler = new Sampler(LOGITS.length);
        long[] counts = new long[LOGITS.length];
        long[] sharedNoise = new long[LOGITS.length];
        Random random = new Random(1);
        double[] law = law(LOGITS, sampling(0.7f, 0, 1, 0));
        for (int position = 0; position < DRAWS; position++) {
            counts[
                    sampler.choose(LOGITS, 0, sampling(0.72f, 0, 1, 0), noise, NOTHING_SEEN, position)
                            .token()]++;
            // a mutant that draws one number for all tokens can only choose the most likely
            double one = random.nextDouble();
            sharedNoise[best(LOGITS, one)]++;
        }
        assertThat(chiSquare(counts, law)).isGreaterThan(critical(LOGITS.length - 1));
        assertThat(chiSquare(sharedNoise, law)).isGreaterThan(critical(LOGITS.length - 1));
        assertThat(chiSquare(counts, law(LOGITS, sampling(0.72f, 5, 1, 0)))).isInfinite();
    }

    private static int best(float[] logits, double noise) {
        return IntStream.range(0, logits.length)
                .boxed()
                .max(Comparator.comparingDouble(token -> logits[token] + noise))
                .orElseThrow();
    }

    /** The n-th candidate is what would be chosen if those before it were not there, filters being what they are. */
    @Property(tries = 300)
    void candidatesAreWhatWouldBeChosenInTurn(@ForAll long seed) {
        Random random = new Random(seed);
        int vocabulary = 2 + random.nextInt(300);
        float[] logits = new float[vocabulary + 2];
        for (int token = 0; token < vocabulary; token++) {
            logits[2 + token] = (float) random.nextGaussian() * 3;
        }
        Sampling sampling = BatchInvarianceTest.sampling(random);
        RowNoise noise = new RowNoise(sampling.seed(), new RowKey(seed, 4));
        SeenTokens seen = new SeenTokens();
        random.ints(random.nextInt(20), 0, vocabulary).forEach(seen::add);
        Sampler sampler = new Sampler(vocabulary);
        float[] before = logits.clone();
        int n = 1 + random.nextInt(9);
        int[] candidates = new int[n];
        int count = sampler.candidates(logits, 2, sampling, noise, seen, 17, n, candidates);
        assertThat(logits).isEqualTo(before);
        assertThat(count).isBetween(1, n);
        assertThat(candidates[0])
                .isEqualTo(sampler.propose(logits, 2, sampling, noise, seen, 17))
                .isEqualTo(sampler.choose(logits, 2, sampling, noise, seen, 17).token());
        assertThat(Arrays.stream(candidates, 0, count).distinct()).hasSize(count);
        if (sampling.topP() == 1 && sampling.minP() == 0 && sampling.topK() == 0) {
            for (int i = 1; i < count; i++) {
                logits[2 + candidates[i - 1]] = -1e30f;
                assertThat(sampler.propose(logits, 2, sampling, noise, seen, 17))
                        .isEqualTo(candidates[i]);
            }
        }
    }

    @Property(tries = 400)
    void onlyKeptTokensAreChosenWhateverTheVocabulary(@ForAll long seed) {
        Random random = new Random(seed);
        int vocabulary = 2 + random.nextInt(3000);
        float[] logits = new float[vocabulary];
        for (int token = 0; token < vocabulary; token++) {
            logits[token] = (float) random.nextGaussian() * 3;
        }
        Sampling sampling = sampling(
                0.2f + random.nextFloat() * 2,
                random.nextBoolean() ? 0 : 1 + random.nextInt(500),
                random.nextBoolean() ? 1 : 1 - random.nextFloat() * 0.99f,
                random.nextBoolean() ? 0 : random.nextFloat() * 0.5f);
        double[] law = law(logits, sampling);
        RowNoise noise = new RowNoise(seed, RowKey.of(seed));
        float[] before = logits.clone();
        Sampler.Choice choice = new Sampler(vocabulary).choose(logits, 0, sampling, noise, NOTHING_SEEN, 1);
        assertThat(law[choice.token()]).isPositive();
        assertThat(logits).isEqualTo(before);

        // among the kept, the largest perturbed logit wins
        int expected = -1;
        double bestValue = Double.NEGATIVE_INFINITY;
        for (int token = 0; token < vocabulary; token++) {
            double value = logits[token] / (double) sampling.temperature() + noise.gumbel(1, token);
            if (law[token] > 0 && value > bestValue) {
                expected = token;
                bestValue = value;
            }
        }
        assertThat(choice.token()).isEqualTo(expected);
        double sum = IntStream.range(0, vocabulary)
                .mapToDouble(token -> Math.exp(logits[token]))
                .sum();
        assertThat(choice.logProbability()).isCloseTo(logits[choice.token()] - Math.log(sum), within(1e-9));
    }

    @Test
    void greedyTakesTheLowestIdOfEqualLogits() {
        assertThat(choose(LOGITS, sampling(0, 0, 1, 0)).token()).isEqualTo(2);
        assertThat(choose(LOGITS, sampling(1, 1, 1, 0)).token()).isEqualTo(2);
        assertThat(choose(new float[] {-0f, 0f, 0f}, sampling(0, 0, 1, 0)).token())
                .isZero();
    }

    @Test
    void aVanishingNucleusIsTheMostLikelyToken() {
        assertThat(choose(LOGITS, sampling(1, 0, 1e-6f, 0)).token()).isEqualTo(2);
    }

    @Test
    void penaltyDividesPositiveAndMultipliesNegativeLogitsOfSeenTokens() {
        SeenTokens seen = new SeenTokens();
        seen.add(2);
        seen.add(4);
        seen.add(2);
        Sampling penalised = new Sampling(1, 0, 0, 1, 0, 1.7f, List.of(), false, 0);
        float[] logits = LOGITS.clone();
        RowNoise noise = new RowNoise(0, RowKey.of());
        Sampler.Choice choice = new Sampler(8).choose(logits, 0, penalised, noise, seen, 0);
        assertThat(choice.token()).isZero();
        assertThat(logits).as("restored").isEqualTo(LOGITS);
        double own = choose(LOGITS, sampling(0, 0, 1, 0)).logProbability() - 2.1f + 1.3f;
        assertThat(choice.logProbability()).as("under the model's own law").isCloseTo(own, within(1e-6));

        float[] negative = {-1, -1.1f, -5};
        seen = new SeenTokens();
        seen.add(0);
        assertThat(new Sampler(3).choose(negative, 0, penalised, noise, seen, 0).token())
                .isEqualTo(1);
    }

    @Test
    void logitsWithoutASoftmaxAreRefused() {
        for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
            float[] logits = LOGITS.clone();
            logits[5] = bad;
            for (Sampling sampling : List.of(sampling(0, 0, 1, 0), sampling(1, 3, 0.5f, 0))) {
                assertThatThrownBy(() -> choose(logits, sampling))
                        .isInstanceOfSatisfying(
                                PaloverdeException.class,
                                e -> assertThat(e.code()).isEqualTo(ErrorCode.NOT_A_NUMBER))
                        .hasMessageContaining("position 0");
            }
        }
        assertThatThrownBy(() -> choose(new float[] {Float.NEGATIVE_INFINITY}, sampling(0, 0, 1, 0)))
                .isInstanceOf(PaloverdeException.class);
    }

    @Test
    void valuesOutsideTheirRangeAreRefused() {
        List<Runnable> wrong = List.of(
                () -> Sampling.greedy(0),
                () -> sampling(-0.1f, 0, 1, 0),
                () -> sampling(Float.NaN, 0, 1, 0),
                () -> sampling(1, -1, 1, 0),
                () -> sampling(1, 0, 0, 0),
                () -> sampling(1, 0, 1.1f, 0),
                () -> sampling(1, 0, 1, 2),
                () -> new Sampling(1, 1, 0, 1, 0, 0, List.of(), false, 0),
                () -> new Sampling(1, 1, 0, 1, 0, 1, List.of("a", ""), false, 0));
        for (Runnable runnable : wrong) {
            assertThatThrownBy(runnable::run)
                    .isInstanceOfSatisfying(
                            PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_OPTION))
                    .hasMessageContaining("must be");
        }
    }

    private static Sampler.Choice choose(float[] logits, Sampling sampling) {
        RowNoise noise = new RowNoise(sampling.seed(), RowKey.of());
        return new Sampler(logits.length).choose(logits, 0, sampling, noise, NOTHING_SEEN, 0);
    }

    private static Sampling sampling(float temperature, int topK, float topP, float minP) {
        return new Sampling(1, temperature, topK, topP, minP, 1, List.of(), false, 11);
    }

    /** The law that the documentation of {@link Sampling} says, the slow way. */
    private static double[] law(float[] logits, Sampling sampling) {
        Integer[] order = IntStream.range(0, logits.length).boxed().toArray(Integer[]::new);
        Arrays.sort(
                order, Comparator.comparing((Integer token) -> -logits[token]).thenComparing(token -> token));
        List<Integer> kept = new ArrayList<>(List.of(order));
        if (sampling.topK() > 0) {
            kept = kept.subList(0, Math.min(sampling.topK(), kept.size()));
        }
        double[] weights = new double[logits.length];
        double total = 0;
        for (int token : kept) {
            weights[token] = Math.exp((logits[token] - (double) logits[order[0]]) / sampling.temperature());
            total += weights[token];
        }
        double mass = 0;
        double[] law = new double[logits.length];
        double keptMass = 0;
        for (int token : kept) {
            boolean likelyEnough = weights[token] >= sampling.minP() || token == order[0];
            if (mass < sampling.topP() * total && likelyEnough) {
                law[token] = weights[token];
                keptMass += weights[token];
            }
            mass += weights[token];
        }
        for (int token = 0; token < law.length; token++) {
            law[token] /= keptMass;
        }
        return law;
    }

    private static void assertLaw(long[] counts, double[] law) {
        int possible =
                (int) Arrays.stream(law).filter(probability -> probability > 0).count();
        assertThat(chiSquare(counts, law)).isLessThan(critical(possible - 1));
    }

    private static double chiSquare(long[] counts, double[] law) {
        long total = Arrays.stream(counts).sum();
        double sum = 0;
        for (int i = 0; i < counts.length; i++) {
            double expected = law[i] * total;
            if (law[i] > 0) {
                sum += (counts[i] - expected) * (counts[i] - expected) / expected;
            } else if (counts[i] > 0) {
                return Double.POSITIVE_INFINITY;
            }
        }
        return sum;
    }

    /** The value that chi-square exceeds by chance once in a thousand (Wilson and Hilferty's approximation). */
    private static double critical(int freedom) {
        double ninth = 2.0 / (9 * freedom);
        return freedom * Math.pow(1 - ninth + 3.0902 * Math.sqrt(ninth), 3);
    }

    @Property(tries = 2000)
    void ranksDecideAsAllLogitsDo(@ForAll long seed) {
        Random random = new Random(seed);
        int vocabulary = 2 + random.nextInt(300);
        float[] logits = new float[vocabulary];
        float width = random.nextBoolean() ? 1 : 8;
        for (int token = 0; token < vocabulary; token++) {
            // many alike
            logits[token] = random.nextInt(4) == 0 ? 1 : (float) random.nextGaussian() * width;
        }
        Sampling sampling = BatchInvarianceTest.sampling(random);
        RowNoise noise = new RowNoise(sampling.seed(), RowKey.of(seed));
        SeenTokens seen = new SeenTokens();
        random.ints(random.nextInt(20), 0, vocabulary).forEach(seen::add);
        TokenRanker.Asks asks = new TokenRanker.Asks(
                new TokenChooser.Draws(
                        new float[] {sampling.temperature()},
                        new int[] {9},
                        new int[1],
                        new int[1],
                        new int[1],
                        RowNoise.Purpose.TOKEN.ordinal()),
                new float[] {sampling.repetitionPenalty()},
                new int[][] {sampling.repetitionPenalty() == 1 ? new int[0] : seen.tokens()},
                new boolean[] {sampling.topK() == 0 && sampling.topP() == 1 && sampling.minP() == 0});
        noise.key(asks.draws(), 0);
        Sampler sampler = new Sampler(vocabulary);
        Sampler.Choice all = sampler.choose(logits, 0, sampling, noise, seen, 9);
        int ranks = 1 + random.nextInt(vocabulary);
        Sampler.Choice choice = sampler.choose(new PlainRanks(logits, vocabulary, ranks, asks), 0, sampling, noise, 9);
        if (choice != null) {
            assertThat(choice.token()).isEqualTo(all.token());
            assertThat(choice.logProbability()).isEqualTo(all.logProbability());
        }
        // the whole vocabulary is always enough
        assertThat(sampler.choose(new PlainRanks(logits, vocabulary, vocabulary, asks), 0, sampling, noise, 9))
                .isEqualTo(all);
    }
}
