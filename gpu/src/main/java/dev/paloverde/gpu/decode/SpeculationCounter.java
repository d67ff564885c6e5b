package dev.paloverde.gpu.decode;

/** Adds up what comes of speculation. Written by the engine's thread, read by any. */
final class SpeculationCounter {
    private volatile SpeculationMetrics totals = SpeculationMetrics.NONE;

    SpeculationMetrics totals() {
        return totals;
    }

    /**
     * Counts a step in which sequences decoded, when its tokens are chosen.
     *
     * @param draftNanos time for drafting before it
     * @param aheadNanos time for drafting during it
     * @param verifyNanos time for the step
     */
    void count(Round round, long draftNanos, long aheadNanos, long verifyNanos) {
        long rounds = 0;
        long proposed = 0;
        long accepted = 0;
        long hits = 0;
        long hitAccepted = 0;
        long misses = 0;
        long missAccepted = 0;
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
        if (round.size() == 0) {
            return;
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
                before.aheadNanos() + aheadNanos,
                before.verifyNanos() + (plain ? 0 : verifyNanos));
    }
}
