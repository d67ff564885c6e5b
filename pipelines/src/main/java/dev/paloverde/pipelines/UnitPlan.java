package dev.paloverde.pipelines;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * How the work is cut. A unit is what a task computes and commits as one file, so it is what a failure costs at most.
 * Rows go to units by a hash of what they hold: which unit a row lands in does not depend on the order or partitioning
 * of the input, and long rows spread evenly.
 *
 * @param rows rows to do
 * @param tokens an estimate of the tokens to compute
 * @param units how many units, at least 1
 */
public record UnitPlan(long rows, long tokens, int units) {
    /** The most units of a run; beyond it, units grow. */
    static final int MAX_UNITS = 100_000;

    /** Bytes of text that are counted as a token; a low figure, so that units come out small rather than large. */
    static final int BYTES_PER_TOKEN = 3;

    /**
     * What is known of the work before it begins.
     *
     * @param rows rows to do
     * @param bytes bytes of text the model will read
     * @param newTokensPerRow tokens that a row may add to what it was given; 0 where nothing is generated
     */
    public record Work(long rows, long bytes, int newTokensPerRow) {
        long tokens() {
            return bytes / BYTES_PER_TOKEN + rows * (newTokensPerRow + 1L);
        }
    }

    /**
     * Plans the units.
     *
     * @param work what there is to do
     * @param unitTokens tokens a unit should have, at least 1
     * @param slots tasks that can run at once; there are at least as many units, if there are as many rows
     */
    public static UnitPlan of(Work work, long unitTokens, int slots) {
        long bySize = (work.tokens() + unitTokens - 1) / unitTokens;
        long units = Math.min(Math.max(bySize, slots), Math.min(work.rows(), MAX_UNITS));
        return new UnitPlan(work.rows(), work.tokens(), (int) Math.max(1, units));
    }

    /**
     * Divides rows among the units, one partition each.
     *
     * @param rows the rows to do
     * @param keys what a row's unit follows from
     */
    public Dataset<Row> divide(Dataset<Row> rows, Resume.Keys keys) {
        return keys.addTo(rows).repartition(units, keys.columns()).select(Resume.columnsOf(rows));
    }
}
