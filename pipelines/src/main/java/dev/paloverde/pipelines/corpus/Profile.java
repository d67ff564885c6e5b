package dev.paloverde.pipelines.corpus;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/**
 * A corpus as histograms: how many rows have a text of what length, in what language, with what quality signals, and
 * stand for how many others. The bins are fixed and rows are counted, so that a profile does not depend on how rows are
 * partitioned, as quantiles of a sketch would.
 */
public final class Profile {
    /** The figure of the lengths of texts, in bytes. */
    public static final String BYTES = "bytes";

    /** The figure of their languages. */
    public static final String LANGUAGES = "language";

    /** The figure of how many rows a document that was kept stands for, itself included. */
    public static final String CLUSTERS = "cluster";

    private static final int SHARES = 20;
    private static final int MOST_UNITS = 20;
    private static final Set<String> UNITS = Set.of("mean_word_length", "stop_words");
    private static final Set<String> COUNTS = Set.of("words", "sentences", "curly_brackets");

    private Profile() {}

    /** How the bins of a figure are cut. */
    public enum Scale {
        /** Bin 0 is 0, bin n from 2^(n-1) to before 2^n. */
        POWERS_OF_TWO,
        /** Bin n is from n/20 to before (n+1)/20, the last up to 1 and beyond. */
        SHARES,
        /** Bin n is from n to before n+1, the last without end. */
        UNITS,
        /** Each name is a bin. */
        NAMES
    }

    /**
     * One bar of a histogram.
     *
     * @param figure what is counted: one of the above or a quality signal
     * @param bin its number, or its name
     * @param kept documents in the corpus
     * @param rejected rows that are not
     */
    public record Bar(String figure, String bin, long kept, long rejected) {}

    /** {@return the quality signals, which are figures} */
    public static List<String> signals() {
        return QualitySignals.NAMES;
    }

    /** {@return how the bins of a figure are cut} */
    public static Scale scale(String figure) {
        if (figure.equals(LANGUAGES)) {
            return Scale.NAMES;
        }
        if (figure.equals(BYTES) || figure.equals(CLUSTERS) || COUNTS.contains(figure)) {
            return Scale.POWERS_OF_TWO;
        }
        return UNITS.contains(figure) ? Scale.UNITS : Scale.SHARES;
    }

    /**
     * {@return the bars of all figures that are not of height 0, by figure and bin} A text that is null has no length, no
     * language and no signals.
     *
     * @param kept as {@link Ledger#kept} gives them
     * @param rejected as {@link Ledger#rejected} gives them
     * @param text the column with the text
     */
    public static List<Bar> of(Dataset<Row> kept, Dataset<Row> rejected, Column text) {
        List<Column> ofAll = figures(text);
        List<Column> ofKept = new ArrayList<>(ofAll);
        ofKept.add(bin(CLUSTERS, functions.col(Ledger.DUPLICATES).plus(1)));
        Dataset<Row> counted = counted(kept, ofKept, 1)
                .union(counted(rejected, ofAll, 0))
                .groupBy("figure", "bin")
                .agg(functions.sum("kept"), functions.sum(functions.lit(1L)).minus(functions.sum("kept")))
                .orderBy("figure", "bin");
        List<Bar> bars = new ArrayList<>();
        for (Row row : counted.collectAsList()) {
            bars.add(new Bar(row.getString(0), row.getString(1), row.getLong(2), row.getLong(3)));
        }
        return bars;
    }

    private static List<Column> figures(Column text) {
        List<Column> figures = new ArrayList<>();
        figures.add(bin(BYTES, functions.octet_length(text)));
        figures.add(bin(LANGUAGES, functions.col(Cleaning.LANGUAGE)));
        for (String signal : QualitySignals.NAMES) {
            figures.add(bin(signal, functions.col(Cleaning.SIGNALS).getField(signal)));
        }
        return figures;
    }

    private static Dataset<Row> counted(Dataset<Row> rows, List<Column> figures, long kept) {
        return rows.select(functions
                        .explode(functions.array(figures.toArray(Column[]::new)))
                        .as("each"))
                .where(functions.col("each.bin").isNotNull())
                .select(
                        functions.col("each.figure"),
                        functions.col("each.bin"),
                        functions.lit(kept).as("kept"));
    }

    private static Column bin(String figure, Column value) {
        Column number = value.cast("double");
        Column bin = switch (scale(figure)) {
            case NAMES -> value;
            case POWERS_OF_TWO ->
                functions
                        .when(number.lt(1), 0)
                        .otherwise(functions
                                .floor(functions.log2(functions.floor(number)))
                                .plus(1));
            case SHARES -> functions.least(functions.floor(number.multiply(SHARES)), functions.lit(SHARES - 1L));
            case UNITS -> functions.least(functions.floor(number), functions.lit((long) MOST_UNITS));
        };
        return functions.struct(
                functions.lit(figure).as("figure"), bin.cast("string").as("bin"));
    }
}
