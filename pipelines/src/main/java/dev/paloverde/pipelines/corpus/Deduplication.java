package dev.paloverde.pipelines.corpus;

import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;

/**
 * Which documents of a corpus stand in it already: first those that say the same, then those that
 * are much alike. A cluster's representative is its document of the least key. What comes out depends on the
 * documents alone, not on their order or how they are partitioned.
 */
public final class Deduplication {
    /** The result column with the key of the document that stays. */
    public static final String REPRESENTATIVE = "representative";

    /** The result column that says how alike the two are: the name of {@link RejectReason#EXACT_DUPLICATE} or
     * {@link RejectReason#NEAR_DUPLICATE}. */
    public static final String REASON = "reason";

    private static final String CONTENT = "__paloverde_content";

    private final NearDuplicates near;

    /** A deduplication by MinHash of given parameters. */
    public Deduplication(MinHash.Parameters parameters, Verification verification) {
        this.near = new NearDuplicates(parameters, verification);
    }

    /**
     * Finds the documents to drop.
     *
     * @param documents {@link Documents#KEY}, different for each, and {@link Documents#TEXT}; read several times
     * @return {@link Documents#KEY}, {@link #REPRESENTATIVE} and {@link #REASON} of those that are not to stay
     */
    public Dataset<Row> dropped(Dataset<Row> documents) {
        Dataset<Row> exact = Lineage.cut(exact(documents));
        Dataset<Row> distinct = documents.join(exact.select(Documents.KEY), new String[] {Documents.KEY}, "left_anti");
        Dataset<Row> similar = near.clusters(distinct)
                .select(
                        functions.col(Components.NODE).as(Documents.KEY),
                        functions.col(Components.COMPONENT).as(REPRESENTATIVE));
        similar = Lineage.cut(similar);
        // what represented exact duplicates may itself be represented now
        Dataset<Row> onward = similar.select(
                functions.col(Documents.KEY).as(REPRESENTATIVE),
                functions.col(REPRESENTATIVE).as("onward"));
        return exact.join(onward, new String[] {REPRESENTATIVE}, "left")
                .select(
                        functions.col(Documents.KEY),
                        functions
                                .coalesce(functions.col("onward"), functions.col(REPRESENTATIVE))
                                .as(REPRESENTATIVE),
                        functions.lit(RejectReason.EXACT_DUPLICATE.name()).as(REASON))
                .union(similar.withColumn(REASON, functions.lit(RejectReason.NEAR_DUPLICATE.name())));
    }

    /** {@return documents that say what one of a smaller key says, and the least such key} */
    static Dataset<Row> exact(Dataset<Row> documents) {
        UDF1<String, String> contentKey = Documents::contentKey;
        Column content = functions.udf(contentKey, DataTypes.StringType).apply(functions.col(Documents.TEXT));
        Dataset<Row> keys = Lineage.cut(documents
                .select(Documents.KEY, Documents.TEXT)
                .where(functions.col(Documents.TEXT).isNotNull())
                .select(functions.col(Documents.KEY), content.as(CONTENT)));
        Dataset<Row> least =
                keys.groupBy(CONTENT).agg(functions.min(Documents.KEY).as(REPRESENTATIVE));
        return keys.join(least, CONTENT)
                .where(functions.col(Documents.KEY).notEqual(functions.col(REPRESENTATIVE)))
                .select(Documents.KEY, REPRESENTATIVE);
    }
}
