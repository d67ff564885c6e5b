package dev.paloverde.jobs;

import java.util.List;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Makes a training corpus of images. */
@Command(
        name = "images",
        description =
                "Makes a training corpus of images with captions, and of frames of videos: reads shards, tables and"
                        + " folders, checks every image, removes duplicates, and accounts for every sample.")
final class ImagesCommand extends SparkCommand {
    @Mixin
    final ImagesOptions options = new ImagesOptions();

    ImagesCommand(Terminal terminal, List<String> arguments) {
        super(terminal, arguments);
    }

    @Override
    ExitCode run(SparkSession spark) {
        return new ImagesJob(spark, options, terminal()).run();
    }
}
