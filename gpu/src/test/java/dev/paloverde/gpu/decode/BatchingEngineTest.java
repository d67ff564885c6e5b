package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class BatchingEngineTest {
    private static final int CONTEXT = 64;
    private static final EngineOptions OPTIONS = options(8, 16, 4, 64, 1 << 20);

    private final HashModel model = new HashModel(CONTEXT);

    private static EngineOptions options(
            int maxSequences, int stepTokens, int pageTokens, int pages, long maxQueuedTokens) {
        return new EngineOptions(maxSequences, stepTokens, pageTokens, 16L * pageTokens * pages, maxQueuedTokens);
    }

    private BatchingEngine start(EngineOptions options) {
        return BatchingEngine.start("test", () -> HashModel.loaded(model), options)
                .join();
    }

    private static GenerationRequest generation(Object key, int maxTokens, int... prompt) {
        return new GenerationRequest(
                RowKey.of(key), prompt, new Sampling(maxTokens, 1, 0, 1, 0, 1, List.of(), true, 0));
    }

    private static void assertFails(CompletableFuture<?> future, ErrorCode code, String... message) {
        assertThatThrownBy(future::join)
                .isInstanceOf(CompletionException.class)
                .cause()
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(code))
                .satisfies(e -> assertThat(e.getMessage()).contains(message.length == 0 ? new String[] {""} : message));
    }

    @Test
    void everyTokenOfALongTextIsScoredOnceWithTheContextOfItsWindow() {
        int[] text = new Random(1).ints(150, 1, HashModel.POISON).toArray();
        try (Engine engine = start(OPTIONS)) {
            Scoring scoring = engine.score(new ScoringRequest(text, 64, 32)).join();
            assertThat(scoring.windows()).isEqualTo(4);
            assertThat(scoring.logProbabilities()).hasSize(149).doesNotContain(Float.NaN);
            // token 64 is the first of the second window, which begins at 32
            float expected =
                    (float) HashModel.logProbability(HashModel.logits(Arrays.copyOfRange(text, 32, 64)), 0, text[64]);
            assertThat(scoring.logProbabilities()[63]).isEqualTo(expected);
            assertThat(engine.score(new ScoringRequest(text, 64, 63)).join().windows())
                    .isEqualTo(3);
            assertThat(engine.score(new ScoringRequest(Arrays.copyOf(text, 64), 64, 1))
                            .join()
                            .windows())
                    .isEqualTo(1);
            assertThat(engine.score(new ScoringRequest(Arrays.copyOf(text, 65), 64, 1))
                            .join()
                            .windows())
                    .isEqualTo(2);
        }
    }

    @Test
    void theContextOfChoicesIsComputedOnce() {
        int[] context = new Random(1).ints(30, 1, HashModel.POISON).toArray();
        List<int[]> choices = List.of(new int[] {1, 2, 3}, new int[] {4}, new int[] {5, 6, 7, 8});
        try (Engine engine = start(OPTIONS)) {
            Choices result = engine.choose(new ChoicesRequest(context, choices)).join();
            assertThat(engine.metrics().prefillTokens()).isEqualTo(30 + 2 + 3);
            assertThat(BatchInvarianceTest.bits(result))
                    .isEqualTo(BatchInvarianceTest.bits(Oracle.choose(new ChoicesRequest(context, choices))));
            // 8 pages for the context; its last is partly filled, so each fork has a copy of it and a page for the rest
            assertThat(engine.metrics().peakPages()).isLessThanOrEqualTo(8 + 2 * 2);
        }
    }

    @Test
    void aGenerationEndsAtTheEndOfTheContext() {
        int[] prompt = new Random(1).ints(60, 1, HashModel.POISON).toArray();
        try (Engine engine = start(OPTIONS)) {
            Generation generation = engine.generate(generation(1, 50, prompt)).join();
            assertThat(generation.finish()).isEqualTo(FinishReason.CONTEXT);
            assertThat(generation.tokens()).hasSize(4);
            assertThat(engine.generate(generation(1, 4, prompt)).join().finish())
                    .isEqualTo(FinishReason.LENGTH);
            assertFails(engine.generate(generation(1, 4, new int[64])), ErrorCode.INPUT_TOO_LONG, "64 tokens", "is 64");
        }
    }

    @Test
    void whatTheCacheCanNeverHoldIsRefusedWithTheNumberToRaise() {
        try (BatchingEngine engine = start(options(8, 16, 4, 10, 1 << 20))) {
            assertThat(engine.context()).isEqualTo(40);
            assertFails(
                    engine.generate(generation(1, 4, new int[41])),
                    ErrorCode.INPUT_TOO_LONG,
                    "41 tokens need 11 pages of 4 tokens",
                    "has 10",
                    "kv-bytes is 640: raise it to 704");
            assertFails(engine.score(new ScoringRequest(new int[60], 60, 1)), ErrorCode.INPUT_TOO_LONG, "kv-bytes");
            assertFails(
                    engine.embed(new EmbeddingRequest(new int[41], Pooling.LAST)),
                    ErrorCode.INPUT_TOO_LONG,
                    "kv-bytes");
            assertFails(
                    engine.choose(new ChoicesRequest(new int[37], List.of(new int[3]))),
                    ErrorCode.INPUT_TOO_LONG,
                    "39 tokens need 11 pages");
            assertThat(engine.choose(new ChoicesRequest(new int[36], List.of(new int[5])))
                            .join()
                            .choices())
                    .hasSize(1);
            // one that outgrows the cache fails when it does, and the others do not
            CompletableFuture<Generation> endless = engine.generate(generation(1, 60, 5));
            CompletableFuture<Generation> other = engine.generate(generation(2, 30, 5));
            assertFails(endless, ErrorCode.INPUT_TOO_LONG, "41 tokens need 11 pages");
            assertThat(other.join().tokens()).hasSize(30);
            BatchInvarianceTest.awaitNoPages(engine);
        }
    }

    @Test
    void inputsThatMakeNoSenseAreRefused() {
        try (Engine engine = start(OPTIONS)) {
            assertFails(engine.generate(generation(1, 4)), ErrorCode.EMPTY_INPUT, "0 tokens");
            assertFails(engine.score(new ScoringRequest(new int[1], 8, 4)), ErrorCode.EMPTY_INPUT, "1 tokens");
            assertFails(engine.score(new ScoringRequest(new int[9], 8, 8)), ErrorCode.INVALID_OPTION, "stride is 8");
            assertFails(engine.score(new ScoringRequest(new int[9], 8, 0)), ErrorCode.INVALID_OPTION, "stride is 0");
            assertFails(engine.score(new ScoringRequest(new int[9], 65, 8)), ErrorCode.INVALID_OPTION, "window is 65");
            assertFails(engine.choose(new ChoicesRequest(new int[1], List.of())), ErrorCode.EMPTY_INPUT, "choices");
            assertFails(engine.choose(new ChoicesRequest(new int[1], List.of(new int[0]))), ErrorCode.EMPTY_INPUT);
            assertFails(engine.choose(new ChoicesRequest(new int[60], List.of(new int[5]))), ErrorCode.INPUT_TOO_LONG);
            assertFails(
                    engine.embed(new EmbeddingRequest(new int[] {40}, Pooling.MEAN)),
                    ErrorCode.TOKENIZER_MISMATCH,
                    "token 40",
                    "vocabulary of 40");
        }
    }

    @Test
    void aRowThatIsNotANumberFailsAlone() {
        try (BatchingEngine engine = start(OPTIONS)) {
            List<CompletableFuture<Generation>> good = new ArrayList<>();
            List<CompletableFuture<?>> bad = new ArrayList<>();
            for (int i = 0; i < 6; i++) {
                good.add(engine.generate(generation(i, 20, 3, 4)));
                bad.add(engine.generate(generation(i, 20, 3, HashModel.POISON)));
                bad.add(engine.score(new ScoringRequest(new int[] {3, HashModel.POISON, 4, 5}, 4, 2)));
                bad.add(engine.choose(new ChoicesRequest(
                        new int[] {3, HashModel.POISON, 4, 5}, List.of(new int[] {1, 2, 3}, new int[] {1, 2}))));
                bad.add(engine.embed(new EmbeddingRequest(new int[] {HashModel.POISON}, Pooling.MEAN)));
            }
            bad.forEach(future -> assertFails(future, ErrorCode.NOT_A_NUMBER));
            for (int i = 0; i < good.size(); i++) {
                assertThat(BatchInvarianceTest.bits(good.get(i).join()))
                        .isEqualTo(BatchInvarianceTest.bits(Oracle.generate(generation(i, 20, 3, 4), CONTEXT)));
            }
            BatchInvarianceTest.awaitNoPages(engine);
        }
    }

    @Test
    void aStepThatBreaksFailsEverythingAndWhatComesAfter() {
        model.gate = new CountDownLatch(1);
        BatchingEngine engine = start(OPTIONS);
        List<CompletableFuture<Generation>> futures = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            futures.add(engine.generate(generation(i, 20, i == 5 ? HashModel.BREAK : i)));
        }
        model.gate.countDown();
        futures.forEach(future -> assertFails(future, ErrorCode.ENGINE_FAILED, "the device broke"));
        assertThat(engine.open()).isFalse();
        assertFails(engine.generate(generation(1, 2, 3)), ErrorCode.ENGINE_FAILED, "stopped", "the device broke");
        engine.close();
    }

    @Test
    void aLostDeviceIsSaidToWhoCanEndTheProcessOnceTheRequestsHaveFailed() throws Exception {
        PaloverdeException fault = new PaloverdeException(ErrorCode.ENGINE_FAILED, "the GPU fell off the bus");
        CompletableFuture<PaloverdeException> said = new CompletableFuture<>();
        BatchingEngine engine = start(OPTIONS);
        CompletableFuture<Generation> before = engine.generate(generation(1, 2, 3));
        before.join();
        Engines.onFault(said::complete);
        try {
            engine.generate(generation(2, 2, HashModel.BREAK))
                    .exceptionally(e -> null)
                    .join();
            engine.close();
            assertThat(said).as("the step broke, and the device works").isNotDone();

            model.fault = fault;
            BatchingEngine other = start(OPTIONS);
            CompletableFuture<Generation> lost = other.generate(generation(2, 2, HashModel.BREAK));
            assertThat(said.get(10, TimeUnit.SECONDS)).isSameAs(fault);
            assertThat(lost).isCompletedExceptionally();
            other.close();
        } finally {
            Engines.onFault(error -> {});
        }
    }

    @Test
    void aLostDeviceOfTheDraftModelIsSaidToo() throws Exception {
        PaloverdeException fault = new PaloverdeException(ErrorCode.ENGINE_FAILED, "the other GPU fell off the bus");
        CompletableFuture<PaloverdeException> said = new CompletableFuture<>();
        HashModel draft = new HashModel(48);
        draft.fault = fault;
        Engines.onFault(said::complete);
        try (BatchingEngine engine = BatchingEngine.start(
                        "test",
                        () -> HashModel.loaded(new HashModel(48), draft, 0),
                        OPTIONS,
                        Speculation.of(Speculation.Strategy.SSD, Speculation.Drafting.MODEL))
                .join()) {
            engine.generate(generation(2, 2, HashModel.BREAK))
                    .exceptionally(e -> null)
                    .join();
            assertThat(said.get(10, TimeUnit.SECONDS)).isSameAs(fault);
        } finally {
            Engines.onFault(error -> {});
        }
    }

    @Test
    void closingFailsWhatIsNotDone() {
        model.gate = new CountDownLatch(1);
        BatchingEngine engine = start(OPTIONS);
        List<CompletableFuture<Generation>> futures = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            futures.add(engine.generate(generation(i, 20, i)));
        }
        CompletableFuture<Void> closed = CompletableFuture.runAsync(engine::close);
        while (engine.open()) {
            Thread.onSpinWait();
        }
        model.gate.countDown();
        closed.join();
        futures.forEach(future -> assertFails(future, ErrorCode.CANCELLED));
        assertFails(engine.generate(generation(1, 2, 3)), ErrorCode.CANCELLED, "closed");
    }

    @Test
    void aCancelledRequestGivesItsPagesBack() {
        model.gate = new CountDownLatch(1);
        // one sequence at a time: the second waits for the first
        try (BatchingEngine engine = start(options(1, 16, 4, 64, 1 << 20))) {
            CompletableFuture<Generation> first = engine.generate(generation(1, 60, 1, 2, 3));
            CompletableFuture<Generation> second = engine.generate(generation(2, 5, 1, 2, 3));
            CompletableFuture<Generation> third = engine.generate(generation(3, 5, 1, 2, 3));
            first.cancel(false);
            third.completeExceptionally(new IllegalStateException("the user's own"));
            model.gate.countDown();
            assertThat(second.join().tokens()).hasSize(5);
            BatchInvarianceTest.awaitNoPages(engine);
            assertThat(engine.metrics().decodeTokens()).isLessThan(15);
        }
    }

    @Test
    void submittingWaitsWhileTooMuchIsWaiting() throws Exception {
        model.gate = new CountDownLatch(1);
        try (BatchingEngine engine = start(options(1, 16, 4, 64, 10))) {
            List<CompletableFuture<Generation>> futures = new ArrayList<>();
            // what is larger than the queue is taken when the queue is empty
            futures.add(engine.generate(generation(0, 2, new int[20])));
            AtomicReference<CompletableFuture<Generation>> blocked = new AtomicReference<>();
            Thread submitter = new Thread(() -> {
                for (int i = 0; i < 3; i++) {
                    engine.generate(generation(i, 2, 1, 2, 3, 4));
                }
                blocked.set(engine.generate(generation(9, 2, 1, 2, 3, 4)));
            });
            submitter.start();
            submitter.join(300);
            assertThat(submitter.isAlive()).isTrue();
            assertThat(blocked.get()).isNull();
            submitter.interrupt();
            submitter.join();
            assertFails(blocked.get(), ErrorCode.CANCELLED, "interrupted");
            model.gate.countDown();
            for (int i = 0; i < 50; i++) {
                futures.add(engine.generate(generation(i, 2, 1, 2, 3, 4)));
            }
            futures.forEach(CompletableFuture::join);
        }
    }

    @Test
    void whoCameFirstIsDoneFirstThoughPagesAreShort() {
        model.gate = new CountDownLatch(1);
        try (BatchingEngine engine = start(options(8, 16, 4, 14, 1 << 20))) {
            List<Integer> order = Collections.synchronizedList(new ArrayList<>());
            List<Integer> submitted = new ArrayList<>();
            List<CompletableFuture<Void>> futures = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                int row = i;
                submitted.add(row);
                futures.add(engine.generate(generation(row, 30, 1, 2, 3)).thenAccept(done -> order.add(row)));
            }
            model.gate.countDown();
            futures.forEach(CompletableFuture::join);
            assertThat(order).isEqualTo(submitted);
            assertThat(engine.metrics().preemptions()).isPositive();
        }
    }

    @Test
    void aResultMaySubmitTheNextRequestFromTheEnginesThread() {
        try (BatchingEngine engine = start(options(2, 16, 4, 64, 4))) {
            CompletableFuture<Generation> chain = engine.generate(generation(0, 3, 1, 2, 3, 4));
            for (int i = 1; i < 20; i++) {
                int row = i;
                chain = chain.thenCompose(last -> {
                    engine.generate(generation(-row, 3, 1, 2, 3, 4));
                    return engine.generate(generation(row, 3, last.tokens()));
                });
            }
            assertThat(chain.join().tokens()).hasSize(3);
        }
    }

    @Test
    void manyThreadsAreServedAtOnce() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(16);
        try (BatchingEngine engine = start(options(8, 16, 4, 48, 200))) {
            List<Future<Boolean>> rows = new ArrayList<>();
            for (int thread = 0; thread < 16; thread++) {
                int seed = thread;
                rows.add(threads.submit(() -> {
                    Random random = new Random(seed);
                    boolean same = true;
                    for (int i = 0; i < 12; i++) {
                        int[] prompt = random.ints(1 + random.nextInt(30), 0, HashModel.POISON)
                                .toArray();
                        GenerationRequest request = generation(seed * 100 + i, 1 + random.nextInt(30), prompt);
                        CompletableFuture<Generation> future = engine.generate(request);
                        CompletableFuture<Generation> withdrawn = engine.generate(request);
                        withdrawn.cancel(true);
                        same &= BatchInvarianceTest.bits(future.join())
                                .equals(BatchInvarianceTest.bits(Oracle.generate(request, CONTEXT)));
                    }
                    return same;
                }));
            }
            for (Future<Boolean> row : rows) {
                assertThat(row.get(60, TimeUnit.SECONDS)).isTrue();
            }
            BatchInvarianceTest.awaitNoPages(engine);
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void aModelThatCannotBeLoadedOrACacheThatDoesNotFitIsReported() {
        assertFails(
                BatchingEngine.start(
                        "test",
                        () -> {
                            throw new IllegalArgumentException("no such model");
                        },
                        OPTIONS),
                ErrorCode.ENGINE_FAILED,
                "could not be loaded",
                "no such model");
        assertFails(
                BatchingEngine.start("test", () -> HashModel.loaded(model), new EngineOptions(1, 16, 16, 255, 1 << 20)),
                ErrorCode.INVALID_OPTION,
                "kv-bytes is 255",
                "takes 256");
        assertFails(
                BatchingEngine.start(
                        "test",
                        () -> HashModel.loaded(new HashModel(1 << 30)),
                        new EngineOptions(64, 16, 16, 16L << 30, 1 << 20)),
                ErrorCode.OUT_OF_MEMORY,
                "takes 17179869184 bytes",
                "lower kv-bytes (now 17179869184)");
    }

    @Test
    void metricsCountRowsAndSequences() {
        try (Engine engine = start(OPTIONS)) {
            engine.generate(generation(1, 5, 1, 2, 3)).join();
            EngineMetrics metrics = engine.metrics();
            assertThat(metrics.prefillTokens()).isEqualTo(3);
            assertThat(metrics.decodeTokens()).isEqualTo(5);
            assertThat(metrics.steps()).isEqualTo(5);
            assertThat(metrics.sequenceSteps()).isEqualTo(5);
            assertThat(metrics.preemptions()).isZero();
            assertThat(metrics.pages()).isZero();
            assertThat(metrics.peakPages()).isEqualTo(2);
        }
    }
}
