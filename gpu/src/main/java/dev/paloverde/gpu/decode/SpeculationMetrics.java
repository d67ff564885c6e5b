package dev.paloverde.gpu.decode;

/**
 * What came of speculation since an engine was started. Differences of two readings describe the time between them. A
 * round is one step of one sequence to which tokens were proposed.
 *
 * @param plainSteps steps in which sequences decoded and nothing was proposed
 * @param steps steps in which tokens were proposed
 * @param rounds rounds in them
 * @param proposed tokens proposed
 * @param accepted proposed tokens that were chosen
 * @param hits rounds whose tokens were drafted while the round before was verified
 * @param hitAccepted proposed tokens that were chosen in those
 * @param misses rounds before which the outcome was guessed, and guessed wrong
 * @param missAccepted proposed tokens that were chosen in those
 * @param draftNanos time for drafting while the target waited
 * @param guesses outcomes that were guessed and drafted for
 * @param aheadNanos time for drafting while the step before was not over, or its outcome not known
 * @param overlapNanos how much of that lay inside the step
 * @param verifyNanos time for the steps in which tokens were proposed
 */
public record SpeculationMetrics(
        long plainSteps,
        long steps,
        long rounds,
        long proposed,
        long accepted,
        long hits,
        long hitAccepted,
        long misses,
        long missAccepted,
        long draftNanos,
        long guesses,
        long aheadNanos,
        long overlapNanos,
        long verifyNanos) {
    /** No speculation. */
    public static final SpeculationMetrics NONE = new SpeculationMetrics(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

    /** {@return the share of proposed tokens that were chosen} */
    public double acceptedShare() {
        return proposed == 0 ? 0 : accepted / (double) proposed;
    }

    /** {@return the share of guessed outcomes that came} */
    public double hitRate() {
        return hits + misses == 0 ? 0 : hits / (double) (hits + misses);
    }

    /** {@return tokens of a round after a hit, the one that the target adds included} */
    public double tokensAfterHit() {
        return hits == 0 ? 0 : 1 + hitAccepted / (double) hits;
    }

    /** {@return tokens of a round after a miss, the one that the target adds included} */
    public double tokensAfterMiss() {
        return misses == 0 ? 0 : 1 + missAccepted / (double) misses;
    }

    /** {@return how much of the drafting ahead took no time of its own} */
    public double overlapShare() {
        return aheadNanos == 0 ? 0 : overlapNanos / (double) aheadNanos;
    }

    /** {@return what happened after an earlier reading} */
    public SpeculationMetrics since(SpeculationMetrics before) {
        return new SpeculationMetrics(
                plainSteps - before.plainSteps,
                steps - before.steps,
                rounds - before.rounds,
                proposed - before.proposed,
                accepted - before.accepted,
                hits - before.hits,
                hitAccepted - before.hitAccepted,
                misses - before.misses,
                missAccepted - before.missAccepted,
                draftNanos - before.draftNanos,
                guesses - before.guesses,
                aheadNanos - before.aheadNanos,
                overlapNanos - before.overlapNanos,
                verifyNanos - before.verifyNanos);
    }
}
