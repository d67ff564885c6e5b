package dev.paloverde.pipelines.interleaved;

import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * The one form of documents of more than text: a list of segments in their order, each of one {@link SegmentKind}. It is
 * the interleaved form of NeMo Curator and OBELICS as one column instead of one row a segment. Pictures are named, not
 * held: {@link #SOURCE} says where their bytes lie.
 */
public final class Segments {
    /** The column with a document's segments, an array of {@link #SEGMENT}. */
    public static final String SEGMENTS = "segments";

    /** The column with the name of a document's {@link Objective}; without it, text is {@code text}, all else interleaved. */
    public static final String OBJECTIVE = "objective";

    /** Field of a segment: the name of its {@link SegmentKind}. */
    public static final String KIND = "kind";

    /** Field of a segment: its text; null of what is visual. */
    public static final String TEXT = "text";

    /** Field of a segment: how many latents a picture takes, those that mark its begin and end left out; 0 of text. */
    public static final String VISUAL_TOKENS = "visual_tokens";

    /** Field of a segment: where its bytes lie; null of text that lies in the row. */
    public static final String SOURCE = "source";

    /** Where bytes lie: a file, its member if it is an archive, a span of that, the frame of a film counted from 0. */
    public static final StructType REFERENCE = new StructType()
            .add("path", "string")
            .add("member", "string")
            .add("offset", "long")
            .add("length", "long")
            .add("frame", "int");

    /** One segment. */
    public static final StructType SEGMENT = new StructType()
            .add(KIND, "string", false)
            .add(TEXT, "string")
            .add(VISUAL_TOKENS, "int", false)
            .add(SOURCE, REFERENCE);

    /** The type of the column {@link #SEGMENTS}. */
    public static final ArrayType TYPE = DataTypes.createArrayType(SEGMENT, false);

    /** The type of the column {@link #SEGMENTS} as files have it, which promise nothing: anything of it may be null. */
    public static final ArrayType READ_TYPE = DataTypes.createArrayType(new StructType()
            .add(KIND, "string")
            .add(TEXT, "string")
            .add(VISUAL_TOKENS, "int")
            .add(SOURCE, REFERENCE));

    private Segments() {}

    /** {@return the segments of documents that are text alone} */
    public static Column ofText(Column text) {
        return functions.array(functions.struct(
                functions.lit(SegmentKind.TEXT.toString()).as(KIND),
                text.as(TEXT),
                functions.lit(0).as(VISUAL_TOKENS),
                functions.lit(null).cast(REFERENCE).as(SOURCE)));
    }
}
