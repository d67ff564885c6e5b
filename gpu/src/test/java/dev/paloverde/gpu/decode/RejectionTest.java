package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The rule of rejection leaves the law of the target as it is, whatever is proposed; and rules that are nearly it do not,
 * which the same test notices. Texts of three tokens over a vocabulary of three, a million of each; proposals of two. A fifth as many are enough for the mutants.
 */
@Timeout(120)
class RejectionTest {
    private static final int VOCABULARY = 3;
    private static final int LENGTH = 3;
    private static final int TOKENS = 2;
    private static final int DRAWS = 1_000_000;
    private static final SeenTokens NOTHING_SEEN = new SeenTokens();

    /** What decides about a proposed token, and by which numbers. */
    private enum Rule {
        RIGHT,
        /** Accepts where the token is the target's most likely one, as the reference code does after fast misses. */
        GREEDY_ACCEPTANCE,
        /** Verifies with the draft model's law, and not with the one that was proposed from. */
        UNRESCALED,
        /** Proposes and accepts with the same number. */
        ONE_STREAM
    }

    /** Who proposes. */
    private enum Proposer {
        MODEL,
        LOOKUP
    }

    @ParameterizedTest
    @CsvSource({
        "1, MODEL, 1",
        "0.7, MODEL, 1",
        "1, MODEL, 0.5",
        "0.7, MODEL, 0.5",
        "0.7, MODEL, 0",
        "1, LOOKUP, 1",
        "0.7, LOOKUP, 1"
    })
    void textsHaveTheTargetsLaw(float temperature, Proposer proposer, double factor) {
        assertThat(chiSquare(temperature, proposer, factor, Rule.RIGHT)).isLessThan(critical());
    }

    @ParameterizedTest
    @ValueSource(floats = {0.7f, 1})
    void nearlyRightRulesAreNoticed(float temperature) {
        assertThat(chiSquare(temperature, Proposer.LOOKUP, 1, Rule.GREEDY_ACCEPTANCE))
                .isGreaterThan(critical());
        assertThat(chiSquare(temperature, Proposer.MODEL, 0.5, Rule.UNRESCALED)).isGreaterThan(critical());
        assertThat(chiSquare(temperature, Proposer.MODEL, 1, Rule.ONE_STREAM)).isGreaterThan(critical());
    }

    /** 26 degrees of freedom: mean 26, standard deviation 7.2; six of those above the mean. */
    private static double critical() {
        return 26 + 6 * Math.sqrt(2 * 26);
    }

    private static double chiSquare(float temperature, Proposer proposer, double factor, Rule rule) {
        int draws = rule == Rule.RIGHT ? DRAWS : DRAWS / 5;
        Player speculator = new Player(temperature, proposer, factor, rule);
        long[] counts = new long[27];
        int[] text = new int[LENGTH];
        for (int row = 0; row < draws; row++) {
            speculator.generate(new RowNoise(5, new RowKey(1, row)), text);
            counts[text[0] * 9 + text[1] * 3 + text[2]]++;
        }
        double chiSquare = 0;
        double[] law = new double[VOCABULARY];
        for (int cell = 0; cell < counts.length; cell++) {
            int[] tokens = {cell / 9, cell / 3 % 3, cell % 3};
            double expected = draws;
            for (int i = 0; i < LENGTH; i++) {
                speculator.target(tokens, i, law);
                expected *= law[tokens[i]];
            }
            chiSquare += (counts[cell] - expected) * (counts[cell] - expected) / expected;
        }
        return chiSquare;
    }

    /** Speculation without an engine: the laws are tables, everything else is the engine's. */
    private static final class Player {
        private final Sampling sampling;
        private final Sampler sampler = new Sampler(VOCABULARY);
        private final Proposer proposer;
        private final Rule rule;
        private final SaguaroSampling saguaro;
        private final Rejection rejection = new Rejection(VOCABULARY);
        private final float[][] targetLogits = new float[40][VOCABULARY];
        private final float[][] draftLogits = new float[40][VOCABULARY];
        private final double[] target = new double[VOCABULARY];
        private final double[][] proposed = new double[TOKENS][VOCABULARY];

        Player(float temperature, Proposer proposer, double factor, Rule rule) {
            this.sampling = new Sampling(LENGTH, temperature, 0, 1, 0, 1, List.of(), true, 0);
            this.proposer = proposer;
            this.rule = rule;
            this.saguaro = new SaguaroSampling(Speculation.of(Speculation.Strategy.SSD, Speculation.Drafting.MODEL)
                    .tokens(TOKENS)
                    .fanOut(1, Speculation.Spread.UNIFORM)
                    .rejection(factor));
            Random random = new Random(9);
            for (int state = 0; state < targetLogits.length; state++) {
                for (int token = 0; token < VOCABULARY; token++) {
                    targetLogits[state][token] = (float) random.nextGaussian();
                    draftLogits[state][token] = targetLogits[state][token] + (float) random.nextGaussian();
                }
            }
        }

