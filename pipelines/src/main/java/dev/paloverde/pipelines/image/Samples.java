package dev.paloverde.pipelines.image;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.expressions.GenericRowWithSchema;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;

/**
 * The rows that readers give: an image with its caption, where it came from, or why it could not be read. The source is the
 * reference of interleaved schemas: a file, a member of it, and the bytes of the image within.
 */
public final class Samples {
    /** STRING: the sample's name in its source; several rows share it where it is a video. */
    public static final String KEY = "key";

    /** INT: place among the images of a key, from 0. */
    public static final String POSITION = "position";

    /** BINARY: the encoded image. */
    public static final String IMAGE = "image";

    /** STRING, or null. */
    public static final String CAPTION = "caption";

    /** STRING: what stood beside it as JSON, or null. */
    public static final String METADATA = "metadata";

    /** STRUCT of path, member, byte_offset, byte_size, frame_index. */
    public static final String SOURCE = "source";

    /** STRING: an {@link ImageRejectReason}, or null. */
    public static final String REASON = "reason";

    /** STRING: what was found, or null. */
    public static final String DETAIL = "detail";

    static final StructType SOURCE_TYPE = new StructType()
            .add("path", "string", false)
            .add("member", "string", true)
            .add("byte_offset", "long", true)
            .add("byte_size", "long", true)
            .add("frame_index", "int", true);

    /** What all readers give. */
    public static final StructType SCHEMA = new StructType()
            .add(KEY, "string", true)
            .add(POSITION, "int", false)
            .add(IMAGE, "binary", true)
            .add(CAPTION, "string", true)
            .add(METADATA, "string", true)
            .add(SOURCE, SOURCE_TYPE, false)
            .add(REASON, "string", true)
            .add(DETAIL, "string", true);

    private static final int DETAIL_CHARACTERS = 500;

    private Samples() {}

    /**
     * {@return samples of a table with images as bytes}
     *
     * @param path of the table, for the source
     * @param key a column that names a row
     * @param caption a column of strings, or a null literal
     */
    public static Dataset<Row> of(
            Dataset<Row> rows, Column path, Column key, Column image, Column caption, ReaderLimits limits) {
        Column size = functions.octet_length(image).cast("long");
        Column captionSize = functions.octet_length(caption).cast("long");
        Column reason = functions
                .when(size.isNull(), functions.lit(ImageRejectReason.NO_IMAGE.name()))
                .when(size.gt(limits.imageBytes()), functions.lit(ImageRejectReason.MEMBER_TOO_LARGE.name()))
                .when(captionSize.gt(limits.captionBytes()), functions.lit(ImageRejectReason.CAPTION_TOO_LARGE.name()));
        Column detail = functions.when(
                reason.isNotNull(),
                functions.concat_ws(
                        "",
                        functions.coalesce(size.cast("string"), functions.lit("no")),
                        functions.lit(" bytes of image, "),
                        functions.coalesce(captionSize.cast("string"), functions.lit("no")),
                        functions.lit(" of caption")));
        return rows.select(
                key.cast("string").as(KEY),
                functions.lit(0).as(POSITION),
                functions.when(reason.isNull(), image).as(IMAGE),
                functions.when(captionSize.leq(limits.captionBytes()), caption).as(CAPTION),
                functions.lit(null).cast("string").as(METADATA),
                functions
                        .struct(
                                path.as("path"),
                                functions.lit(null).cast("string").as("member"),
                                functions.lit(null).cast("long").as("byte_offset"),
                                size.as("byte_size"),
                                functions.lit(null).cast("int").as("frame_index"))
                        .as(SOURCE),
                reason.as(REASON),
                detail.as(DETAIL));
    }

    /** {@return a source} */
    static Row source(String path, String member, Long offset, Long size, Integer frame) {
        return new GenericRowWithSchema(new Object[] {path, member, offset, size, frame}, SOURCE_TYPE);
    }

    static Row read(String key, int position, byte[] image, String caption, String metadata, Row source) {
        return row(key, position, image, caption, metadata, source, null, null);
    }

    static Row rejected(String key, Row source, ImageRejectReason reason, String detail) {
        String bounded = detail.length() > DETAIL_CHARACTERS ? detail.substring(0, DETAIL_CHARACTERS) + "..." : detail;
        return row(key, 0, null, null, null, source, reason.name(), bounded);
    }

    /** With names: Spark may hand a row to the next function as it is. */
    private static Row row(Object... values) {
        return new GenericRowWithSchema(values, SCHEMA);
    }

    /** {@return the text, or null where the bytes are not UTF-8} */
    static String text(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            return null;
        }
    }
}
