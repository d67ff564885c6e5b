package dev.paloverde.jobs;

import java.util.List;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Makes a training corpus of documents. */
@Command(
        name = "corpus",
        description =
                "Makes a training corpus of documents: mends and judges texts, removes parts of evaluation sets and"
                        + " duplicates, and accounts for every row.")
final class CorpusCommand extends SparkCommand {
    @Mixin
    final InputOptions input = new InputOptions();

    @Mixin
    final CorpusOptions options = new CorpusOptions();

    CorpusCommand(Terminal terminal, List<String> arguments) {
        super(terminal, arguments);
    }

    @Override
    ExitCode run(SparkSession spark) {
        return new CorpusJob(spark, input, options, terminal()).run();
    }
}