        /** One number for each text of up to three tokens. */
        private static int state(int[] text, int length) {
            int state = 0;
            for (int i = 0; i < length; i++) {
                state = 3 * state + 1 + text[i];
            }
            return state;
        }

        void target(int[] text, int length, double[] law) {
            sampler.law(targetLogits[state(text, length)], 0, sampling, NOTHING_SEEN, law);
        }

        private void draft(int[] text, int length, double[] law) {
            sampler.law(draftLogits[state(text, length)], 0, sampling, NOTHING_SEEN, law);
        }

        void generate(RowNoise noise, int[] text) {
            int length = 0;
            while (length < LENGTH) {
                int begin = length;
                int count = Math.min(TOKENS, LENGTH - length - 1);
                int[] guess = Arrays.copyOf(text, LENGTH);
                for (int index = 0; index < count; index++) {
                    guess[begin + index] = propose(noise, guess, begin + index, index);
                }
                int index = 0;
                boolean accepted = true;
                while (accepted && index < count) {
                    text[length] = choose(noise, text, length, guess[length], index);
                    accepted = text[length] == guess[length];
                    length++;
                    index++;
                }
                if (accepted) {
                    text[length] = sampler.choose(
                                    targetLogits[state(text, length)], 0, sampling, noise, NOTHING_SEEN, length)
                            .token();
                    length++;
                }
            }
        }

        private int propose(RowNoise noise, int[] text, int length, int index) {
            if (proposer == Proposer.LOOKUP) {
                Arrays.fill(proposed[index], 0);
                int token = (length + 1) % VOCABULARY;
                proposed[index][token] = 1;
                return token;
            }
            draft(text, length, proposed[index]);
            saguaro.rescale(proposed[index], index);
            RowNoise.Purpose purpose = rule == Rule.ONE_STREAM ? RowNoise.Purpose.ACCEPT : RowNoise.Purpose.DRAFT;
            return Rejection.draw(proposed[index], noise.uniform(purpose, length));
        }

        private int choose(RowNoise noise, int[] text, int length, int token, int index) {
            target(text, length, target);
            if (rule == Rule.GREEDY_ACCEPTANCE) {
                int best = 0;
                for (int other = 1; other < VOCABULARY; other++) {
                    best = target[other] > target[best] ? other : best;
                }
                return token == best ? token : Rejection.draw(target, noise.uniform(RowNoise.Purpose.RESIDUAL, length));
            }
            if (rule == Rule.UNRESCALED) {
                draft(text, length, proposed[index]);
            }
            DraftLaw law = proposer == Proposer.LOOKUP ? DraftLaw.CERTAIN : new Table(proposed, token);
            return rejection.choose(target, noise, length, token, law, index, NOTHING_SEEN);
        }
    }

    private record Table(double[][] laws, int token) implements DraftLaw {
        @Override
        public double chance(int index) {
            return laws[index][token];
        }

        @Override
        public void fill(int index, int proposed, SeenTokens seen, double[] out) {
            System.arraycopy(laws[index], 0, out, 0, out.length);
        }
    }

    /** The same through the engine, with hits and misses: texts of five tokens, two kept at each place. */
    @ParameterizedTest
    @ValueSource(doubles = {1, 0.3})
    void textsOfTheEngineHaveTheTargetsLaw(double factor) {
        int rows = 12_000;
        int[] prompt = {5, 6};
        Sampling sampling = new Sampling(5, 1, 2, 1, 0, 1, List.of(), true, 8);
        List<int[]> texts = new ArrayList<>();
        try (BatchingEngine engine = BatchingEngine.start(
                        "test",
                        () -> HashModel.loaded(new HashModel(64), new HashModel(64), 3),
                        new EngineOptions(64, 512, 4, 1 << 20, 1 << 20),
                        speculation(Speculation.Strategy.SSD, Speculation.Drafting.MODEL)
                                .tokens(2)
                                .rejection(factor))
                .join()) {
            List<CompletableFuture<Generation>> futures = new ArrayList<>();
            for (int row = 0; row < rows; row++) {
                futures.add(engine.generate(new GenerationRequest(new RowKey(2, row), prompt, sampling)));
            }
            futures.forEach(future -> texts.add(future.join().tokens()));
            SpeculationMetrics metrics = engine.speculation();
            assertThat(metrics.hits()).isGreaterThan(rows / 20);
            assertThat(metrics.misses()).isGreaterThan(rows / 20);
            assertThat(metrics.accepted()).isBetween(metrics.proposed() / 10, metrics.proposed() * 9 / 10);
        }
        Map<String, Integer> counts = new HashMap<>();
        texts.forEach(text -> counts.merge(Arrays.toString(text), 1, Integer::sum));
        Map<String, Double> expected = new HashMap<>();
        expect(new Sampler(HashModel.VOCABULARY), sampling, prompt, rows, expected);
        assertThat(counts.keySet()).isSubsetOf(expected.keySet());
        double chiSquare = 0;
        for (Map.Entry<String, Double> cell : expected.entrySet()) {
            double difference = counts.getOrDefault(cell.getKey(), 0) - cell.getValue();
            chiSquare += difference * difference / cell.getValue();
        }
        int freedom = expected.size() - 1;
        assertThat(chiSquare).isLessThan(freedom + 6 * Math.sqrt(2 * freedom));
    }

