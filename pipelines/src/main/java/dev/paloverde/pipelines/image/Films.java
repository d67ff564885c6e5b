package dev.paloverde.pipelines.image;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.image.ImageLimits;
import java.io.Serializable;
import java.util.Iterator;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;

/**
 * Reads films (MP4, WebM and the like) as their frames: those that are shown at a rate, as PNG files, like those of animated
 * GIFs. FFmpeg decodes them, through the presets of Bytedeco, which who has films adds to the class path ({@link #check}). A
 * film is copied to the task's disk, decoded by one thread in one pass, a frame at a time, and deleted. Only containers of
 * films are opened, and no file but that one: a playlist is no film.
 *
 * @param limits bytes of a caption
 * @param images what a frame may claim to be
 * @param framesPerSecond frames a second that are taken, above 0
 * @param filmBytes bytes of a film
 */
public record Films(ReaderLimits limits, ImageLimits images, double framesPerSecond, long filmBytes)
        implements Serializable {
    /** 4 GiB. */
    public static final long STANDARD_BYTES = 4L << 30;

    /** What who reads films adds. */
    static final String NEEDED = "org.bytedeco:ffmpeg-platform:7.1.1-1.5.12";

    /** The most frames that are taken of a film: 18 hours, one a second. */
    static final int MOST_FRAMES = 1 << 16;

    /** Checks the bounds. */
    public Films {
        if (!(framesPerSecond > 0) || filmBytes < 1) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "%s frames a second of films of up to %d bytes; give a rate above 0, and at least 1 byte"
                            .formatted(framesPerSecond, filmBytes));
        }
    }

    /**
     * Sees to it that films can be decoded here.
     *
     * @throws PaloverdeException {@code INPUT_UNREADABLE} if FFmpeg is not on the class path, or not for this machine
     */
    public static void check() {
        try {
            Class.forName("org.bytedeco.ffmpeg.global.avutil");
            FilmDecoder.quiet();
        } catch (ClassNotFoundException | LinkageError e) {
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE,
                    "films are decoded by FFmpeg, which is not here (%s); add it with spark-submit --packages %s, or leave films out of the input"
                            .formatted(e, NEEDED),
                    e);
        }
    }

    /**
     * {@return the frames of listed films, {@link Samples#SCHEMA}}
     *
     * @param listing rows of {@link ImageFiles#LISTING}
     * @param opener of captions
     */
    public Dataset<Row> read(Dataset<Row> listing, ShardOpener opener, FilmCopier copier) {
        FlatMapFunction<Row, Row> open = row -> open(row, opener, copier);
        return listing.flatMap(open, Encoders.row(Samples.SCHEMA));
    }

    private Iterator<Row> open(Row listed, ShardOpener opener, FilmCopier copier) {
        check();
        FilmFrames frames = new FilmFrames(
                listed.getString(0),
                listed.getString(1),
                listed.isNullAt(2) ? null : listed.getString(2),
                opener,
                copier,
                this);
        if (TaskContext.get() != null) {
            TaskContext.get().addTaskCompletionListener(context -> {
                frames.close();
            });
        }
        return frames;
    }
}
