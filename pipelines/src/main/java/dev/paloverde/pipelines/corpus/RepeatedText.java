package dev.paloverde.pipelines.corpus;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.CarriedColumns;
import dev.paloverde.pipelines.RowStream;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import scala.collection.Seq;

/**
 * Finds passages that stand in a corpus more than once: substrings of at least so many words that are equal, word by word,
 * to such a one elsewhere, in another document or in the same (Lee et al., "Deduplicating Training Data Makes Language
 * Models Better", arXiv 2107.06499, section 4.1, where they are 50 tokens and found by a suffix array). Here every window
 * of so many words is hashed as it rolls over a text, to 122 bits; equal windows meet in a sort, the first of them by key
 * and place stays, and all others are joined to spans. That is a row for each word of the corpus, sorted once; no task
 * holds more than a document, and nothing depends on how documents are ordered or partitioned.
 *
 * <p>A word is what stands between white space, to the letter; of scripts that are written without spaces each character is
 * one, as in {@code Words}. What stays of a passage is one occurrence, the whole of it or parts of it in several documents:
 * each window of it that was first somewhere.
 *
 * @param words least length of a passage, at least 2
 */
public record RepeatedText(int words) implements Serializable {
    /** The result column with the first byte of a passage in the document's UTF-8. */
    public static final String BEGIN = "begin";

    /** The result column with the byte after its last. */
    public static final String END = "end";

    /** The result column with how many words it has. */
    public static final String WORDS = "words";

    /** The length of Lee et al. */
    public static final RepeatedText STANDARD = new RepeatedText(50);

    private static final String SPANS = "__paloverde_spans";
    private static final StructType WINDOWS = new StructType()
            .add("high", "long", false)
            .add("low", "long", false)
            .add(Documents.KEY, "string", false)
            .add("at", "int", false)
            .add(BEGIN, "int", false)
            .add(END, "int", false);
    private static final StructType REPEATED = new StructType()
            .add(Documents.KEY, "string", false)
            .add("at", "int", false)
            .add(BEGIN, "int", false)
            .add(END, "int", false);
    private static final StructType PASSAGES = new StructType()
            .add(Documents.KEY, "string", false)
            .add(BEGIN, "int", false)
            .add(END, "int", false)
            .add(WORDS, "int", false);

