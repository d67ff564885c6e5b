package dev.paloverde.pipelines;

import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.spark.sql.Row;

/** Rows made of rows in their order, any number of each. No more is held than what one row makes. */
public abstract class RowStream implements Iterator<Row> {
    private final Iterator<Row> rows;
    private final ArrayDeque<Row> made = new ArrayDeque<>();

    protected RowStream(Iterator<Row> rows) {
        this.rows = rows;
    }

    /** Takes the next row, and gives what it makes to {@link #emit}. */
    protected abstract void accept(Row row);

    protected final void emit(Row row) {
        made.add(row);
    }

    @Override
    public final boolean hasNext() {
        while (made.isEmpty() && rows.hasNext()) {
            accept(rows.next());
        }
        return !made.isEmpty();
    }

    @Override
    public final Row next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        return made.remove();
    }
}
