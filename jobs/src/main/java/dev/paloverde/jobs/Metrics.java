package dev.paloverde.jobs;

/** The metrics of the plan node that runs the model, by the names it gives them. */
final class Metrics {
    /** What the node's name begins with. */
    static final String NODE = "BatchEval";

    static final String ROWS = "rows";
    static final String ERRORS = "rows in error";
    static final String TOKENS_IN = "tokens in";
    static final String TOKENS_OUT = "tokens out";

    /** Nanoseconds of the engine's steps while a task waited for it. */
    static final String ENGINE_NANOS = "engine time";

    /** Counted by Spark, when a unit is committed. */
    static final String ROWS_WRITTEN = "rows written";

    private Metrics() {}
}
