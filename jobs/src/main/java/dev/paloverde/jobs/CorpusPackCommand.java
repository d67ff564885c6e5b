package dev.paloverde.jobs;

import dev.paloverde.pipelines.image.SampleDocuments;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Packs documents into sequences. */
@Command(
        name = "corpus-pack",
        description =
                "Makes sequences of exactly a context's length of documents, in shards, with a manifest and a ledger"
                        + " of what training on them costs. Documents are rows of text, rows of segments, or what the"
                        + " command images has kept.")
final class CorpusPackCommand extends SparkCommand {
    @Mixin
    final InputOptions input = new InputOptions();

    @Option(
            names = {"-o", "--output"},
            required = true,
            paramLabel = "DIRECTORY",
            description = "Where packed/, unpacked/, shards.json and summary.json go, on any file system Hadoop's"
                    + " configuration knows.")
    String output;

    @Option(
            names = "--overwrite",
            description = "Remove what an earlier corpus job with other input or options wrote there.")
    boolean overwrite;

    @Option(
            names = "--tokenizer",
            required = true,
            paramLabel = "MODEL",
            description = "The model whose tokenizer it is: a directory, a URI or embedded:NAME.")
    String tokenizer;

    @Option(
            names = "--text-column",
            defaultValue = "text",
            paramLabel = "COLUMN",
            description = "The column with the documents' text (default: text).")
    String text;

    @Option(
            names = "--also",
            paramLabel = "SOURCE=PATH",
            description =
                    "More documents, in Parquet, under the name of their source in the mixture: kept/ of the command"
                            + " images, documents/ of trajectories, or any table that could be the --input; may be repeated.")
    Map<String, String> also = new TreeMap<>();

    @Option(
            names = "--image-tokens",
            paramLabel = "COUNT",
            description = "Of kept/ of the command images: latents of a picture (default: 256).")
    int imageTokens = SampleDocuments.STANDARD_VISUAL_TOKENS;

    @Option(
            names = "--image-to-text",
            paramLabel = "SHARE",
            description =
                    "Of kept/ of the command images: the share of captioned pictures whose caption is to be learnt;"
                            + " of the others it is the picture (default: 0.5).")
    double imageToText = 0.5;

    @Mixin
    final PackOptions pack = new PackOptions();

    CorpusPackCommand(Terminal terminal, List<String> arguments) {
        super(terminal, arguments);
    }

    SampleDocuments samples() {
        return new SampleDocuments(imageTokens, imageToText, pack.seed);
    }

    @Override
    ExitCode run(SparkSession spark) {
        return new CorpusPackJob(spark, this).run();
    }
}
