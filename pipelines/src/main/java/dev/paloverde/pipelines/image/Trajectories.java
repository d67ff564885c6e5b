package dev.paloverde.pipelines.image;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.image.ImageLimits;
import dev.paloverde.pipelines.interleaved.Segments;
import java.io.Serializable;
import java.util.Iterator;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructType;

/**
 * Reads trajectories: folders of frames with a file {@value #FILE}, of which each line names a frame and what was done
 * there, {@code {"frame": "000000.png", "action": "action: dx=.., dy=.., dyaw=.., rel_t=.."}}; what else a line has is not
 * read. A trajectory becomes a document of its frames and actions in turn. A step that cannot be used divides it, since
 * what comes after does not follow from what was before: each side is a document, and the step a row with a {@link
 * TrajectoryRejectReason} and the place of its line. A trajectory is read by one task, a line and a frame at a time.
 *
 * @param limits bytes of a frame, and, as of a caption, of a line
 * @param images what a frame may claim to be; it is opened, not decoded
 * @param visualTokens latents of a frame
 */
public record Trajectories(ReaderLimits limits, ImageLimits images, int visualTokens) implements Serializable {
    /** The name of a file of actions. */
    public static final String FILE = "actions.jsonl";

    /** STRING: the trajectory's folder. */
    public static final String KEY = "key";

    /** INT: number of the document in its trajectory, from 0. */
    public static final String PART = "part";

    /** INT: frames of the document. */
    public static final String FRAMES = "frames";

    /** STRING: a {@link TrajectoryRejectReason}, or null of a document. */
    public static final String REASON = "reason";

    /** STRING: what was found, or null. */
    public static final String DETAIL = "detail";

    /** STRUCT, {@link Segments#REFERENCE}: the line of what is rejected, or null. */
    public static final String PLACE = "place";

    /** What is read. */
    public static final StructType SCHEMA = new StructType()
            .add(KEY, "string", false)
            .add(PART, "int", false)
            .add(Segments.OBJECTIVE, "string")
            .add(Segments.SEGMENTS, Segments.TYPE)
            .add(FRAMES, "int", false)
            .add(REASON, "string")
            .add(DETAIL, "string")
            .add(PLACE, Segments.REFERENCE);

    /** A longer trajectory becomes several documents: one is in memory as a whole. */
    static final int MOST_FRAMES = 1 << 14;

    /** Checks the number of latents. */
    public Trajectories {
        if (visualTokens < 1) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION, "a frame of %d latents; it has at least 1".formatted(visualTokens));
        }
    }

    /**
     * {@return documents and rejected steps, {@link #SCHEMA}; which is which says {@link #REASON}}
     *
     * @param files paths of files of actions, as the opener understands them
     */
    public Dataset<Row> read(Dataset<String> files, ShardOpener opener) {
        FlatMapFunction<String, Row> open = path -> open(path, opener);
        return files.flatMap(open, Encoders.row(SCHEMA));
    }

    private Iterator<Row> open(String path, ShardOpener opener) {
        TrajectoryRows rows = new TrajectoryRows(path, opener, this);
        if (TaskContext.get() != null) {
            TaskContext.get().addTaskCompletionListener(context -> {
                rows.close();
            });
        }
        return rows;
    }
}
