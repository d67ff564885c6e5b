package dev.paloverde.pipelines;

import java.util.Collection;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/** One look at all of the input before the work begins: what there is, and whether all of it can be read. */
public final class InputCount {
    /** The file. */
    public static final String FILE = "file";

    /** Rows that were read from it. */
    public static final String ROWS = "rows";

    /** Rows of them that are selected. */
    public static final String SELECTED = "selected";

    /** Bytes of text of the selected rows. */
    public static final String BYTES = "bytes";

    /** Rows of it, selected or not, that are not what its format wants. */
    public static final String MALFORMED = "malformed";

    /** The first half of the selected rows' fingerprint: that of two files together is one xor the other. */
    public static final String FINGERPRINT_0 = "fingerprint_0";

    /** The second half. */
    public static final String FINGERPRINT_1 = "fingerprint_1";

    private InputCount() {}

    /**
     * Counts by file. All carried columns are read, so that damage in any of them shows.
     *
     * @param rows the carried columns, and those that the next three refer to
     * @param carried the carried columns
     * @param file where the row comes from
     * @param selected whether it is to be worked on
     * @param malformed whether it is not what its format wants
     * @param bytes bytes of text the model will read
     * @return {@link #FILE}, {@link #ROWS}, {@link #SELECTED}, {@link #MALFORMED}, {@link #BYTES} and the fingerprint, a
     *     row for each file
     */
    public static Dataset<Row> byFile(
            Dataset<Row> rows,
            Collection<String> carried,
            Column file,
            Column selected,
            Column malformed,
            Column bytes) {
        List<Column> identity = RowIdentity.columns(rows.schema(), carried);
        return rows.select(
                        file.as(FILE),
                        functions.coalesce(selected, functions.lit(false)).as(SELECTED),
                        malformed.as(MALFORMED),
                        bytes.as(BYTES),
                        identity.get(0).as(FINGERPRINT_0),
                        identity.get(1).as(FINGERPRINT_1))
                .groupBy(FILE)
                .agg(
                        functions.count(functions.lit(1)).as(ROWS),
                        functions.count_if(functions.col(SELECTED)).as(SELECTED),
                        functions.count_if(functions.col(MALFORMED)).as(MALFORMED),
                        functions
                                .coalesce(
                                        functions.sum(functions.when(functions.col(SELECTED), functions.col(BYTES))),
                                        functions.lit(0L))
                                .as(BYTES),
                        xor(FINGERPRINT_0),
                        xor(FINGERPRINT_1));
    }

    /**
     * Counts rows that are all to be worked on.
     *
     * @return {@link #SELECTED} and {@link #BYTES}, one row
     */
    public static Dataset<Row> total(Dataset<Row> rows, Column bytes) {
        return rows.agg(
                functions.count(functions.lit(1)).as(SELECTED),
                functions.coalesce(functions.sum(bytes), functions.lit(0L)).as(BYTES));
    }

    private static Column xor(String name) {
        // every row counts, selected or not: a column that no result needs would not be read
        return functions.bit_xor(functions.col(name)).as(name);
    }
}
