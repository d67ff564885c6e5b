package dev.paloverde.pipelines;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.expressions.Window;
import org.apache.spark.sql.functions;

/**
 * Finds the rows that are still to be done. Rows are matched by what they hold (the row key, and the identity of all
 * carried values), never by a position, a file or a partition: an input that was ordered or partitioned anew, or that
 * grew, finds its finished rows again. Both sides are multisets: of a row that stands in the input three times and in
 * the output once, two remain.
 */
public final class Resume {
    private static final String DONE = "__paloverde_done";
    private static final String OCCURRENCE = "__paloverde_occurrence";

    private Resume() {}

    /**
     * The columns by which rows are matched.
     *
     * @param rowKey the column that holds the row key
     * @param carried the carried columns
     */
    public record Keys(String rowKey, Collection<String> carried) {
        List<String> names() {
            List<String> names = new ArrayList<>(RowIdentity.COLUMNS);
            names.add(rowKey);
            return names;
        }

        Dataset<Row> addTo(Dataset<Row> rows) {
            List<Column> columns = new ArrayList<>();
            columns.add(functions.col("*"));
            columns.addAll(RowIdentity.columns(rows.schema(), carried));
            return rows.select(columns.toArray(Column[]::new));
        }

        Column[] columns() {
            return names().stream().map(PromptTemplate::column).toArray(Column[]::new);
        }
    }

    /**
     * The rows of the input less the rows that are done.
     *
     * @param rows the input: the carried columns, a column with the row key, any others
     * @param done finished rows of the receipt in question: the carried columns and the row key; others are not read
     * @param keys how the two are matched
     * @return rows with all the columns of {@code rows}, in no particular order
     */
    public static Dataset<Row> remaining(Dataset<Row> rows, Dataset<Row> done, Keys keys) {
        Dataset<Row> counts = keys.addTo(done)
                .groupBy(keys.columns())
                .agg(functions.count(functions.lit(1)).as(DONE))
                .as("done");
        Column same = keys.names().stream()
                .map(name -> side("input", name).eqNullSafe(side("done", name)))
                .reduce(Column::and)
                .orElseThrow();
        Column occurrence =
                functions.row_number().over(Window.partitionBy(keys.columns()).orderBy(functions.col(DONE)));
        return keys.addTo(rows)
                .as("input")
                .join(counts, same, "left_outer")
                .select(
                        functions.col("input.*"),
                        functions
                                .coalesce(side("done", DONE), functions.lit(0L))
                                .as(DONE))
                .withColumn(OCCURRENCE, occurrence)
                .where(functions.col(OCCURRENCE).gt(functions.col(DONE)))
                .select(columnsOf(rows));
    }

    /** {@return the columns of some rows, by name} */
    static Column[] columnsOf(Dataset<Row> rows) {
        return java.util.Arrays.stream(rows.columns())
                .map(PromptTemplate::column)
                .toArray(Column[]::new);
    }

    private static Column side(String alias, String name) {
        return functions.col(alias + "." + PromptTemplate.quote(name));
    }
}
