package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** With the coupled rule a strategy changes how fast results come and no bit of them. */
@Timeout(60)
class SpeculationTest {
    private static final int CONTEXT = 48;

    /** @param proposing whether the draft model runs on by itself */
    record Setup(Speculation speculation, float noise, EngineOptions options, boolean proposing) {
        Setup(Speculation speculation, float noise, EngineOptions options) {
            this(speculation, noise, options, false);
        }
    }

    @Provide
    Arbitrary<Setup> setups() {
        Arbitrary<Speculation> speculations = Combinators.combine(
                        Arbitraries.of(Speculation.Strategy.SPECULATIVE, Speculation.Strategy.SSD),
                        Arbitraries.of(Speculation.Drafting.class),
                        Arbitraries.of(1, 2, 5, 9),
                        Arbitraries.of(0, 1, 3, 8),
                        Arbitraries.of(Speculation.Spread.class),
                        Arbitraries.of(Speculation.Fallback.class),
                        Arbitraries.of(Speculation.Pace.class))
                .as((strategy, drafter, tokens, fanOut, spread, fallback, pace) -> {
                    boolean ahead = drafter != Speculation.Drafting.LOOKUP;
                    return Speculation.of(ahead ? strategy : Speculation.Strategy.SPECULATIVE, drafter)
                            .tokens(tokens)
                            .fanOut(fanOut, spread)
                            .fallback(fallback)
                            .pace(pace);
                });
        Arbitrary<EngineOptions> options = Combinators.combine(
                        Arbitraries.of(1, 4, 32),
                        Arbitraries.of(1, 3, 16, 512),
                        Arbitraries.of(1, 2, 4, 16),
                        Arbitraries.integers().between(60, 160))
                .as((sequences, rows, pageTokens, positions) -> new EngineOptions(
                        sequences,
                        rows,
                        pageTokens,
                        32L * pageTokens * ((positions + pageTokens - 1) / pageTokens + 1),
                        1 << 20));
        return Combinators.combine(
                        speculations, Arbitraries.of(0f, 0.3f, 1f, 4f, 1000f), options, Arbitraries.of(true, false))
                .as(Setup::new);
    }

    private static BatchingEngine start(Setup setup, HashModel model) {
        return BatchingEngine.start(
                        "test",
                        () -> setup.proposing
                                ? HashModel.proposing(model, new HashModel(CONTEXT), setup.noise)
                                : HashModel.loaded(model, new HashModel(CONTEXT), setup.noise),
                        setup.options,
                        setup.speculation)
                .join();
    }

    @Property(tries = 300)
    void noStrategyChangesABitOfAResult(@ForAll("setups") Setup setup, @ForAll long seed) {
        Random random = new Random(seed);
        HashModel model = new HashModel(CONTEXT);
        model.gate = new CountDownLatch(random.nextInt(2));
        try (BatchingEngine engine = start(setup, model)) {
            List<GenerationRequest> requests = new ArrayList<>();
            List<CompletableFuture<Generation>> futures = new ArrayList<>();
            for (int i = 0; i < 4 + random.nextInt(20); i++) {
                requests.add(request(random));
                futures.add(engine.generate(requests.get(i)));
                if (random.nextInt(8) == 0) {
                    futures.get(random.nextInt(futures.size())).cancel(false);
                }
                if (random.nextInt(6) == 0) {
                    int[] text = tokens(random, 2 + random.nextInt(40));
                    ScoringRequest scoring = new ScoringRequest(text, 30, 17);
                    assertThatFutureIsScored(engine.score(scoring), scoring);
                }
            }
            model.gate.countDown();
            for (int i = 0; i < futures.size(); i++) {
                if (!futures.get(i).isCancelled()) {
                    assertThat(BatchInvarianceTest.bits(BatchInvarianceTest.outcome(futures.get(i))))
                            .isEqualTo(BatchInvarianceTest.bits(expected(requests.get(i))));
                }
            }
            BatchInvarianceTest.awaitNoPages(engine);
        }
    }

    private static void assertThatFutureIsScored(CompletableFuture<Scoring> future, ScoringRequest request) {
        future.thenAccept(scoring -> assertThat(BatchInvarianceTest.bits(scoring))
                .isEqualTo(BatchInvarianceTest.bits(Oracle.score(request))));
    }

    private static Object expected(GenerationRequest request) {
        return Arrays.stream(request.prompt()).anyMatch(token -> token == HashModel.POISON)
                ? ErrorCode.NOT_A_NUMBER
                : Oracle.generate(request, CONTEXT);
    }

