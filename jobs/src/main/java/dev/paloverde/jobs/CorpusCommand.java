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
                        + " duplicates, accounts for every row, and packs what is kept into sequences.")
final class CorpusCommand extends SparkCommand {
    @Mixin
    final InputOptions input = new InputOptions();

    @Mixin
    final CorpusOptions options = new CorpusOptions();

    @Mixin
    final PackOptions pack = new PackOptions();

    CorpusCommand(Terminal terminal, List<String> arguments) {
        super(terminal, arguments);
    }

    @Override
    ExitCode run(SparkSession spark) {
        return new CorpusJob(spark, input, options, pack, terminal()).run();
    }
}
