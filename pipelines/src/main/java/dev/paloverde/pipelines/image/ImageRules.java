package dev.paloverde.pipelines.image;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/**
 * Which images are kept, by what {@link ImageChecks} has found.
 *
 * @param minSide the shorter side, in pixels
 * @param maxAspect the longer side over the shorter one
 * @param minVariance of the luminance; less is blank
 * @param animations whether animated images are kept
 */
public record ImageRules(int minSide, double maxAspect, double minVariance, Animations animations) {
    /** What becomes of an animated image. */
    public enum Animations {
        /** Kept as its first frame would be. */
        KEEP,
        /** Rejected. */
        REJECT
    }

    /**
     * Sides from 64 pixels, up to three to one, a standard deviation of luminance above 2 of 255. The first two are
     * DataComp's and OBELICS' kind of bounds; none of them is a law.
     */
    public static final ImageRules STANDARD = new ImageRules(64, 3, 4, Animations.KEEP);

    /** Checks that they are bounds at all. */
    public ImageRules {
        if (minSide < 1 || !(maxAspect >= 1) || !(minVariance >= 0)) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "a least side of %d, an aspect of at most %s and a variance of at least %s; give at least 1, 1 and 0"
                            .formatted(minSide, maxAspect, minVariance));
        }
    }

    /** {@return the rows with {@link Samples#REASON} and {@link Samples#DETAIL} where a rule is broken that are null} */
    public Dataset<Row> apply(Dataset<Row> checked) {
        Column width = check("width");
        Column height = check("height");
        Column shorter = functions.least(width, height);
        Column longer = functions.greatest(width, height);
        Column broken = functions
                .when(functions.not(check("decodable")), check("error_code"))
                .when(shorter.lt(minSide), name(ImageRejectReason.TOO_SMALL))
                .when(longer.divide(shorter).gt(maxAspect), name(ImageRejectReason.ASPECT))
                .when(check("variance").lt(minVariance), name(ImageRejectReason.BLANK));
        if (animations == Animations.REJECT) {
            broken = broken.when(check("frames").gt(1), name(ImageRejectReason.ANIMATED));
        }
        Column found = functions.coalesce(
                check("error_message"),
                functions.format_string(
                        "%d x %d pixels, %d frames, variance %.3f", width, height, check("frames"), check("variance")));
        Column reason = functions.coalesce(functions.col(Samples.REASON), broken);
        return checked.withColumn(
                        Samples.DETAIL,
                        functions
                                .when(functions.col(Samples.REASON).isNull().and(broken.isNotNull()), found)
                                .otherwise(functions.col(Samples.DETAIL)))
                .withColumn(Samples.REASON, reason);
    }

    private static Column check(String field) {
        return functions.col(ImageChecks.CHECKS + "." + field);
    }

    private static Column name(ImageRejectReason reason) {
        return functions.lit(reason.name());
    }
}