    private static GenerationRequest request(Random random) {
        int[] prompt = tokens(random, 1 + random.nextInt(30));
        if (random.nextInt(12) == 0) {
            prompt[random.nextInt(prompt.length)] = HashModel.POISON;
        }
        return new GenerationRequest(RowKey.of(random.nextLong()), prompt, BatchInvarianceTest.sampling(random));
    }

    private static int[] tokens(Random random, int count) {
        // few different ones, so that a lookup finds something
        int kinds = 2 + random.nextInt(HashModel.POISON - 2);
        return random.ints(count, 0, kinds).toArray();
    }

    private static GenerationRequest plain(int key, int maxTokens, float temperature, int... prompt) {
        return new GenerationRequest(
                RowKey.of(key), prompt, new Sampling(maxTokens, temperature, 0, 1, 0, 1, List.of(), true, 0));
    }

    @Test
    void aDraftThatIsTheTargetIsAlwaysRight() {
        Speculation speculation = Speculation.of(Speculation.Strategy.SPECULATIVE, Speculation.Drafting.MODEL)
                .tokens(4)
                .pace(Speculation.Pace.ALWAYS);
        EngineOptions options = new EngineOptions(4, 64, 4, 1 << 16, 1 << 20);
        for (float temperature : new float[] {0, 0.7f, 1}) {
            try (Engine engine = start(new Setup(speculation, 0, options), new HashModel(CONTEXT))) {
                // the first token comes with the prompt, then five rounds of four and the one that the target adds
                assertThat(engine.generate(plain(1, 26, temperature, 5, 6, 7))
                                .join()
                                .tokens())
                        .hasSize(26);
                SpeculationMetrics metrics = engine.speculation();
                assertThat(metrics.rounds()).isEqualTo(5);
                assertThat(metrics.proposed()).isEqualTo(20);
                assertThat(metrics.accepted()).isEqualTo(20);
                assertThat(engine.metrics().steps()).isEqualTo(6);
                assertThat(engine.metrics().decodeTokens()).isEqualTo(26);
            }
        }
    }

    /** Every proposal is what the draft model says about this prefix, whatever was rejected or computed again before. */
    @ParameterizedTest
    @CsvSource({
        "SPECULATIVE, 0.3, false",
        "SPECULATIVE, 1, true",
        "SPECULATIVE, 3, false",
        "SSD, 0.3, true",
        "SSD, 1, false",
        "SSD, 3, true"
    })
    void proposalsAreThoseOfADraftWithoutACache(Speculation.Strategy strategy, float noise, boolean proposing) {
        int tokens = 4;
        Speculation speculation = Speculation.of(strategy, Speculation.Drafting.MODEL)
                .tokens(tokens)
                .fallback(Speculation.Fallback.DRAFT)
                .pace(Speculation.Pace.ALWAYS);
        long rounds = 0;
        long accepted = 0;
        // one request at a time, since a batch may leave no room for all proposals; prefills of the draft come in
        // chunks
        EngineOptions options = new EngineOptions(3, 7, 3, 1 << 16, 1 << 20);
        try (BatchingEngine engine = start(new Setup(speculation, noise, options, proposing), new HashModel(CONTEXT))) {
            for (int i = 0; i < 30; i++) {
                GenerationRequest request = new GenerationRequest(
                        RowKey.of(i),
                        tokens(new Random(i), 1 + i % 7),
                        new Sampling(25, i % 3 * 0.5f, 0, 1, 0, i % 2 == 0 ? 1 : 1.3f, List.of(), true, 3));
                Generation generation = engine.generate(request).join();
                int[] text = concat(request.prompt(), generation.tokens());
                for (int length = request.prompt().length + 1; length < text.length; rounds++) {
                    int agreed = agreed(request, text, length, Math.min(tokens, text.length - length - 1), noise);
                    accepted += agreed;
                    length += agreed + 1;
                }
            }
            assertThat(engine.speculation().accepted()).isEqualTo(accepted).isPositive();
            assertThat(engine.speculation().rounds() + engine.speculation().plainSteps())
                    .isEqualTo(rounds);
            if (strategy == Speculation.Strategy.SSD) {
                assertThat(engine.speculation().hits()).isPositive();
                assertThat(engine.speculation().hits() + engine.speculation().misses())
                        .isLessThanOrEqualTo(rounds - 30);
            }
        }
    }

