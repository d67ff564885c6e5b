package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.model.Pooling;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/** Same row, same bits: whatever an engine's limits, neighbours, order, preemptions and cancellations. */
class BatchInvarianceTest {
    private static final int CONTEXT = 48;

    record Limits(int maxSequences, int stepTokens, int pageTokens, int pages) {
        EngineOptions options() {
            return new EngineOptions(maxSequences, stepTokens, pageTokens, 16L * pageTokens * pages, 1 << 20);
        }

        int positions() {
            return pages * pageTokens;
        }
    }

    @Provide
    Arbitrary<Limits> limits() {
        return Combinators.combine(
                        Arbitraries.of(1, 4, 64),
                        Arbitraries.of(1, 3, 16, 512),
                        Arbitraries.of(1, 2, 4, 16),
                        Arbitraries.integers().between(60, 160))
                .as((sequences, rows, pageTokens, positions) ->
                        new Limits(sequences, rows, pageTokens, (positions + pageTokens - 1) / pageTokens + 1));
    }

    @Property(tries = 300)
    void resultsAreThoseOfEachRequestAlone(
            @ForAll("limits") Limits limits, @ForAll boolean choosing, @ForAll long seed) {
        Random random = new Random(seed);
        List<Object> requests = new ArrayList<>();
        for (int i = 0; i < 4 + random.nextInt(24); i++) {
            requests.add(request(random));
        }
        Collections.shuffle(requests, random);
        HashModel model = new HashModel(CONTEXT);
        try (BatchingEngine engine = BatchingEngine.start(
                        "test", () -> choosing ? HashModel.choosing(model) : HashModel.loaded(model), limits.options())
                .join()) {
            List<CompletableFuture<?>> futures = new ArrayList<>();
            for (Object request : requests) {
                futures.add(submit(engine, request));
                if (random.nextInt(8) == 0) {
                    futures.get(random.nextInt(futures.size())).cancel(false);
                }
                if (random.nextInt(4) == 0) {
                    Thread.yield();
                }
            }
            for (int i = 0; i < futures.size(); i++) {
                if (!futures.get(i).isCancelled()) {
                    assertSame(outcome(futures.get(i)), expected(requests.get(i)), choosing);
                }
            }
            awaitNoPages(engine);
        }
    }