    /** Checks the length. */
    public RepeatedText {
        if (words < 2) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION, "repeated passages of %d words; give at least 2".formatted(words));
        }
    }

    /**
     * Finds the passages.
     *
     * @param documents {@link Documents#KEY}, different for each, and {@link Documents#TEXT}
     * @return {@link Documents#KEY}, {@link #BEGIN}, {@link #END} and {@link #WORDS} of each passage that stands elsewhere
     *     too and is not the first there is; those of a document do not overlap, nor touch
     */
    public Dataset<Row> passages(Dataset<Row> documents) {
        int least = words;
        MapPartitionsFunction<Row, Row> roll = rows -> new Windows(rows, least);
        MapPartitionsFunction<Row, Row> compare = Repeats::new;
        MapPartitionsFunction<Row, Row> join = rows -> new Passages(rows, least);
        return documents
                .select(Documents.KEY, Documents.TEXT)
                .where(functions.col(Documents.TEXT).isNotNull())
                .mapPartitions(roll, Encoders.row(WINDOWS))
                .repartition(functions.col("high"), functions.col("low"))
                .sortWithinPartitions("high", "low", Documents.KEY, "at")
                .mapPartitions(compare, Encoders.row(REPEATED))
                .repartition(functions.col(Documents.KEY))
                .sortWithinPartitions(Documents.KEY, "at")
                .mapPartitions(join, Encoders.row(PASSAGES));
    }

    /**
     * {@return rows without their passages: all their columns, the text changed where there were any}
     *
     * @param rows with {@link Documents#KEY}
     * @param text name of the column with the text that the passages were found in
     * @param passages as {@link #passages} finds them
     */
    public static Dataset<Row> without(Dataset<Row> rows, String text, Dataset<Row> passages) {
        Dataset<Row> spans = passages.groupBy(Documents.KEY)
                .agg(functions
                        .array_sort(functions.collect_list(functions.struct(BEGIN, END)))
                        .as(SPANS));
        UDF2<String, Seq<Row>, String> cut = RepeatedText::cut;
        Column before = CarriedColumns.column(text);
        Column changed = functions.udf(cut, DataTypes.StringType).apply(before, functions.col(SPANS));
        Column[] columns = Arrays.stream(rows.columns())
                .map(name -> name.equals(text)
                        ? functions
                                .when(functions.col(SPANS).isNotNull(), changed)
                                .otherwise(before)
                                .as(name)
                        : CarriedColumns.column(name))
                .toArray(Column[]::new);
        return rows.join(spans, new String[] {Documents.KEY}, "left").select(columns);
    }

    /**
     * {@return the documents of which nothing but white space is left without their passages, as {@link Deduplication#dropped}
     * says what is not to stay: {@link Documents#KEY}, {@link Deduplication#REPRESENTATIVE}, which is their own key, and
     * {@link Deduplication#REASON}}
     *
     * @param documents {@link Documents#KEY} and {@link Documents#TEXT}
     */
    public static Dataset<Row> emptied(Dataset<Row> documents, Dataset<Row> passages) {
        Dataset<Row> changed =
                documents.join(passages.select(Documents.KEY).distinct(), new String[] {Documents.KEY}, "left_semi");
        return without(changed, Documents.TEXT, passages)
                .where(functions.not(functions.col(Documents.TEXT).rlike("\\S")))
                .select(
                        functions.col(Documents.KEY),
                        functions.col(Documents.KEY).as(Deduplication.REPRESENTATIVE),
                        functions.lit(RejectReason.REPEATED_TEXT.name()).as(Deduplication.REASON));
    }

    private static String cut(String text, Seq<Row> spans) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        StringBuilder left = new StringBuilder(text.length());
        int at = 0;
        for (int i = 0; i < spans.length(); i++) {
            Row span = spans.apply(i);
            left.append(new String(bytes, at, span.getInt(0) - at, StandardCharsets.UTF_8));
            at = span.getInt(1);
        }
        return left.append(new String(bytes, at, bytes.length - at, StandardCharsets.UTF_8))
                .toString();
    }

    /** The windows of documents. */
    private static final class Windows extends RowStream {
        private final int words;

        Windows(Iterator<Row> rows, int words) {
            super(rows);
            this.words = words;
        }

        @Override
        protected void accept(Row row) {
            WordSpans spans = WordSpans.of(row.getString(1));
            RollingHash hash = new RollingHash(words);
            for (int i = 0; i < spans.count(); i++) {
                int first = i - words + 1;
                if (first > 0) {
                    hash.remove(spans.hash(first - 1));
                }
                hash.add(spans.hash(i));
                if (first >= 0) {
                    emit(RowFactory.create(
                            hash.high(), hash.low(), row.getString(0), first, spans.begin(first), spans.end(i)));
                }
            }
        }
    }

    /** Of windows that are sorted, those that are equal to one before. */
    private static final class Repeats extends RowStream {
        private boolean any;
        private long high;
        private long low;

        Repeats(Iterator<Row> rows) {
            super(rows);
        }

        @Override
        protected void accept(Row row) {
            if (any && row.getLong(0) == high && row.getLong(1) == low) {
                emit(RowFactory.create(row.getString(2), row.getInt(3), row.getInt(4), row.getInt(5)));
            }
            any = true;
            high = row.getLong(0);
            low = row.getLong(1);
        }
    }

    /** Windows of a document that overlap or touch, joined. */
    private static final class Passages implements Iterator<Row> {
        private final Iterator<Row> windows;
        private final int words;
        private Row next;

        Passages(Iterator<Row> windows, int words) {
            this.windows = windows;
            this.words = words;
            next = windows.hasNext() ? windows.next() : null;
        }

        @Override
        public boolean hasNext() {
            return next != null;
        }

        @Override
        public Row next() {
            if (next == null) {
                throw new NoSuchElementException();
            }
            String key = next.getString(0);
            int first = next.getInt(1);
            int begin = next.getInt(2);
            int last = first;
            int end = next.getInt(3);
            next = windows.hasNext() ? windows.next() : null;
            while (next != null && next.getString(0).equals(key) && next.getInt(1) <= last + words) {
                last = next.getInt(1);
                end = next.getInt(3);
                next = windows.hasNext() ? windows.next() : null;
            }
            return RowFactory.create(key, begin, end, last + words - first);
        }
    }
}