    /** How many of the next tokens of a text the draft model would propose, its own proposals taken as given. */
    private static int agreed(GenerationRequest request, int[] text, int length, int most, float noise) {
        Sampler sampler = new Sampler(HashModel.VOCABULARY);
        RowNoise rowNoise = new RowNoise(request.sampling().seed(), request.key());
        int agreed = 0;
        while (agreed < most) {
            int[] prefix = Arrays.copyOf(text, length + agreed);
            SeenTokens seen = new SeenTokens();
            Arrays.stream(prefix).forEach(seen::add);
            float[] logits = HashModel.draftLogits(noise, prefix);
            if (sampler.propose(logits, 0, request.sampling(), rowNoise, seen, prefix.length) != text[prefix.length]) {
                break;
            }
            agreed++;
        }
        return agreed;
    }

    private static int[] concat(int[] head, int[] tail) {
        int[] all = Arrays.copyOf(head, head.length + tail.length);
        System.arraycopy(tail, 0, all, head.length, tail.length);
        return all;
    }

    @Test
    void preemptedSequencesGoOnWithADraftThatIsAlwaysRight() {
        Speculation speculation = Speculation.of(Speculation.Strategy.SPECULATIVE, Speculation.Drafting.MODEL)
                .tokens(3)
                .pace(Speculation.Pace.ALWAYS);
        HashModel model = new HashModel(CONTEXT);
        model.gate = new CountDownLatch(1);
        // 14 pages of 4
        try (Engine engine =
                start(new Setup(speculation, 0, new EngineOptions(8, 16, 4, 32 * 4 * 14, 1 << 20)), model)) {
            List<GenerationRequest> requests = new ArrayList<>();
            List<CompletableFuture<Generation>> futures = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                requests.add(plain(i, 40, 1, 1 + i, 2, 3));
                futures.add(engine.generate(requests.get(i)));
            }
            model.gate.countDown();
            for (int i = 0; i < futures.size(); i++) {
                assertThat(BatchInvarianceTest.bits(futures.get(i).join()))
                        .isEqualTo(BatchInvarianceTest.bits(Oracle.generate(requests.get(i), CONTEXT)));
            }
            assertThat(engine.metrics().preemptions()).isPositive();
            assertThat(engine.speculation().rounds()).isPositive();
            assertThat(engine.speculation().acceptedShare())
                    .as("pages of the draft are in order after preemptions and rollbacks")
                    .isEqualTo(1);
            assertThat(engine.metrics().peakPages()).isLessThanOrEqualTo(14);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Speculation.Drafting.class,
            names = {"LOOKUP", "BOTH"})
    void aTextThatRepeatsItselfIsLookedUp(Speculation.Drafting drafter) {
        Speculation speculation = Speculation.of(Speculation.Strategy.SPECULATIVE, drafter)
                .tokens(6)
                .pace(Speculation.Pace.ALWAYS);
        EngineOptions options = new EngineOptions(4, 64, 4, 1 << 16, 1 << 20);
        GenerationRequest request = plain(1, 40, 0, 5, 6, 7);
        // a draft model that is always wrong, and a target that soon repeats itself
        try (Engine engine = start(new Setup(speculation, 1000, options), new HashModel(CONTEXT, 1));
                Engine alone = BatchingEngine.start("test", () -> HashModel.loaded(new HashModel(CONTEXT, 1)), options)
                        .join()) {
            assertThat(BatchInvarianceTest.bits(engine.generate(request).join()))
                    .isEqualTo(BatchInvarianceTest.bits(alone.generate(request).join()));
            assertThat(engine.speculation().accepted()).isGreaterThan(20);
            assertThat(engine.metrics().steps()).isLessThan(25);
            assertThat(alone.metrics().steps()).isEqualTo(40);
        }
    }

    @Test
    void vocabulariesThatDifferAreReported() {
        HashModel other = new HashModel(CONTEXT) {
            @Override
            public int vocabulary() {
                return 41;
            }
        };
        Speculation speculation = Speculation.of(Speculation.Strategy.SPECULATIVE, Speculation.Drafting.MODEL);
        CompletableFuture<BatchingEngine> engine = BatchingEngine.start(
                "test",
                () -> HashModel.loaded(new HashModel(CONTEXT), other, 0),
                EngineOptions.defaults(),
                speculation);
        assertThat(engine)
                .failsWithin(java.time.Duration.ofSeconds(20))
                .withThrowableThat()
                .havingCause()
                .isInstanceOfSatisfying(PaloverdeException.class, e -> {
                    assertThat(e.code()).isEqualTo(ErrorCode.TOKENIZER_MISMATCH);
                    assertThat(e.getMessage()).contains("41 tokens", "one of 40");
                });
    }
}
