package dev.paloverde.jobs;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** A few rows as text, in columns. Numbers stand to the right. */
final class Table {
    private static final int WIDEST = 80;

    private final List<String> names;
    private final List<List<Object>> rows = new ArrayList<>();

    Table(String... names) {
        this.names = List.of(names);
    }

    /** {@return the first rows of a dataset} */
    static Table of(Dataset<Row> dataset, int most) {
        Table table = new Table(dataset.columns());
        for (Row row : dataset.limit(most).collectAsList()) {
            Object[] cells = new Object[row.size()];
            Arrays.setAll(cells, row::get);
            table.add(cells);
        }
        return table;
    }

    void add(Object... cells) {
        rows.add(Arrays.asList(cells));
    }

    @Override
    public String toString() {
        int[] widths = names.stream().mapToInt(String::length).toArray();
        List<List<String>> cells = new ArrayList<>();
        for (List<Object> row : rows) {
            List<String> line = row.stream().map(Table::show).toList();
            for (int i = 0; i < widths.length; i++) {
                widths[i] = Math.max(widths[i], line.get(i).length());
            }
            cells.add(line);
        }
        StringBuilder text = new StringBuilder();
        append(text, names, widths, null);
        append(text, Arrays.stream(widths).mapToObj("-"::repeat).toList(), widths, null);
        for (int r = 0; r < rows.size(); r++) {
            append(text, cells.get(r), widths, rows.get(r));
        }
        return text.toString().stripTrailing();
    }

    private static void append(StringBuilder text, List<String> cells, int[] widths, List<Object> values) {
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < widths.length; i++) {
            String blank = " ".repeat(widths[i] - cells.get(i).length());
            boolean number = values != null && values.get(i) instanceof Number;
            line.append(number ? blank + cells.get(i) : cells.get(i) + blank).append("  ");
        }
        text.append(line.toString().stripTrailing()).append(System.lineSeparator());
    }

    private static String show(Object cell) {
        String text = cell instanceof Double || cell instanceof Float
                ? "%.4f".formatted(((Number) cell).doubleValue())
                : String.valueOf(cell).replace("\n", "\\n");
        return text.length() <= WIDEST ? text : text.substring(0, WIDEST - 3) + "...";
    }
}