    @Property(tries = 60)
    void generatingBeyondTheCachePreemptsAndChangesNothing(@ForAll boolean choosing, @ForAll long seed) {
        Random random = new Random(seed);
        EngineOptions options = new EngineOptions(8, 16, 4, 16L * 4 * 14, 1 << 20);
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            requests.add(new GenerationRequest(
                    RowKey.of(i),
                    tokens(random, 1 + random.nextInt(6)),
                    new Sampling(40, 1, 0, 1, 0, choosing ? 1 : 1.2f, List.of(), !choosing, 5)));
        }
        HashModel model = new HashModel(CONTEXT);
        model.gate = new CountDownLatch(1);
        try (BatchingEngine engine = BatchingEngine.start(
                        "test", () -> choosing ? HashModel.choosing(model) : HashModel.loaded(model), options)
                .join()) {
            List<CompletableFuture<Generation>> futures =
                    requests.stream().map(engine::generate).toList();
            model.gate.countDown();
            for (int i = 0; i < futures.size(); i++) {
                assertSame(futures.get(i).join(), Oracle.generate(requests.get(i), CONTEXT), choosing);
            }
            assertThat(engine.metrics().preemptions()).isPositive();
            assertThat(engine.metrics().peakPages()).isGreaterThan(10);
            awaitNoPages(engine);
        }
    }

    /** A device that chooses gives log-probabilities in single precision, and else the same bits. */
    private static void assertSame(Object result, Object expected, boolean choosing) {
        if (choosing && expected instanceof Generation oracle && result instanceof Generation generation) {
            assertThat(generation.logProbability()).isCloseTo(oracle.logProbability(), within(1e-4));
            Generation rounded = new Generation(
                    generation.tokens(), generation.text(), oracle.logProbability(), generation.finish());
            assertThat(bits(rounded)).isEqualTo(bits(oracle));
        } else {
            assertThat(bits(result)).isEqualTo(bits(expected));
        }
    }

    /** A result as text in which every bit of it shows. */
    static String bits(Object result) {
        if (result instanceof Generation generation) {
            return "%s %s %s %s"
                    .formatted(
                            Arrays.toString(generation.tokens()),
                            generation.text(),
                            Double.toHexString(generation.logProbability()),
                            generation.finish());
        } else if (result instanceof Scoring scoring) {
            return "%s %d %d".formatted(bits(scoring.logProbabilities()), scoring.greedy(), scoring.windows());
        } else if (result instanceof Choices choices) {
            return choices.choices().stream()
                    .map(BatchInvarianceTest::bits)
                    .toList()
                    .toString();
        } else if (result instanceof Embedding embedding) {
            return bits(embedding.values());
        }
        return result.toString();
    }

    private static String bits(float[] values) {
        StringBuilder text = new StringBuilder();
        for (float value : values) {
            text.append(' ').append(Integer.toHexString(Float.floatToIntBits(value)));
        }
        return text.toString();
    }

    static void awaitNoPages(BatchingEngine engine) {
        // a request that fails or is withdrawn is told before its pages are freed, at the end of a step
        long deadline = System.nanoTime() + 5_000_000_000L;
        while (engine.metrics().pages() > 0 && System.nanoTime() < deadline) {
            Thread.onSpinWait();
        }
        assertThat(engine.metrics().pages()).isZero();
    }

    static Object outcome(CompletableFuture<?> future) {
        try {
            return future.join();
        } catch (CompletionException e) {
            return ((PaloverdeException) e.getCause()).code();
        }
    }

    private static CompletableFuture<?> submit(Engine engine, Object request) {
        if (request instanceof GenerationRequest generation) {
            return engine.generate(generation);
        } else if (request instanceof ScoringRequest scoring) {
            return engine.score(scoring);
        } else if (request instanceof ChoicesRequest choices) {
            return engine.choose(choices);
        }
        return engine.embed((EmbeddingRequest) request);
    }

    private static Object expected(Object request) {
        if (request instanceof GenerationRequest generation) {
            return poisoned(generation.prompt()) ? ErrorCode.NOT_A_NUMBER : Oracle.generate(generation, CONTEXT);
        } else if (request instanceof ScoringRequest scoring) {
            int[] rows = Arrays.copyOf(scoring.tokens(), scoring.tokens().length - 1);
            return poisoned(rows) ? ErrorCode.NOT_A_NUMBER : Oracle.score(scoring);
        } else if (request instanceof ChoicesRequest choices) {
            return poisoned(choices.context()) ? ErrorCode.NOT_A_NUMBER : Oracle.choose(choices);
        }
        EmbeddingRequest embedding = (EmbeddingRequest) request;
        return poisoned(embedding.tokens()) ? ErrorCode.NOT_A_NUMBER : Oracle.embed(embedding);
    }

    private static boolean poisoned(int[] tokens) {
        return Arrays.stream(tokens).anyMatch(token -> token == HashModel.POISON);
    }

    private static Object request(Random random) {
        return switch (random.nextInt(5)) {
            case 0, 1 ->
                new GenerationRequest(
                        RowKey.of(random.nextLong()),
                        maybePoisoned(random, tokens(random, 1 + random.nextInt(30))),
                        sampling(random));
            case 2 -> {
                int window = 2 + random.nextInt(CONTEXT - 1);
                yield new ScoringRequest(
                        maybePoisoned(random, tokens(random, 2 + random.nextInt(120))),
                        window,
                        1 + random.nextInt(window - 1));
            }
            case 3 -> {
                List<int[]> choices = new ArrayList<>();
                for (int i = 0; i < 1 + random.nextInt(5); i++) {
                    choices.add(tokens(random, 1 + random.nextInt(12)));
                }
                yield new ChoicesRequest(maybePoisoned(random, tokens(random, 1 + random.nextInt(30))), choices);
            }
            default ->
                new EmbeddingRequest(
                        maybePoisoned(random, tokens(random, 1 + random.nextInt(CONTEXT))),
                        random.nextBoolean() ? Pooling.MEAN : Pooling.LAST);
        };
    }

    static Sampling sampling(Random random) {
        return new Sampling(
                1 + random.nextInt(40),
                random.nextInt(3) == 0 ? 0 : random.nextFloat() * 2,
                random.nextBoolean() ? 0 : 1 + random.nextInt(50),
                random.nextBoolean() ? 1 : 1 - random.nextFloat() * 0.9f,
                random.nextBoolean() ? 0 : random.nextFloat(),
                random.nextBoolean() ? 1 : 0.5f + random.nextFloat(),
                switch (random.nextInt(3)) {
                    case 0 -> List.of();
                    case 1 -> List.of("ä");
                    default -> List.of("cab", "da b", "ee");
                },
                random.nextBoolean(),
                random.nextInt(3));
    }

    private static int[] maybePoisoned(Random random, int[] tokens) {
        if (random.nextInt(10) == 0) {
            tokens[random.nextInt(tokens.length)] = HashModel.POISON;
        }
        return tokens;
    }

    private static int[] tokens(Random random, int count) {
        return random.ints(count, 0, HashModel.POISON).toArray();
    }
}
