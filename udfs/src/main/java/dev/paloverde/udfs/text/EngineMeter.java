package dev.paloverde.udfs.text;

import dev.paloverde.gpu.decode.Engine;
import dev.paloverde.gpu.decode.EngineMetrics;
import dev.paloverde.gpu.decode.EngineSpec;
import dev.paloverde.gpu.decode.SpeculationMetrics;
import dev.paloverde.gpu.decode.SpeculationRound;
import dev.paloverde.udfs.arrow.BatchContext;
import dev.paloverde.udfs.arrow.BatchCounter;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Shares out what an engine did among the tasks that it did it for: what happened since anyone last asked is counted by
 * the task that asks, so that the sum over all tasks is what the engine did, neither more nor less.
 */
final class EngineMeter {
    private static final ConcurrentHashMap<EngineSpec, EngineMeter> METERS = new ConcurrentHashMap<>();
    private static final EngineMetrics NOTHING = new EngineMetrics(0, 0, 0, 0, 0, 0, 0, 0);

    private EngineMetrics counted;
    private SpeculationMetrics speculated;
    private long lastRound = Long.MIN_VALUE;

    private EngineMeter(EngineMetrics counted, SpeculationMetrics speculated) {
        this.counted = counted;
        this.speculated = speculated;
    }

    static EngineMeter of(EngineSpec spec, Engine engine) {
        return METERS.computeIfAbsent(spec, key -> new EngineMeter(engine.metrics(), engine.speculation()));
    }

    /** Leaves uncounted what the engine has done so far, because it was for no task's rows. */
    synchronized void forget(Engine engine) {
        counted = engine.metrics();
    }

    /** {@return the rounds of an engine that nobody has asked for, of the last some thousands} */
    synchronized List<SpeculationRound> newRounds(Engine engine) {
        List<SpeculationRound> rounds = engine.speculationRounds().stream()
                .filter(round -> round.end() > lastRound)
                .toList();
        lastRound = rounds.stream().mapToLong(SpeculationRound::end).max().orElse(lastRound);
        return rounds;
    }

    /** Counts what the engine has done and no task has counted. */
    synchronized void count(Engine engine, int places, BatchContext context) {
        EngineMetrics now = engine.metrics();
        // an engine that was loaded again begins from nothing
        boolean again = now.steps() < counted.steps();
        EngineMetrics before = again ? NOTHING : counted;
        SpeculationMetrics speculation = engine.speculation();
        countSpeculation(speculation.since(again ? SpeculationMetrics.NONE : speculated), context);
        counted = now;
        speculated = speculation;
        context.count(BatchCounter.ENGINE_NANOS, Math.max(0, now.stepNanos() - before.stepNanos()));
        context.count(BatchCounter.SEQUENCE_STEPS, Math.max(0, now.sequenceSteps() - before.sequenceSteps()));
        context.count(BatchCounter.SEQUENCE_PLACES, places * Math.max(0, now.steps() - before.steps()));
    }

    private static void countSpeculation(SpeculationMetrics done, BatchContext context) {
        if (done.proposed() <= 0) {
            return;
        }
        context.count(BatchCounter.PROPOSED_TOKENS, Math.max(0, done.proposed()));
        context.count(BatchCounter.ACCEPTED_TOKENS, Math.max(0, done.accepted()));
        context.count(BatchCounter.FORESEEN_ROUNDS, Math.max(0, done.hits()));
        context.count(BatchCounter.UNFORESEEN_ROUNDS, Math.max(0, done.misses()));
        context.count(BatchCounter.DRAFT_NANOS, Math.max(0, done.draftNanos()));
        context.count(BatchCounter.AHEAD_NANOS, Math.max(0, done.aheadNanos()));
        context.count(BatchCounter.OVERLAP_NANOS, Math.max(0, done.overlapNanos()));
    }
}
