package dev.paloverde.pipelines.image;

import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.image.ImageFile;
import dev.paloverde.gpu.image.ImageLimits;
import dev.paloverde.gpu.image.Picture;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;

/**
 * What can be said of an image without a model, as one column: facts first, so that what is kept can be decided later and
 * again. An image is decoded once for all of it.
 */
public final class ImageChecks {
    /** The column of {@link #add}. */
    public static final String CHECKS = "checks";

    /**
     * Null where the image cannot be opened: format, width, height, frames; where it cannot be decoded: mean, variance,
     * perceptual hash. {@code variance} is of the luminance of the pixels, from 0 to 255 squared; {@code sha256} of the bytes,
     * in hexadecimal.
     */
    public static final StructType TYPE = new StructType()
            .add("decodable", "boolean", false)
            .add("error_code", "string", true)
            .add("error_message", "string", true)
            .add("format", "string", true)
            .add("width", "int", true)
            .add("height", "int", true)
            .add("aspect", "double", true)
            .add("frames", "int", true)
            .add("mean", "double", true)
            .add("variance", "double", true)
            .add("perceptual_hash", "long", true)
            .add("sha256", "string", false);

    private static final int MESSAGE_CHARACTERS = 300;

    private ImageChecks() {}

    /** {@return the rows with the column {@link #CHECKS}; null where the image is} */
    public static Dataset<Row> add(Dataset<Row> rows, Column image, ImageLimits limits) {
        UDF1<byte[], Row> check = bytes -> bytes == null ? null : check(bytes, limits);
        // one evaluation for each row, however many fields are read of it
        return rows.withColumn(
                CHECKS, functions.udf(check, TYPE).asNondeterministic().apply(image));
    }

    static Row check(byte[] bytes, ImageLimits limits) {
        String digest = digest(bytes);
        ImageFile file;
        try {
            file = ImageFile.open(bytes, limits);
        } catch (PaloverdeException e) {
            return RowFactory.create(
                    false, e.code().name(), message(e), null, null, null, null, null, null, null, null, digest);
        }
        String format = file.format().name().toLowerCase(Locale.ROOT);
        double aspect = (double) file.width() / file.height();
        try {
            Picture picture = file.decode();
            double[] moments = moments(picture);
            return RowFactory.create(
                    true,
                    null,
                    null,
                    format,
                    file.width(),
                    file.height(),
                    aspect,
                    file.frames(),
                    moments[0],
                    moments[1],
                    PerceptualHash.of(picture),
                    digest);
        } catch (PaloverdeException e) {
            return RowFactory.create(
                    false,
                    e.code().name(),
                    message(e),
                    format,
                    file.width(),
                    file.height(),
                    aspect,
                    file.frames(),
                    null,
                    null,
                    null,
                    digest);
        }
    }

    /** Mean and variance of the luminance; sums of whole numbers, so that nothing depends on an order. */
    private static double[] moments(Picture picture) {
        long sum = 0;
        long squares = 0;
        byte[] rgb = picture.rgb();
        for (int i = 0; i < rgb.length; i += 3) {
            int luminance = PerceptualHash.luminance(rgb[i] & 0xff, rgb[i + 1] & 0xff, rgb[i + 2] & 0xff);
            sum += luminance;
            squares += (long) luminance * luminance;
        }
        long pixels = rgb.length / 3;
        double mean = (double) sum / pixels;
        return new double[] {mean, Math.max(0, (double) squares / pixels - mean * mean)};
    }

    private static String message(PaloverdeException e) {
        String message = String.valueOf(e.getMessage());
        return message.length() > MESSAGE_CHARACTERS ? message.substring(0, MESSAGE_CHARACTERS) + "..." : message;
    }

    static String digest(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
