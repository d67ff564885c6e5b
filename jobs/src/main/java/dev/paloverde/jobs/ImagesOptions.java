package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.image.ImageLimits;
import dev.paloverde.pipelines.image.Films;
import dev.paloverde.pipelines.image.ImageChecks;
import dev.paloverde.pipelines.image.ImageDuplicates;
import dev.paloverde.pipelines.image.ImageRules;
import dev.paloverde.pipelines.image.ImageScores;
import dev.paloverde.pipelines.image.ReaderLimits;
import dev.paloverde.pipelines.image.Samples;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Option;

/** The flags that say which images go in and what is done to them. */
final class ImagesOptions {
    @Option(
            names = {"-i", "--input"},
            required = true,
            paramLabel = "PATH",
            description = "File, directory or glob on any file system Hadoop's configuration knows; may be repeated. By"
                    + " their names, files are webdataset shards (.tar, .tar.gz), Parquet tables with bytes, or images,"
                    + " each with its caption in a .txt beside it; a folder of images with numbers for names is a video, and so"
                    + " are MP4, WebM, QuickTime and Matroska files, for which FFmpeg is added with spark-submit"
                    + " --packages org.bytedeco:ffmpeg-platform:7.1.1-1.5.12.")
    List<String> input = new ArrayList<>();

    @Option(
            names = {"-o", "--output"},
            required = true,
            paramLabel = "DIRECTORY",
            description = "Where kept/, rejects/ and summary.json go.")
    String output;

    @Option(names = "--overwrite", description = "Remove what an earlier job with other input or options wrote there.")
    boolean overwrite;

    @Option(
            names = "--image-column",
            defaultValue = "image",
            paramLabel = "COLUMN",
            description = "Of Parquet, the column with the images' bytes; image.bytes for a field (default: image).")
    String imageColumn;

    @Option(
            names = "--caption-column",
            paramLabel = "COLUMN",
            description = "Of Parquet, the column with captions (default: none).")
    String captionColumn;

    @Option(
            names = "--key-column",
            paramLabel = "COLUMN",
            description = "Of Parquet, the column that names a row (default: the hash of its image).")
    String keyColumn;

    @Option(
            names = "--frames-per-second",
            paramLabel = "RATE",
            description = "Frames a second that are taken of films, animated GIFs and folders of frames (default: 1).")
    double framesPerSecond = 1;

    @Option(
            names = "--folder-frames-per-second",
            paramLabel = "RATE",
            description = "Frames a second that folders of frames have (default: 1).")
    double folderFramesPerSecond = 1;

    @Option(
            names = "--max-image-bytes",
            paramLabel = "BYTES",
            description = "The most bytes of an image file (default: 67108864).")
    int maxImageBytes = ReaderLimits.STANDARD.imageBytes();

    @Option(
            names = "--max-caption-bytes",
            paramLabel = "BYTES",
            description = "The most bytes of a caption (default: 65536).")
    int maxCaptionBytes = ReaderLimits.STANDARD.captionBytes();

    @Option(
            names = "--max-film-bytes",
            paramLabel = "BYTES",
            description = "The most bytes of a film, which is copied to the task's disk (default: 4294967296).")
    long maxFilmBytes = Films.STANDARD_BYTES;

    @Option(
            names = "--max-pixels",
            paramLabel = "PIXELS",
            description = "The most pixels that an image may claim before it is decoded (default: 89478485).")
    long maxPixels = ImageLimits.STANDARD.maxPixels();

    @Option(
            names = "--min-side",
            paramLabel = "PIXELS",
            description = "Reject images whose shorter side has fewer pixels (default: 64).")
    int minSide = ImageRules.STANDARD.minSide();

    @Option(
            names = "--max-aspect",
            paramLabel = "RATIO",
            description = "Reject images whose longer side is more times the shorter one (default: 3).")
    double maxAspect = ImageRules.STANDARD.maxAspect();

    @Option(
            names = "--min-variance",
            paramLabel = "VARIANCE",
            description = "Reject images whose luminance, 0 to 255, varies less: blank ones (default: 4).")
    double minVariance = ImageRules.STANDARD.minVariance();

