package dev.paloverde.udfs.arrow;

/** What is counted of a function's work. */
public enum BatchCounter {
    /** Rows answered. Counted by the node. */
    ROWS,
    /** Batches answered. Counted by the node. */
    BATCHES,
    /** Rows whose status is error. */
    ERRORS,
    /** Rows whose status is truncated. */
    TRUNCATED,
    /** Tokens read: prompts, contexts, scored and embedded texts. */
    TOKENS_IN,
    /** Tokens generated. */
    TOKENS_OUT,
    /** Nanoseconds that the task waited for the engine. */
    WAIT_NANOS,
    /** Nanoseconds of the engine's steps. */
    ENGINE_NANOS,
    /** Sequences in the engine's steps, summed over the steps. */
    SEQUENCE_STEPS,
    /** Sequences that the engine's steps had places for, summed over the steps. */
    SEQUENCE_PLACES,
    /** Tokens guessed ahead and verified. */
    PROPOSED_TOKENS,
    /** How many of them were right. */
    ACCEPTED_TOKENS,
    /** Rounds of a row whose tokens had been drafted during the step before. */
    FORESEEN_ROUNDS,
    /** Rounds of a row whose outcome had been guessed, and guessed wrong. */
    UNFORESEEN_ROUNDS,
    /** Nanoseconds that the engine waited for proposals. */
    DRAFT_NANOS,
    /** Nanoseconds of drafting ahead. */
    AHEAD_NANOS,
    /** How much of that lay inside a step. */
    OVERLAP_NANOS
}
