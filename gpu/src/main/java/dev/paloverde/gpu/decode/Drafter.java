package dev.paloverde.gpu.decode;

/** Guesses how sequences go on. Right or wrong, guesses cost or save time and change no result. */
interface Drafter extends AutoCloseable {
    /**
     * Calls {@link GenerationSequence#propose} for each sequence of a round, with no more tokens than there is room for.
     *
     * @param round sequences with pages for all that there is room for
     */
    void propose(Round round);

    @Override
    default void close() {}
}
