package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;

import dev.paloverde.gpu.kernels.KvCache;
import dev.paloverde.gpu.kernels.StepBatch;
import dev.paloverde.gpu.kernels.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is drafted during a step is there after it. */
@Timeout(60)
class SsdTest {
    private static final int CONTEXT = 200;
    private static final int TOKENS = 4;

    private static Speculation ssd(int fanOut, Speculation.Spread spread) {
        return Speculation.of(Speculation.Strategy.SSD, Speculation.Drafting.MODEL)
                .tokens(TOKENS)
                .fanOut(fanOut, spread)
                .fallback(Speculation.Fallback.DRAFT)
                .pace(Speculation.Pace.ALWAYS);
    }

    private static BatchingEngine start(Speculation speculation, HashModel target, HashModel draft, float noise) {
        // pages for little more than one sequence's branches, where there is one sequence
        return start(speculation, target, draft, noise, new EngineOptions(4, 64, 3, 1 << 16, 1 << 20));
    }

    private static BatchingEngine start(
            Speculation speculation, HashModel target, HashModel draft, float noise, EngineOptions options) {
        return BatchingEngine.start("test", () -> HashModel.loaded(target, draft, noise), options, speculation)
                .join();
    }

    private static GenerationRequest request(int key, int maxTokens, float temperature) {
        return new GenerationRequest(
                RowKey.of(key),
                new int[] {3 + key % 5, 4, 5},
                new Sampling(maxTokens, temperature, 0, 1, 0, 1, List.of(), true, 0));
    }

    @ParameterizedTest
    @ValueSource(floats = {0, 0.7f, 1.2f})
    void withTheTargetAsItsDraftEveryRoundAfterTheFirstHits(float temperature) {
        // one sequence, and scratch pages for no more than its branches of one round
        EngineOptions options = new EngineOptions(1, 64, 3, 1 << 13, 1 << 20);
        try (BatchingEngine engine =
                start(ssd(1, Speculation.Spread.UNIFORM), new HashModel(CONTEXT), new HashModel(CONTEXT), 0, options)) {
            Generation generation =
                    engine.generate(request(1, 101, temperature)).join();
            assertThat(BatchInvarianceTest.bits(generation))
                    .isEqualTo(BatchInvarianceTest.bits(Oracle.generate(request(1, 101, temperature), CONTEXT)));
            SpeculationMetrics metrics = engine.speculation();
            assertThat(metrics.rounds()).isEqualTo(20);
            assertThat(metrics.hits()).isEqualTo(19);
            assertThat(metrics.misses()).isZero();
            assertThat(metrics.acceptedShare()).isEqualTo(1);
            assertThat(metrics.tokensAfterHit()).isEqualTo(TOKENS + 1);
        }
    }

    @Test
    void moreGuessesHitMoreOftenAndNoneNever() {
        double last = -1;
        for (int fanOut : new int[] {0, 1, 3, 8}) {
            try (BatchingEngine engine =
                    start(ssd(fanOut, Speculation.Spread.UNIFORM), new HashModel(CONTEXT), new HashModel(CONTEXT), 4)) {
                List<CompletableFuture<Generation>> futures = new ArrayList<>();
                for (int i = 0; i < 12; i++) {
                    futures.add(engine.generate(request(i, 150, 1)));
                }
                for (int i = 0; i < futures.size(); i++) {
                    assertThat(BatchInvarianceTest.bits(futures.get(i).join()))
                            .isEqualTo(BatchInvarianceTest.bits(Oracle.generate(request(i, 150, 1), CONTEXT)));
                }
                double rate = engine.speculation().hitRate();
                assertThat(rate).isGreaterThan(last);
                assertThat(fanOut == 0).isEqualTo(engine.speculation().hits() == 0);
                last = rate;
                BatchInvarianceTest.awaitNoPages(engine);
            }
        }
        assertThat(last).isGreaterThan(0.4).isLessThan(1);
    }

    @Test
    void guessesSharedOutByMeasurementHitAtLeastAsOften() {
        double[] rates = new double[2];
        for (Speculation.Spread spread : Speculation.Spread.values()) {
            try (BatchingEngine engine = start(ssd(2, spread), new HashModel(CONTEXT), new HashModel(CONTEXT), 4)) {
                for (int i = 0; i < 24; i++) {
                    engine.generate(request(i, 150, 1)).join();
                }
                assertThat(engine.speculation().hits() + engine.speculation().misses())
                        .isGreaterThan(1000);
                rates[spread.ordinal()] = engine.speculation().hitRate();
            }
        }
        assertThat(rates[Speculation.Spread.GEOMETRIC.ordinal()])
                .isGreaterThanOrEqualTo(rates[Speculation.Spread.UNIFORM.ordinal()] - 0.01);
    }

