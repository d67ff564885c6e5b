package dev.paloverde.udfs.image;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.image.ImageFile;
import dev.paloverde.gpu.image.ImageLimits;
import dev.paloverde.gpu.image.Picture;
import dev.paloverde.udfs.text.RowAnswers;
import java.util.List;
import org.apache.spark.sql.catalyst.expressions.UnsafeArrayData;

/** Decodes images, and writes their latents. */
final class EmbedImageRows implements RowAnswers<Picture, float[]> {
    private static final int COLUMNS = 3;

    private final ImageLimits limits;
    private final int tokens;
    private final int width;

    EmbedImageRows(ImageLimits limits, int tokens, int width) {
        this.limits = limits;
        this.tokens = tokens;
        this.width = width;
    }

    @Override
    public Prepared<Picture> prepare(List<?> inputs) {
        return new Prepared<>(open(inputs.get(0), limits).decode(), tokens, false);
    }

    /** @throws PaloverdeException NULL_INPUT, INVALID_IMAGE or IMAGE_TOO_LARGE */
    static ImageFile open(Object bytes, ImageLimits limits) {
        if (bytes == null) {
            throw new PaloverdeException(ErrorCode.NULL_INPUT, "the image is null");
        }
        return ImageFile.open((byte[]) bytes, limits);
    }

    @Override
    public Object[] write(Prepared<Picture> row, float[] answer) {
        return new Object[] {UnsafeArrayData.fromPrimitiveArray(answer), tokens, width};
    }

    @Override
    public int columns() {
        return COLUMNS;
    }
}
