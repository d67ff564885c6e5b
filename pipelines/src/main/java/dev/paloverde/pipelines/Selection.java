package dev.paloverde.pipelines;

import java.util.Collection;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;

/**
 * Parts of an input that are the same part each time: which rows are taken follows from what they hold, not from the
 * order or the files in which they lie.
 */
public final class Selection {
    /** Into how many parts of equal size a sample divides the values of a hash. */
    private static final int PARTS = 1 << 30;

    private Selection() {}

    /**
     * {@return whether a row belongs to a sample}
     *
     * @param rows the rows' columns
     * @param carried the carried ones
     * @param fraction the share of rows that do, 0 to 1
     */
    public static Column sample(StructType rows, Collection<String> carried, double fraction) {
        Column hash = RowIdentity.columns(rows, carried).get(0);
        return functions.pmod(hash, functions.lit((long) PARTS)).lt(functions.lit(Math.round(fraction * PARTS)));
    }

    /** {@return the rows of least identity, so many of them} */
    public static Dataset<Row> limit(Dataset<Row> rows, Collection<String> carried, int count) {
        Column[] identity = RowIdentity.columns(rows.schema(), carried).toArray(Column[]::new);
        return rows.orderBy(identity).limit(count);
    }
}
