package dev.paloverde.gpu.decode;

/**
 * One step in which sequences decoded. Times are those of {@link System#nanoTime()}.
 *
 * @param sequences that decoded
 * @param proposed tokens proposed to them
 * @param accepted proposed tokens that were chosen
 * @param hits sequences whose tokens had been drafted during the step before
 * @param misses sequences whose outcome of the step before had been guessed, and guessed wrong
 * @param draftNanos how long the target waited for proposals before the step
 * @param begin when the step began
 * @param end when its tokens were chosen
 * @param guesses outcomes of this step that were drafted for
 * @param aheadBegin when drafting for its outcomes began; 0 if there was none
 * @param aheadEnd when it ended
 */
public record SpeculationRound(
        int sequences,
        int proposed,
        int accepted,
        int hits,
        int misses,
        long draftNanos,
        long begin,
        long end,
        int guesses,
        long aheadBegin,
        long aheadEnd) {
    /** {@return the same with what is known when the drafting is over} */
    SpeculationRound ahead(int count, long from, long to) {
        return new SpeculationRound(
                sequences, proposed, accepted, hits, misses, draftNanos, begin, end, count, from, to);
    }

    /** {@return how much of the drafting ahead lay inside the step, in nanoseconds} */
    public long overlapNanos() {
        return Math.max(0, Math.min(end, aheadEnd) - Math.max(begin, aheadBegin));
    }
}