    private static void expect(
            Sampler sampler, Sampling sampling, int[] text, double rows, Map<String, Double> expected) {
        if (text.length == 7) {
            expected.put(Arrays.toString(Arrays.copyOfRange(text, 2, 7)), rows);
            return;
        }
        double[] law = new double[HashModel.VOCABULARY];
        sampler.law(HashModel.logits(text), 0, sampling, NOTHING_SEEN, law);
        for (int token = 0; token < law.length; token++) {
            if (law[token] > 0) {
                int[] longer = Arrays.copyOf(text, text.length + 1);
                longer[text.length] = token;
                expect(sampler, sampling, longer, rows * law[token], expected);
            }
        }
    }

    private static Speculation speculation(Speculation.Strategy strategy, Speculation.Drafting drafter) {
        return Speculation.of(strategy, drafter)
                .tokens(3)
                .fanOut(3, Speculation.Spread.GEOMETRIC)
                .rejection(0.5);
    }

    private static List<String> run(Speculation speculation, EngineOptions options, List<GenerationRequest> requests) {
        List<String> results = new ArrayList<>(Collections.nCopies(requests.size(), ""));
        try (BatchingEngine engine = BatchingEngine.start(
                        "test", () -> HashModel.loaded(new HashModel(64), new HashModel(64), 3), options, speculation)
                .join()) {
            List<Integer> order = new ArrayList<>();
            for (int i = 0; i < requests.size(); i++) {
                order.add(i);
            }
            Collections.shuffle(order, new Random(options.pageTokens()));
            List<CompletableFuture<Generation>> futures = new ArrayList<>();
            order.forEach(i -> futures.add(engine.generate(requests.get(i))));
            for (int i = 0; i < order.size(); i++) {
                results.set(
                        order.get(i), BatchInvarianceTest.bits(futures.get(i).join()));
            }
            BatchInvarianceTest.awaitNoPages(engine);
        }
        return results;
    }

    /** Hits, misses, batches, chunks and preemptions leave the texts of this rule alone as well. */
    @ParameterizedTest
    @ValueSource(strings = {"MODEL", "BOTH"})
    void textsDoNotDependOnLimitsOrOnWhatWasForeseen(Speculation.Drafting drafter) {
        Random random = new Random(3);
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            Sampling sampling = BatchInvarianceTest.sampling(random);
            int[] prompt = random.ints(1 + random.nextInt(20), 0, 1 + random.nextInt(37))
                    .toArray();
            requests.add(new GenerationRequest(RowKey.of(i), prompt, sampling));
        }
        List<String> alone = run(
                speculation(Speculation.Strategy.SPECULATIVE, drafter),
                new EngineOptions(1, 512, 4, 1 << 20, 1 << 20),
                requests);
        assertThat(alone).doesNotHaveDuplicates();
        for (Speculation.Strategy strategy : List.of(Speculation.Strategy.SPECULATIVE, Speculation.Strategy.SSD)) {
            for (EngineOptions options : List.of(
                    new EngineOptions(32, 512, 4, 1 << 20, 1 << 20),
                    new EngineOptions(8, 4, 3, 1 << 20, 1 << 20),
                    new EngineOptions(32, 40, 2, 32 * 100, 1 << 20))) {
                assertThat(run(speculation(strategy, drafter), options, requests))
                        .as("%s %s", strategy, options)
                        .isEqualTo(alone);
            }
        }
    }

    @Test
    void greedyTextsAreThoseOfDecodingWithoutSpeculation() {
        List<GenerationRequest> requests = new ArrayList<>();
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            requests.add(new GenerationRequest(
                    RowKey.of(i), new int[] {4, 5 + i}, new Sampling(50, 0, 0, 1, 0, 1.2f, List.of(), true, 1)));
            expected.add(BatchInvarianceTest.bits(Oracle.generate(requests.get(i), 64)));
        }
        EngineOptions options = new EngineOptions(8, 64, 4, 1 << 20, 1 << 20);
        List<String> tokens = run(speculation(Speculation.Strategy.SSD, Speculation.Drafting.MODEL), options, requests);
        for (int i = 0; i < tokens.size(); i++) {
            assertThat(tokens.get(i)).isEqualTo(expected.get(i));
        }
    }
}
