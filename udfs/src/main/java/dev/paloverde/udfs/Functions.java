package dev.paloverde.udfs;

import dev.paloverde.udfs.sql.Calls;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.SparkSession;

/**
 * Columns that call a model, for the active session. Each is the struct that the SQL function of the same name gives.
 * They work in any session; where {@code spark.sql.extensions} lacks {@code dev.paloverde.udfs.sql.PaloverdeExtensions},
 * only in projections and filters.
 */
public final class Functions {
    private Functions() {}

    /** {@return the continuation of a prompt, with options by their keys} */
    public static Column llmGenerate(Column prompt, Map<String, String> options) {
        return Calls.of(SparkSession.active(), Operation.GENERATE, List.of(prompt), options);
    }

    /** {@return how likely a text is, with options by their keys} */
    public static Column llmScore(Column text, Map<String, String> options) {
        return Calls.of(SparkSession.active(), Operation.SCORE, List.of(text), options);
    }

    /** {@return how likely each continuation of a context is, with options by their keys} */
    public static Column llmChoose(Column context, Column choices, Map<String, String> options) {
        return Calls.of(SparkSession.active(), Operation.CHOOSE, List.of(context, choices), options);
    }

    /** {@return a text as a vector, with options by their keys} */
    public static Column llmEmbed(Column text, Map<String, String> options) {
        return Calls.of(SparkSession.active(), Operation.EMBED, List.of(text), options);
    }

    /** {@return an image as latents of its patches, with options by their keys} */
    public static Column imageEmbed(Column image, Map<String, String> options) {
        return Calls.of(SparkSession.active(), Operation.EMBED_IMAGE, List.of(image), options);
    }
}
