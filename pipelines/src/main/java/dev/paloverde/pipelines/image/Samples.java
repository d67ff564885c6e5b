package dev.paloverde.pipelines.image;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.expressions.GenericRowWithSchema;
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
     * {@return the sample of a row of a table, {@link #SCHEMA}}
     *
     * @param path of the table, for the source
     * @param key null for the SHA-256 of the image
     * @param image null if there is none, which is a reason not to keep it
     * @param caption UTF-8, or null
     */
    public static Row of(String path, String key, byte[] image, byte[] caption, ReaderLimits limits) {
        String name = key == null && image != null ? ImageChecks.digest(image) : key;
        Row source = source(path, null, null, image == null ? null : (long) image.length, null);
        if (image == null) {
            return rejected(name, source, ImageRejectReason.NO_IMAGE, "the row's image is null");
        }
        if (image.length > limits.imageBytes()) {
            return rejected(
                    name,
                    source,
                    ImageRejectReason.MEMBER_TOO_LARGE,
                    "%,d bytes, more than the %,d allowed".formatted(image.length, limits.imageBytes()));
        }
        if (caption != null && caption.length > limits.captionBytes()) {
            return rejected(
                    name,
                    source,
                    ImageRejectReason.CAPTION_TOO_LARGE,
                    "%,d bytes, more than the %,d allowed".formatted(caption.length, limits.captionBytes()));
        }
        String text = caption == null ? null : text(caption);
        return caption != null && text == null
                ? rejected(name, source, ImageRejectReason.INVALID_CAPTION, "not UTF-8")
                : read(name, 0, image, text, null, source);
    }

    /**
     * {@return a row for a part of a table that cannot be read, or not to its end, {@link #SCHEMA}}
     *
     * @param path of the table
     * @param begin first byte of the part
     * @param size its bytes
     * @param reason {@code UNREADABLE_SHARD} or {@code TRUNCATED_SHARD}
     */
    public static Row damaged(String path, long begin, long size, ImageRejectReason reason, String detail) {
        return rejected(null, source(path, null, begin, size, null), reason, detail);
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
