package dev.paloverde.gpu.decode;

import java.util.List;

/**
 * A decoding strategy: what the engine does around its steps. Called by the engine's thread, in the order of the methods,
 * once for each step; where a step has no proposals and the next has none either, that one begins before {@link #verified} is
 * called for the first.
 */
interface Speculator extends AutoCloseable {
    /**
     * Decides how many tokens are to be proposed in the next step.
     *
     * @param decoding how many sequences decode
     * @return the most tokens for a sequence
     */
    int proposals(int decoding);

    /** {@return how many of them a sequence that decodes may not do without} */
    int required();

    /**
     * Proposes tokens for the rows of a step.
     *
     * @param slices with as many rows for each sequence that decodes as it has pages for
     * @return the same, with as many rows as there are tokens
     */
    List<Slice> propose(List<Slice> slices);

    /** Called when the step begins: its tokens are fixed. */
    void verifying(List<Slice> slices);

    /**
     * Called when tokens are chosen, before the sequences forget what was proposed to them.
     *
     * @param slices of the step
     */
    void verified(List<Slice> slices);

    /** {@return totals since the engine was started} */
    SpeculationMetrics metrics();

    /** {@return the last steps in which sequences decoded} */
    List<SpeculationRound> rounds();

    @Override
    void close();
}
