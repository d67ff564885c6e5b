package dev.paloverde.pipelines.image;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.interleaved.Objective;
import dev.paloverde.pipelines.interleaved.SegmentKind;
import dev.paloverde.pipelines.interleaved.Segments;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * Makes documents of {@link Samples}, to be packed: of a picture with a caption one that teaches either the caption of the
 * picture ({@code image_to_text}, the picture first) or the picture of the caption ({@code text_to_image}, the caption
 * first), which of them by a hash of the sample's name and caption; of a picture alone one that teaches the picture; of the
 * frames of a film, in their order behind the caption where there is one, one of the objective {@code video}.
 *
 * @param visualTokens latents of a picture
 * @param imageToText share of the captioned pictures whose caption is taught, 0 to 1
 * @param seed of that choice
 */
public record SampleDocuments(int visualTokens, double imageToText, long seed) {
    /** As many latents as a picture of 224 x 224 pixels has patches of 14. */
    public static final int STANDARD_VISUAL_TOKENS = 256;

    private static final int DRAWS = 1 << 20;
    private static final String FRAMES = "frames";
    private static final String CONTAINER = "container";

    /** Checks the bounds. */
    public SampleDocuments {
        if (visualTokens < 1 || !(imageToText >= 0 && imageToText <= 1)) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "a picture of %d latents, and a share of %s that teaches captions; give at least 1, and 0 to 1"
                            .formatted(visualTokens, imageToText));
        }
    }

    /** {@return whether rows of a schema are samples, as the readers give them or as a job has kept them} */
    public static boolean areIn(StructType schema) {
        return Arrays.asList(schema.fieldNames()).containsAll(List.of(Samples.KEY, Samples.POSITION, Samples.CAPTION))
                && Arrays.stream(schema.fields())
                        .filter(field -> field.name().equals(Samples.SOURCE))
                        .map(StructField::dataType)
                        .anyMatch(type -> type instanceof StructType struct
                                && Arrays.equals(struct.fieldNames(), Samples.SOURCE_TYPE.fieldNames()));
    }

    /**
     * {@return {@link Samples#KEY}, {@link Segments#OBJECTIVE} and {@link Segments#SEGMENTS} of each document}
     *
     * @param samples those that nothing speaks against; the bytes of the images are not read
     */
    public Dataset<Row> of(Dataset<Row> samples) {
        Column frame = functions.col(Samples.SOURCE).getField("frame_index");
        return stills(samples.where(frame.isNull())).union(films(samples.where(frame.isNotNull())));
    }

    private Dataset<Row> stills(Dataset<Row> samples) {
        Column caption = caption(functions.col(Samples.CAPTION));
        Column picture = visual(SegmentKind.IMAGE, functions.col(Samples.SOURCE));
        Column draw = functions
                .pmod(
                        functions.xxhash64(
                                functions.lit(seed), functions.col(Samples.KEY), functions.col(Samples.CAPTION)),
                        functions.lit((long) DRAWS))
                .lt(Math.round(imageToText * DRAWS));
        Column captions = caption.isNotNull().and(draw);
        return samples.select(
                functions.col(Samples.KEY),
                functions
                        .when(captions, Objective.IMAGE_TO_TEXT.toString())
                        .otherwise(Objective.TEXT_TO_IMAGE.toString())
                        .as(Segments.OBJECTIVE),
                functions
                        .when(captions, functions.array(picture, text(caption)))
                        .when(caption.isNotNull(), functions.array(text(caption), picture))
                        .otherwise(functions.array(picture))
                        .as(Segments.SEGMENTS));
    }

    private Dataset<Row> films(Dataset<Row> samples) {
        Column source = functions.col(Samples.SOURCE);
        // frames of a folder are files of their own; those of an animation, and rows of a table, share theirs
        Column container = functions
                .when(source.getField("member").isNotNull(), source.getField("path"))
                .when(
                        source.getField("byte_offset").isNull(),
                        functions.concat_ws(
                                " ",
                                source.getField("path"),
                                source.getField("byte_size").cast("string")))
                .otherwise("");
        Column caption = caption(functions.col(Samples.CAPTION));
        Column frames = functions.transform(
                functions.array_sort(functions.col(FRAMES)),
                each -> visual(SegmentKind.VIDEO, each.getField(Samples.SOURCE)));
        return samples.withColumn(CONTAINER, container)
                .groupBy(Samples.KEY, CONTAINER)
                .agg(
                        functions.min(caption).as(Samples.CAPTION),
                        functions
                                .collect_list(functions.struct(
                                        functions.col(Samples.POSITION), functions.col(Samples.SOURCE)))
                                .as(FRAMES))
                .select(
                        functions.col(Samples.KEY),
                        functions.lit(Objective.VIDEO.toString()).as(Segments.OBJECTIVE),
                        functions
                                .when(
                                        functions.col(Samples.CAPTION).isNotNull(),
                                        functions.concat(functions.array(text(functions.col(Samples.CAPTION))), frames))
                                .otherwise(frames)
                                .as(Segments.SEGMENTS));
    }

    /** {@return a caption; null of one without a letter} */
    private static Column caption(Column caption) {
        return functions.when(functions.length(functions.trim(caption)).gt(0), caption);
    }

    private static Column text(Column text) {
        return segment(SegmentKind.TEXT, text, functions.lit(0), functions.lit(null));
    }

    private Column visual(SegmentKind kind, Column source) {
        return segment(
                kind,
                functions.lit(null),
                functions.lit(visualTokens),
                functions.struct(
                        source.getField("path").as("path"),
                        source.getField("member").as("member"),
                        source.getField("byte_offset").as("offset"),
                        source.getField("byte_size").as("length"),
                        source.getField("frame_index").as("frame")));
    }

    private static Column segment(SegmentKind kind, Column text, Column visual, Column source) {
        return functions
                .struct(
                        functions.lit(kind.toString()).as(Segments.KIND),
                        text.cast("string").as(Segments.TEXT),
                        visual.as(Segments.VISUAL_TOKENS),
                        source.cast(Segments.REFERENCE).as(Segments.SOURCE))
                .cast(Segments.SEGMENT);
    }
}
