package dev.paloverde.pipelines.packing;

import java.util.Arrays;
import java.util.stream.Stream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.expressions.Window;
import org.apache.spark.sql.functions;

/**
 * Ranks of rows among those of their group, without a task that sees a whole group: a group is divided by the first bits
 * of a hash, which divide its order too, and each part begins where those before it end.
 */
final class Ranks {
    /** The result column: 0 for the first of its group. */
    static final String RANK = "rank";

    private static final String PART = "__paloverde_part";
    private static final String BEFORE = "__paloverde_before";
    private static final int PART_BITS = 8;

    private Ranks() {}

    /**
     * {@return the rows with {@link #RANK}}
     *
     * @param group column of the group
     * @param order column with a hash, a long, by which rows are ranked
     * @param ties columns that tell apart rows of one hash
     */
    static Dataset<Row> within(Dataset<Row> rows, String group, String order, String... ties) {
        Dataset<Row> parted = rows.withColumn(
                PART,
                functions
                        .shiftright(functions.col(order), Long.SIZE - PART_BITS)
                        .cast("int"));
        Dataset<Row> before = parted.groupBy(group, PART)
                .agg(functions.count(functions.lit(1)).as(BEFORE))
                .withColumn(
                        BEFORE,
                        functions
                                .sum(BEFORE)
                                .over(Window.partitionBy(group)
                                        .orderBy(PART)
                                        .rowsBetween(Window.unboundedPreceding(), Window.currentRow()))
                                .minus(functions.col(BEFORE)));
        Column[] ordered = Stream.concat(Stream.of(order), Arrays.stream(ties))
                .map(functions::col)
                .toArray(Column[]::new);
        return parted.join(before, new String[] {group, PART})
                .withColumn(
                        RANK,
                        functions
                                .row_number()
                                .over(Window.partitionBy(group, PART).orderBy(ordered))
                                .minus(1)
                                .plus(functions.col(BEFORE)))
                .drop(PART, BEFORE);
    }
}
