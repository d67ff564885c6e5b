package dev.paloverde.pipelines.image;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;

/**
 * Hooks for what others know of an image: how likely it is not safe for work, and how well its caption fits it. Each is an
 * expression of SQL over the columns of a sample, a function of the user's as a rule, {@code my_nsfw(image)} or {@code
 * my_clip(image, caption)}. Scores are columns first, null where the function says nothing; thresholds reject second.
 *
 * @param nsfw how likely an image is not safe; null for no such score
 * @param maxNsfw the highest that is kept
 * @param alignment how well a caption fits; null for no such score
 * @param minAlignment the least that is kept
 */
public record ImageScores(String nsfw, double maxNsfw, String alignment, double minAlignment) {
    /** The column with the first, DOUBLE. */
    public static final String NSFW = "nsfw_score";

    /** The column with the second, DOUBLE. */
    public static final String ALIGNMENT = "alignment_score";

    /** No scores. */
    public static final ImageScores NONE = new ImageScores(null, 0.5, null, 0.2);

    /** Checks the thresholds. */
    public ImageScores {
        if (Double.isNaN(maxNsfw) || Double.isNaN(minAlignment)) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION, "thresholds of %s and %s; give numbers".formatted(maxNsfw, minAlignment));
        }
    }

    /**
     * {@return checked samples with a column for each score that is asked for, and reasons for those beyond a threshold} What
     * is rejected already is not scored.
     *
     * @param checked samples with {@link ImageChecks}, judged by {@link ImageRules}
     * @throws PaloverdeException {@code INVALID_OPTION} if an expression cannot be understood, or gives no number
     */
    public Dataset<Row> apply(Dataset<Row> checked) {
        Dataset<Row> scored = score(score(checked, NSFW, nsfw), ALIGNMENT, alignment);
        if (nsfw != null) {
            scored = judged(scored, NSFW, functions.col(NSFW).gt(maxNsfw), ImageRejectReason.NSFW);
        }
        return alignment == null
                ? scored
                : judged(scored, ALIGNMENT, functions.col(ALIGNMENT).lt(minAlignment), ImageRejectReason.MISALIGNED);
    }

    private static Dataset<Row> score(Dataset<Row> samples, String name, String expression) {
        if (expression == null) {
            return samples;
        }
        // NaN would be above every threshold; said once for each row, whatever reads it
        UDF1<Double, Double> known = value -> value == null || value.isNaN() ? null : value;
        try {
            Column score = functions.expr(expression).cast(DataTypes.DoubleType);
            Column kept = functions.when(functions.col(Samples.REASON).isNull(), score);
            Dataset<Row> scored = samples.withColumn(
                    name,
                    functions
                            .udf(known, DataTypes.DoubleType)
                            .asNondeterministic()
                            .apply(kept));
            scored.schema();
            return scored;
        } catch (Exception e) {
            // the analyser throws what it has not declared
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "the score '%s' cannot be had: %s; it is SQL over image, caption, key, metadata and checks, of functions that the session knows (--function NAME=CLASS makes one known)"
                            .formatted(
                                    expression,
                                    String.valueOf(e.getMessage())
                                            .lines()
                                            .findFirst()
                                            .orElse("")),
                    e);
        }
    }

    private static Dataset<Row> judged(Dataset<Row> scored, String name, Column beyond, ImageRejectReason reason) {
        Column rejected = functions.col(Samples.REASON).isNull().and(functions.coalesce(beyond, functions.lit(false)));
        return scored.withColumn(
                        Samples.DETAIL,
                        functions
                                .when(rejected, functions.format_string(name + " %.4f", functions.col(name)))
                                .otherwise(functions.col(Samples.DETAIL)))
                .withColumn(
                        Samples.REASON,
                        functions.when(rejected, reason.name()).otherwise(functions.col(Samples.REASON)));
    }
}
