package dev.paloverde.jobs;

import java.util.List;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Packs documents into sequences. */
@Command(
        name = "corpus-pack",
        description =
                "Makes sequences of exactly a context's length of documents, in shards, with a manifest and a ledger"
                        + " of what training on them costs.")
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

    @Mixin
    final PackOptions pack = new PackOptions();

    CorpusPackCommand(Terminal terminal, List<String> arguments) {
        super(terminal, arguments);
    }

    @Override
    ExitCode run(SparkSession spark) {
        return new CorpusPackJob(spark, this).run();
    }
}