    @Option(
            names = "--distance",
            paramLabel = "BITS",
            description = "Bits in which the perceptual hashes of duplicates may differ, 0 to 11 (default: 4).")
    int distance = ImageDuplicates.STANDARD.distance();

    @Option(
            names = "--function",
            paramLabel = "NAME=CLASS",
            description = "Make a function of SQL of a class on the class path (--jars of spark-submit) that implements"
                    + " org.apache.spark.sql.api.java.UDF1 or UDF2, for the scores below; may be repeated.")
    Map<String, String> functions = new TreeMap<>();

    @Option(
            names = "--nsfw-score",
            paramLabel = "SQL",
            description =
                    "How likely an image is not safe for work, as SQL over image (its bytes), caption, key, metadata"
                            + " and checks, such as my_nsfw(image): the column nsfw_score (default: none).")
    String nsfwScore;

    @Option(names = "--max-nsfw", paramLabel = "SCORE", description = "Reject images with a higher one (default: 0.5).")
    double maxNsfw = ImageScores.NONE.maxNsfw();

    @Option(
            names = "--alignment-score",
            paramLabel = "SQL",
            description = "How well a caption fits its image, as SQL, such as my_clip(image, caption): the column"
                    + " alignment_score (default: none).")
    String alignmentScore;

    @Option(
            names = "--min-alignment",
            paramLabel = "SCORE",
            description = "Reject images with a lower one (default: 0.2).")
    double minAlignment = ImageScores.NONE.minAlignment();

    /**
     * {@return the scores, whose functions the session knows then}
     *
     * @throws PaloverdeException {@code INVALID_OPTION} if there is no such class, or an expression cannot be understood
     */
    ImageScores scores(SparkSession spark) {
        functions.forEach((name, type) -> {
            try {
                spark.udf().registerJava(name, type, null);
            } catch (Exception e) {
                // the analyser throws what it has not declared
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "--function %s=%s: %s; name a class on the class path that implements one of the interfaces UDF1 or UDF2 and has a constructor without arguments"
                                .formatted(name, type, e.getMessage()),
                        e);
            }
        });
        ImageScores scores = scores();
        scores.apply(rules().apply(ImageChecks.add(
                spark.createDataFrame(List.of(), Samples.SCHEMA),
                org.apache.spark.sql.functions.col(Samples.IMAGE),
                imageLimits())));
        return scores;
    }

    private ImageScores scores() {
        return new ImageScores(nsfwScore, maxNsfw, alignmentScore, minAlignment);
    }

    ReaderLimits readerLimits() {
        return new ReaderLimits(maxImageBytes, maxCaptionBytes);
    }

    Films films() {
        return new Films(readerLimits(), imageLimits(), framesPerSecond, maxFilmBytes);
    }

    ImageTables tables() {
        return new ImageTables(new ImageTables.Columns(imageColumn, captionColumn, keyColumn), readerLimits());
    }

    ImageLimits imageLimits() {
        return new ImageLimits(maxPixels, ImageLimits.STANDARD.maxFrames());
    }

    ImageRules rules() {
        return new ImageRules(minSide, maxAspect, minVariance, ImageRules.Animations.KEEP);
    }

    ImageDuplicates duplicates() {
        return new ImageDuplicates(distance);
    }

    /** {@return what the results depend on besides the input} Refuses what is out of range. */
    SortedMap<String, String> description() {
        for (double rate : new double[] {framesPerSecond, folderFramesPerSecond}) {
            if (!(rate > 0 && rate <= 1_000)) {
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "a rate of %s frames a second; give a number above 0 and up to 1000".formatted(rate));
            }
        }
        SortedMap<String, String> description = new TreeMap<>();
        description.put("job", "images");
        description.put("version", Versions.PALOVERDE);
        description.put("columns", tables().columns().toString());
        description.put("frames-per-second", framesPerSecond + " of " + folderFramesPerSecond);
        description.put("reader", readerLimits().toString());
        description.put("films", films().toString());
        description.put("limits", imageLimits().toString());
        description.put("rules", rules().toString());
        description.put("duplicates", duplicates().toString());
        description.put("scores", functions + " " + scores());
        return description;
    }
}
