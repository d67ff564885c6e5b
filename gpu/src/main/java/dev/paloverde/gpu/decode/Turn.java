package dev.paloverde.gpu.decode;

/**
 * A step as a strategy sees it, from its beginning to its end; where nothing was proposed, another may begin in between.
 *
 * @param round the sequences that decode
 * @param decoding how many there were when the number of proposals was chosen
 * @param choice what was chosen
 * @param draftNanos how long the target waited for proposals
 * @param begin when it began
 */
record Turn(Round round, int decoding, Pace.Choice choice, long draftNanos, long begin) {
    /** {@return how long the step took, if the one before ended at a time: it had the device to itself only since then} */
    long nanos(long lastEnd, long end) {
        return end - Math.max(begin, lastEnd);
    }
}
