package dev.paloverde.gpu.decode;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/** Adds up what comes of speculation, and keeps the last rounds. Written by the engine's thread, read by any. */
final class SpeculationCounter {
    private static final int ROUNDS_KEPT = 1 << 14;

    private volatile SpeculationMetrics totals = SpeculationMetrics.NONE;
    private final Deque<SpeculationRound> rounds = new ArrayDeque<>();

    SpeculationMetrics totals() {
        return totals;
    }

    /** {@return the last rounds, at most some thousands of them} */
    List<SpeculationRound> rounds() {
        synchronized (rounds) {
            return List.copyOf(rounds);
        }
    }

    /**
     * Counts a step in which sequences decoded, when its tokens are chosen.
     *
     * @param end when that was
     */
    void count(Turn turn, long end) {
        Round round = turn.round();
        long draftNanos = turn.draftNanos();
        long begin = turn.begin();
        if (round.size() == 0) {
            return;
        }
        int rounds = 0;
        int proposed = 0;
        int accepted = 0;
        int hits = 0;
        int hitAccepted = 0;
        int misses = 0;
        int missAccepted = 0;
        for (GenerationSequence sequence : round.sequences()) {
            rounds += sequence.proposed() > 0 ? 1 : 0;
            proposed += sequence.proposed();
            accepted += sequence.accepted();
            switch (sequence.origin()) {
                case HIT -> {
                    hits++;
                    hitAccepted += sequence.accepted();
                }
                case MISS -> {
                    misses++;
                    missAccepted += sequence.accepted();
                }
                case DRAFT -> {}
            }
        }
        boolean plain = rounds == 0;
        SpeculationMetrics before = totals;
        totals = new SpeculationMetrics(
                before.plainSteps() + (plain ? 1 : 0),
                before.steps() + (plain ? 0 : 1),
                before.rounds() + rounds,
                before.proposed() + proposed,
                before.accepted() + accepted,
                before.hits() + hits,
                before.hitAccepted() + hitAccepted,
                before.misses() + misses,
                before.missAccepted() + missAccepted,
                before.draftNanos() + draftNanos,
                before.guesses(),
                before.aheadNanos(),
                before.overlapNanos(),
                before.verifyNanos() + (plain ? 0 : end - begin));
        keep(new SpeculationRound(round.size(), proposed, accepted, hits, misses, draftNanos, begin, end, 0, 0, 0));
    }

    private void keep(SpeculationRound round) {
        synchronized (rounds) {
            if (rounds.size() == ROUNDS_KEPT) {
                rounds.removeFirst();
            }
            rounds.addLast(round);
        }
    }

    /** Counts what was drafted for the outcomes of the step that was counted last. */
    void ahead(long begin, long end, int guesses) {
        SpeculationRound round;
        synchronized (rounds) {
            round = rounds.removeLast().ahead(guesses, begin, end);
            rounds.addLast(round);
        }
        SpeculationMetrics before = totals;
        totals = new SpeculationMetrics(
                before.plainSteps(),
                before.steps(),
                before.rounds(),
                before.proposed(),
                before.accepted(),
                before.hits(),
                before.hitAccepted(),
                before.misses(),
                before.missAccepted(),
                before.draftNanos(),
                before.guesses() + guesses,
                before.aheadNanos() + end - begin,
                before.overlapNanos() + round.overlapNanos(),
                before.verifyNanos());
    }
}
