package dev.paloverde.udfs.sql;

/**
 * {@code spark.sql.extensions=dev.paloverde.udfs.sql.PaloverdeExtensions} gives a session {@code llm_generate},
 * {@code llm_score}, {@code llm_choose}, {@code llm_embed} and {@code image_embed}. Nothing else needs to be set: the default
 * model comes with the jar.
 */
public final class PaloverdeExtensions extends BatchExtensions {
    /** Spark makes one for each session. */
    public PaloverdeExtensions() {
        super(ModelFunction.all());
    }
}