    /** A target that takes its time: drafting lies inside verification, and after a hit nothing is drafted before it. */
    @Test
    void draftingLiesInsideVerification() {
        AtomicInteger draftSteps = new AtomicInteger();
        AtomicInteger steps = new AtomicInteger();
        HashModel target = new SlowModel(20, steps) {
            @Override
            public Tensor forward(StepBatch batch, KvCache cache) {
                // as slow as this machine makes the drafter; the step before the first has no proposals
                int rounds = steps.get();
                long patience = System.nanoTime() + 500_000_000L;
                while (draftSteps.get() < TOKENS * Math.min(1, rounds) + rounds * (TOKENS + 1)
                        && System.nanoTime() < patience) {
                    LockSupport.parkNanos(100_000);
                }
                return super.forward(batch, cache);
            }
        };
        HashModel draft = new SlowModel(0, draftSteps);
        try (BatchingEngine engine = start(ssd(1, Speculation.Spread.UNIFORM), target, draft, 0)) {
            engine.generate(request(1, 81, 1)).join();
            List<SpeculationRound> rounds = engine.speculationRounds();
            SpeculationMetrics metrics = engine.speculation();
            assertThat(rounds).hasSize(16);
            int inside = 0;
            for (int i = 1; i < rounds.size(); i++) {
                SpeculationRound before = rounds.get(i - 1);
                assertThat(rounds.get(i).hits()).isEqualTo(1);
                assertThat(rounds.get(i).proposed()).isEqualTo(TOKENS);
                inside += before.aheadBegin() > before.begin() && before.aheadEnd() < before.end() ? 1 : 0;
            }
            // a thread may be kept from running for a while
            assertThat(inside).isGreaterThan(10);
            assertThat(metrics.overlapShare()).isGreaterThan(0.6);
            assertThat(metrics.guesses()).isGreaterThan(15 * 4);
            // the first round's tokens; then for each of 15 rounds the pass over the trunk and four over the branches
            assertThat(draftSteps.get()).isLessThanOrEqualTo(TOKENS + 16 * (TOKENS + 1));
        }
    }

    /** A draft that takes its time: what cannot come any more is dropped, so that few branches are drafted to the end. */
    @Test
    void draftingStopsWhenTheOutcomeIsKnown() {
        AtomicInteger slowRows = new AtomicInteger();
        AtomicInteger allRows = new AtomicInteger();
        for (boolean slow : new boolean[] {true, false}) {
            AtomicInteger rows = slow ? slowRows : allRows;
            HashModel draft = new SlowModel(slow ? 2 : 0, new AtomicInteger()) {
                @Override
                public Tensor forward(StepBatch batch, KvCache cache) {
                    rows.addAndGet(batch.rows());
                    return super.forward(batch, cache);
                }
            };
            HashModel target = new SlowModel(slow ? 0 : 15, new AtomicInteger());
            try (BatchingEngine engine = start(ssd(8, Speculation.Spread.UNIFORM), target, draft, 1)) {
                Generation generation = engine.generate(request(1, 60, 1)).join();
                assertThat(BatchInvarianceTest.bits(generation))
                        .isEqualTo(BatchInvarianceTest.bits(Oracle.generate(request(1, 60, 1), CONTEXT)));
                assertThat(engine.speculation().hitRate()).isGreaterThan(0.5);
            }
        }
        assertThat(slowRows.get()).isLessThan(allRows.get() / 2);
    }

    @Test
    void aHitIsNotDraftedAgainBecauseANeighbourMissed() {
        AtomicInteger rows = new AtomicInteger();
        HashModel draft = new HashModel(CONTEXT) {
            @Override
            public Tensor forward(StepBatch batch, KvCache cache) {
                rows.addAndGet(batch.rows());
                return super.forward(batch, cache);
            }
        };
        try (BatchingEngine engine = start(
                ssd(1, Speculation.Spread.UNIFORM),
                new SlowModel(4, new AtomicInteger()),
                draft,
                2,
                new EngineOptions(2, 64, 3, 1 << 16, 1 << 20))) {
            List<CompletableFuture<Generation>> futures = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                futures.add(engine.generate(request(i, 150, 1)));
            }
            futures.forEach(CompletableFuture::join);
            SpeculationMetrics metrics = engine.speculation();
            assertThat(metrics.hits()).isGreaterThan(10);
            assertThat(metrics.misses()).isGreaterThan(10);
            // a round ahead has at most K + 1 rows of the trunk, and K of each of K + 1 branches; what is left is for
            // those
            // that missed, K and what a rejection left to compute, and for the two first rounds
            long ahead = metrics.rounds() * (TOKENS + 1) + metrics.guesses() * TOKENS;
            assertThat((long) rows.get()).isLessThanOrEqualTo(ahead + (metrics.misses() + 2) * (TOKENS + 4));
        }
    }

    /** A hash model whose steps take time, and are counted. */
    private static class SlowModel extends HashModel {
        private final int millis;
        private final AtomicInteger steps;

        SlowModel(int millis, AtomicInteger steps) {
            super(CONTEXT);
            this.millis = millis;
            this.steps = steps;
        }

        @Override
        public Tensor forward(StepBatch batch, KvCache cache) {
            steps.incrementAndGet();
            long end = System.nanoTime() + millis * 1_000_000L;
            while (System.nanoTime() < end) {
                LockSupport.parkNanos(end - System.nanoTime());
            }
            return super.forward(batch, cache);
        }
    }
}
