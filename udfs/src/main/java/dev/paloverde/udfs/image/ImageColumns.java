package dev.paloverde.udfs.image;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.image.ImageLimits;
import dev.paloverde.gpu.model.PixelPatches;
import dev.paloverde.gpu.model.VisionDirectory;
import dev.paloverde.udfs.Settings;
import dev.paloverde.udfs.text.TextModel;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;

/** What can be known of a row with an image before a model has seen it. */
public final class ImageColumns {
    private ImageColumns() {}

    /**
     * {@return the latents that an image will become, BIGINT; null where its head says already that the row will fail} Reads
     * the model's configuration here, on the driver.
     */
    public static Column tokens(Settings settings, Column image) {
        long tokens = ImageModel.isPixels(settings)
                ? PixelPatches.TOKENS
                : VisionDirectory.open(TextModel.path(settings)).tokens();
        ImageLimits limits = ImageModel.limits(settings);
        UDF1<byte[], Long> count = bytes -> {
            try {
                EmbedImageRows.open(bytes, limits);
                return tokens;
            } catch (PaloverdeException e) {
                if (e.code().scope() == ErrorCode.Scope.ROW) {
                    return null;
                }
                throw e;
            }
        };
        return functions.udf(count, DataTypes.LongType).apply(image.cast(DataTypes.BinaryType));
    }
}
