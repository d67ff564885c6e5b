package dev.paloverde.pipelines.image;

import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.expressions.Window;
import org.apache.spark.sql.functions;

/** From checked samples to what is kept and what is not: every sample is in one of the two, once. */
public final class ImageCorpus {
    private static final String REPRESENTATIVE = ImageDuplicates.REPRESENTATIVE;
    private static final String RANK = "__paloverde_rank";
    private static final String DIGEST = "__paloverde_digest";

    private ImageCorpus() {}

    /** {@return what {@link ImageDuplicates#clusters} takes: the samples that are still kept, frames of videos left out} */
    public static Dataset<Row> candidates(Dataset<Row> checked) {
        return checked.where(isStill())
                .select(
                        functions.col(ImageChecks.CHECKS + ".sha256").as(ImageDuplicates.DIGEST),
                        functions.col(ImageChecks.CHECKS + ".perceptual_hash").as(ImageDuplicates.HASH));
    }

    /**
     * {@return the samples with {@link Samples#REASON} for those that others are the same as or alike, and the column {@link
     * ImageDuplicates#REPRESENTATIVE}} Of samples with the same bytes the first by source stays, of alike ones that of the
     * least digest. Frames of a video are not held against one another: they are alike by nature.
     *
     * @param clusters of {@link ImageDuplicates#clusters}
     */
    public static Dataset<Row> marked(Dataset<Row> checked, Dataset<Row> clusters) {
        Column source = functions.col(Samples.SOURCE);
        Column kept = isStill();
        Column digest = functions.col(ImageChecks.CHECKS + ".sha256");
        Dataset<Row> known =
                clusters.select(functions.col(ImageDuplicates.DIGEST).as(DIGEST), functions.col(REPRESENTATIVE));
        Dataset<Row> joined = checked.join(
                        known, digest.equalTo(functions.col(DIGEST)).and(kept), "left")
                .drop(DIGEST);
        Column rank = functions
                .row_number()
                .over(Window.partitionBy(digest, kept)
                        .orderBy(
                                functions.col(Samples.KEY),
                                source.getField("path"),
                                source.getField("member"),
                                source.getField("byte_offset"),
                                functions.col(Samples.POSITION)));
        Column repeated = functions.col(RANK).gt(1);
        Column alike = functions.col(REPRESENTATIVE).isNotNull();
        return joined.withColumn(RANK, functions.when(kept.and(digest.isNotNull()), rank))
                .withColumn(
                        REPRESENTATIVE,
                        functions
                                .when(repeated, functions.coalesce(functions.col(REPRESENTATIVE), digest))
                                .otherwise(functions.col(REPRESENTATIVE)))
                .withColumn(
                        Samples.REASON,
                        functions.coalesce(
                                functions.col(Samples.REASON),
                                functions.when(repeated, functions.lit(ImageRejectReason.EXACT_DUPLICATE.name())),
                                functions.when(alike, functions.lit(ImageRejectReason.NEAR_DUPLICATE.name()))))
                .drop(RANK);
    }

    private static Column isStill() {
        return functions
                .col(Samples.REASON)
                .isNull()
                .and(functions.col(Samples.SOURCE).getField("frame_index").isNull());
    }
}
