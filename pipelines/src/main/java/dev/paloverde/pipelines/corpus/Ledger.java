package dev.paloverde.pipelines.corpus;

import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/**
 * What became of every row: it is kept, or rejected for one reason. The rows of {@link #kept} and those of
 * {@link #rejected} together are the rows that went in, each once.
 */
public final class Ledger {
    /** The column of kept documents that counts the rows they stand for besides themselves. */
    public static final String DUPLICATES = "duplicates";

    private static final String PART = "__paloverde_contamination";
    private static final String LIKE = "__paloverde_like";
    private static final String KIND = "__paloverde_kind";

    private final Dataset<Row> rows;

    private Ledger(Dataset<Row> rows) {
        this.rows = rows;
    }

    /**
     * {@return the documents that {@link Deduplication} is to look at: those that nothing speaks against, each once}
     *
     * @param documents as {@link Cleaning} makes them
     * @param hits as {@link Decontamination} makes them
     * @param text name of the column with the text
     */
    public static Dataset<Row> candidates(Dataset<Row> documents, Dataset<Row> hits, Column text) {
        return documents
                .where(functions.col(Cleaning.REASON).isNull())
                .where(functions.col(Cleaning.OCCURRENCE).equalTo(0))
                .select(functions.col(Documents.KEY), text.as(Documents.TEXT))
                .join(hits.select(Documents.KEY).distinct(), new String[] {Documents.KEY}, "left_anti");
    }

    /**
     * Puts together what was found.
     *
     * @param documents as {@link Cleaning} makes them
     * @param hits as {@link Decontamination} makes them
     * @param duplicates as {@link Deduplication} makes them
     */
    public static Ledger of(Dataset<Row> documents, Dataset<Row> hits, Dataset<Row> duplicates) {
        Dataset<Row> parts = hits.groupBy(Documents.KEY)
                .agg(functions
                        .min(functions.struct(Decontamination.POSITION, Decontamination.EVALUATION_KEY))
                        .getField(Decontamination.EVALUATION_KEY)
                        .as(PART));
        Dataset<Row> like = duplicates.select(
                functions.col(Documents.KEY),
                functions.col(Deduplication.REPRESENTATIVE).as(LIKE),
                functions.col(Deduplication.REASON).as(KIND));
        Column free = functions.col(Cleaning.REASON).isNull();
        Column part = functions.col(PART).isNotNull();
        Column again = functions.col(Cleaning.OCCURRENCE).gt(0);
        Column found = functions
                .when(part, RejectReason.CONTAMINATED.name())
                .when(again, RejectReason.EXACT_DUPLICATE.name())
                .otherwise(functions.col(KIND));
        Dataset<Row> judged = documents
                .join(parts, new String[] {Documents.KEY}, "left")
                .join(like, new String[] {Documents.KEY}, "left")
                .withColumn(
                        Deduplication.REPRESENTATIVE,
                        functions.when(
                                free.and(functions.not(part))
                                        .and(again.or(functions.col(LIKE).isNotNull())),
                                functions.coalesce(functions.col(LIKE), functions.col(Documents.KEY))))
                .withColumn(
                        Cleaning.DETAIL,
                        functions.when(free, functions.col(PART)).otherwise(functions.col(Cleaning.DETAIL)))
                .withColumn(Cleaning.REASON, functions.when(free, found).otherwise(functions.col(Cleaning.REASON)));
        return new Ledger(judged.drop(PART, LIKE, KIND));
    }

    /** {@return the corpus: the rows' columns, {@link Documents#KEY}, {@link Cleaning#LANGUAGE} and its
     * score, {@link Cleaning#SIGNALS}, {@link #DUPLICATES}} */
    public Dataset<Row> kept() {
        Dataset<Row> counts = rows.where(
                        functions.col(Deduplication.REPRESENTATIVE).isNotNull())
                .groupBy(functions.col(Deduplication.REPRESENTATIVE).as(Documents.KEY))
                .agg(functions.count(functions.lit(1)).as(DUPLICATES));
        return rows.where(functions.col(Cleaning.REASON).isNull())
                .drop(Cleaning.REASON, Cleaning.DETAIL, Cleaning.OCCURRENCE, Deduplication.REPRESENTATIVE)
                .join(counts, new String[] {Documents.KEY}, "left")
                .withColumn(DUPLICATES, functions.coalesce(functions.col(DUPLICATES), functions.lit(0L)));
    }

    /**
     * {@return the rest: the rows' columns, {@link Documents#KEY}, {@link Cleaning#OCCURRENCE}, {@link Cleaning#LANGUAGE} and its score, {@link Cleaning#SIGNALS},
     * {@link Cleaning#REASON}, {@link Cleaning#DETAIL}, and {@link Deduplication#REPRESENTATIVE}: the key of the document
     * that stays of a cluster, by which the cluster is known}
     */
    public Dataset<Row> rejected() {
        return rows.where(functions.col(Cleaning.REASON).isNotNull());
    }
}
