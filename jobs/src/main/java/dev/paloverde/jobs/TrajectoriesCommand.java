package dev.paloverde.jobs;

import dev.paloverde.gpu.image.ImageLimits;
import dev.paloverde.pipelines.image.ReaderLimits;
import dev.paloverde.pipelines.image.SampleDocuments;
import dev.paloverde.pipelines.image.Trajectories;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Makes documents of folders of frames with their actions. */
@Command(
        name = "trajectories",
        description =
                "Makes documents of frames and actions in turn, which corpus-pack packs, of folders of frames with a"
                        + " file actions.jsonl, and accounts for every step.")
final class TrajectoriesCommand extends SparkCommand {
    @Option(
            names = {"-i", "--input"},
            required = true,
            paramLabel = "PATH",
            description =
                    "File, directory or glob on any file system Hadoop's configuration knows; may be repeated. Every"
                            + " actions.jsonl in it is a trajectory: a line has the strings frame, a file beside it, and action,"
                            + " 'action: dx=.., dy=.., dyaw=.., rel_t=..'.")
    List<String> input = new ArrayList<>();

    @Option(
            names = {"-o", "--output"},
            required = true,
            paramLabel = "DIRECTORY",
            description = "Where documents/, rejects/ and summary.json go.")
    String output;

    @Option(names = "--overwrite", description = "Remove what an earlier job with other input or options wrote there.")
    boolean overwrite;

    @Option(names = "--image-tokens", paramLabel = "COUNT", description = "Latents of a frame (default: 256).")
    int imageTokens = SampleDocuments.STANDARD_VISUAL_TOKENS;

    @Option(
            names = "--max-image-bytes",
            paramLabel = "BYTES",
            description = "The most bytes of a frame's file (default: 67108864).")
    int maxImageBytes = ReaderLimits.STANDARD.imageBytes();

    @Option(
            names = "--max-line-bytes",
            paramLabel = "BYTES",
            description = "The most bytes of a line of actions.jsonl (default: 65536).")
    int maxLineBytes = ReaderLimits.STANDARD.captionBytes();

    @Option(
            names = "--max-pixels",
            paramLabel = "PIXELS",
            description = "The most pixels that a frame may claim (default: 89478485).")
    long maxPixels = ImageLimits.STANDARD.maxPixels();

    TrajectoriesCommand(Terminal terminal, List<String> arguments) {
        super(terminal, arguments);
    }

    Trajectories reader() {
        return new Trajectories(
                new ReaderLimits(maxImageBytes, maxLineBytes),
                new ImageLimits(maxPixels, ImageLimits.STANDARD.maxFrames()),
                imageTokens);
    }

    /** {@return what the results depend on besides the input} Refuses what is out of range. */
    SortedMap<String, String> description() {
        SortedMap<String, String> description = new TreeMap<>();
        description.put("job", "trajectories");
        description.put("version", Versions.PALOVERDE);
        description.put("reader", reader().toString());
        return description;
    }

    @Override
    ExitCode run(SparkSession spark) {
        return new TrajectoriesJob(spark, this).run();
    }
}
