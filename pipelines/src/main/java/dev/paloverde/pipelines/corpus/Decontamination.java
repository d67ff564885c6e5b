package dev.paloverde.pipelines.corpus;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.RowStream;
import java.util.Iterator;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Finds documents that hold a part of an evaluation set: n words in a row, compared without case, punctuation and spacing
 * (Brown et al., "Language Models are Few-Shot Learners", 2020, appendix C, with 13 words). The hashes of the evaluation's
 * n-grams go to all executors, 16 to 32 bytes each; what has the same hash is then compared itself, so that nothing is
 * found that is not there.
 */
public final class Decontamination {
    /** Words of an n-gram where nobody says. */
    public static final int STANDARD_WORDS = 13;

    /** The column with the key of an evaluation's row. */
    public static final String EVALUATION_KEY = "evaluation_key";

    /** The result column with the place of an n-gram's first word in the evaluation's row, counted from 0 in words. */
    public static final String EVALUATION_POSITION = "evaluation_position";

    /** The result column with the place of an n-gram's first word in the document, counted from 0 in words. */
    public static final String POSITION = "position";

    /** The result column with the words in common, as they are compared. */
    public static final String NGRAM = "ngram";

    private static final String HASH = "__paloverde_hash";

    private static final StructType FOUND = new StructType()
            .add("key", "string", false)
            .add(POSITION, "int", false)
            .add(NGRAM, "string", false)
            .add(HASH, "long", false);

    private final int words;

    /**
     * @param words words of an n-gram, at least 1
     */
    public Decontamination(int words) {
        if (words < 1) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION, "n-grams of %d words; they have 1 or more".formatted(words));
        }
        this.words = words;
    }

    /**
     * Finds all that documents and evaluations have in common.
     *
     * @param documents {@link Documents#KEY} and {@link Documents#TEXT}
     * @param evaluation {@link #EVALUATION_KEY} and {@link Documents#TEXT}; rows of fewer words than an n-gram has cannot
     *     be found, see {@link #tooShort}
     * @return {@link Documents#KEY}, {@link #POSITION}, {@link #NGRAM}, {@link #EVALUATION_KEY} and
     *     {@link #EVALUATION_POSITION}, a row for each n-gram of a document and each place in the evaluation where it stands
     */
    public Dataset<Row> hits(Dataset<Row> documents, Dataset<Row> evaluation) {
        int size = words;
        MapPartitionsFunction<Row, Row> all = rows -> new Ngrams(rows, size, null);
        Dataset<Row> wanted = Lineage.cut(evaluation
                .select(functions.col(EVALUATION_KEY), functions.col(Documents.TEXT))
                .where(functions.col(Documents.TEXT).isNotNull())
                .mapPartitions(all, Encoders.row(FOUND)));
        Broadcast<LongSet> hashes = JavaSparkContext.fromSparkContext(
                        documents.sparkSession().sparkContext())
                .broadcast(hashes(wanted));
        MapPartitionsFunction<Row, Row> some = rows -> new Ngrams(rows, size, hashes);
        Dataset<Row> suspects = documents
                .select(functions.col(Documents.KEY), functions.col(Documents.TEXT))
                .where(functions.col(Documents.TEXT).isNotNull())
                .mapPartitions(some, Encoders.row(FOUND));
        return suspects.withColumnRenamed("key", Documents.KEY)
                .join(
                        wanted.select(
                                functions.col(NGRAM),
                                functions.col("key").as(EVALUATION_KEY),
                                functions.col(POSITION).as(EVALUATION_POSITION)),
                        NGRAM)
                .select(Documents.KEY, POSITION, NGRAM, EVALUATION_KEY, EVALUATION_POSITION);
    }

    /** {@return the rows of an evaluation that have fewer words than an n-gram} */
    public Dataset<Row> tooShort(Dataset<Row> evaluation) {
        int size = words;
        UDF1<String, Integer> count = text -> text == null ? 0 : Words.of(text).count();
        return evaluation.where(functions
                .udf(count, DataTypes.IntegerType)
                .apply(functions.col(Documents.TEXT))
                .lt(size));
    }

    /** {@return how many words it looks for} */
    @Override
    public String toString() {
        return words + " words";
    }

    private static LongSet hashes(Dataset<Row> wanted) {
        LongSet hashes = new LongSet();
        Iterator<Row> ngrams = wanted.select(HASH).toLocalIterator();
        while (ngrams.hasNext()) {
            hashes.add(ngrams.next().getLong(0));
        }
        return hashes;
    }

    /** The n-grams of texts, or those of them whose hash is wanted. */
    private static final class Ngrams extends RowStream {
        private final int size;
        private final Broadcast<LongSet> wanted;

        Ngrams(Iterator<Row> rows, int size, Broadcast<LongSet> wanted) {
            super(rows);
            this.size = size;
            this.wanted = wanted;
        }

        @Override
        protected void accept(Row row) {
            Words words = Words.of(row.getString(1));
            if (words.count() < size) {
                return;
            }
            long[] hashes = words.ngrams(size, 0);
            for (int i = 0; i < hashes.length; i++) {
                if (wanted == null || wanted.value().contains(hashes[i])) {
                    emit(RowFactory.create(row.getString(0), i, words.text(i, i + size), hashes[i]));
                }
            }
        }
    }
}
