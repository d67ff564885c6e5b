package dev.paloverde.pipelines.corpus;

/** Why a row of the input is not in the corpus: few, stable and countable. The first that holds is given. */
public enum RejectReason {
    /** The reader could make no row of it; the detail has how it begins. */
    INVALID_RECORD,
    /** The text is null. */
    NULL_TEXT,
    /** The text has nothing but white space. */
    EMPTY_TEXT,
    /** The text is in none of the languages asked for; the detail says in which it is. */
    LANGUAGE,
    /** A rule of quality is broken; the detail says which. */
    QUALITY,
    /** A part of an evaluation set stands in it; the detail says which. */
    CONTAMINATED,
    /** Another document says the same. */
    EXACT_DUPLICATE,
    /** Another document is much like it. */
    NEAR_DUPLICATE,
    /** All of its text stands in passages that other documents have. */
    REPEATED_TEXT
}
