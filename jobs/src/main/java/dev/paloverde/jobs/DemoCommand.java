package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Settings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Shows what Paloverde does, on the corpus and the two models that the jar carries: scores the corpus with both, has
 * prompts continued and questions answered, and draws what came out. Each part is an ordinary job, whose output can be
 * read like any other.
 */
@Command(
        name = "demo",
        description =
                "Scores, continues and answers with the embedded models and corpus; a minute or two on two cores.")
final class DemoCommand extends SparkCommand {
    private static final String TARGET = "embedded:sample-target";
    private static final String DRAFT = "embedded:sample-draft";
    private static final int SAMPLES = 4;

    @Option(
            names = {"-o", "--output"},
            defaultValue = "out/demo",
            paramLabel = "DIRECTORY",
            description = "A local directory for results (default: out/demo).")
    private Path output;

    DemoCommand(Terminal terminal, List<String> arguments) {
        super(terminal, arguments);
    }

    @Override
    ExitCode run(SparkSession spark) {
        long begun = System.nanoTime();
        Path corpus;
        try {
            corpus = SampleFiles.unpack("dev/paloverde/corpus/", output.resolve("corpus"));
        } catch (IOException e) {
            throw new PaloverdeException(
                    ErrorCode.OUTPUT_UNWRITABLE,
                    "--output %s cannot be written: %s; name another directory".formatted(output, e.getMessage()),
                    e);
        }
        Mapping text = new Mapping("text", Optional.empty(), Optional.empty(), Optional.empty());
        String documents = corpus.resolve("text").toString();
        job(
                spark,
                "1 of 4: scoring the sample corpus with the target model",
                "scores-target",
                documents,
                new TextSteps(Operation.SCORE, text, model(TARGET)));
        job(
                spark,
                "2 of 4: scoring it with the draft model",
                "scores-draft",
                documents,
                new TextSteps(Operation.SCORE, text, model(DRAFT)));
        sayScores(spark);
        Mapping prompt = new Mapping("prompt", Optional.empty(), Optional.empty(), Optional.empty());
        Map<String, String> sampling = model(TARGET);
        sampling.put(Settings.MAX_TOKENS.key(), "48");
        sampling.put(Settings.TEMPERATURE.key(), "0.7");
        sampling.put(Settings.SEED.key(), "1");
        job(
                spark,
                "3 of 4: continuing 200 prompts",
                "generations",
                corpus.resolve("prompts").toString(),
                new TextSteps(Operation.GENERATE, prompt, sampling));
        saySamples(spark);
        Mapping context = new Mapping("context", Optional.empty(), Optional.empty(), Optional.of("choices"));
        job(
                spark,
                "4 of 4: answering the questions of the sample evaluation",
                "answers",
                corpus.resolve("eval").toString(),
                new TextSteps(Operation.CHOOSE, context, model(TARGET)));
        sayAnswers(spark);
        terminal()
                .say("All of it took %s. Parquet, manifests and the plot are under %s."
                        .formatted(ProgressLine.clock((System.nanoTime() - begun) / 1e9), output));
        return ExitCode.OK;
    }

    private static Map<String, String> model(String name) {
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put(Settings.MODEL.key(), name);
        return settings;
    }

    private void job(SparkSession spark, String title, String name, String input, TextSteps steps) {
        terminal().say("");
        terminal().say(title);
        InputOptions in = new InputOptions();
        in.input = List.of(input);
        OutputOptions out = new OutputOptions();
        out.output = output.resolve(name).toString();
        // the demonstration may be of another version than what lies there
        out.onExisting = OnExisting.OVERWRITE;
        RowJob.Outcome outcome =
                new RowJob(spark, steps, in, out, arguments(), terminal().withoutReports()).perform();
        RunManifest.Results results = outcome.results();
        terminal()
                .say("  %,d rows in %s: %,d tokens read, %,d generated, %,.0f tokens/s"
                        .formatted(
                                results.rows(),
                                ProgressLine.clock(outcome.seconds()),
                                results.tokensIn(),
                                results.tokensOut(),
                                results.tokensPerSecond()));
        if (outcome.exit() != ExitCode.OK || results.rowsByStatus().containsKey("error")) {
            terminal().say("  rows by status: " + results.rowsByStatus() + " " + results.errors());
        }
    }

    private Dataset<Row> rows(SparkSession spark, String name) {
        return spark.read().parquet(output.resolve(name).toString());
    }

    private static Column bitsPerByte() {
        return functions
                .sum("log_probability")
                .divide(functions.sum("bytes"))
                .divide(-Math.log(2))
                .as("bits_per_byte");
    }

    private void sayScores(SparkSession spark) {
        Map<String, Double> target = new LinkedHashMap<>();
        Map<String, Double> draft = new LinkedHashMap<>();
        for (Row row : rows(spark, "scores-target")
                .groupBy("source")
                .agg(bitsPerByte())
                .orderBy("bits_per_byte")
                .collectAsList()) {
            target.put(row.getString(0), row.getDouble(1));
        }
        for (Row row :
                rows(spark, "scores-draft").groupBy("source").agg(bitsPerByte()).collectAsList()) {
            draft.put(row.getString(0), row.getDouble(1));
        }
        Table table = new Table("source", "target, bits per byte", "draft, bits per byte");
        target.forEach((source, bits) -> table.add(source, bits, draft.get(source)));
        terminal().say("");
        terminal().say(table.toString());
        Path plot = output.resolve("bits-per-byte.png");
        try {
            Plots.bars(plot, "Bits per byte by source", "bits per byte, logarithmic", target, draft);
            terminal().say("  plotted in " + plot);
        } catch (IOException | RuntimeException | LinkageError e) {
            // a headless Java without fonts cannot draw; the figures are all in the table
            terminal().note("the plot was left out: " + e);
        }
    }

    private void saySamples(SparkSession spark) {
        List<Row> samples = rows(spark, "generations")
                .where("status = 'ok'")
                .groupBy(functions
                        .regexp_extract(functions.col("id"), "^(.*)-", 1)
                        .as("source"))
                .agg(functions
                        .min_by(functions.struct("prompt", "text"), functions.col("id"))
                        .as("sample"))
                .orderBy("source")
                .select("sample.prompt", "sample.text")
                .limit(SAMPLES)
                .collectAsList();
        for (Row sample : samples) {
            terminal().say("");
            terminal().say("  " + sample.getString(0).replace("\n", "\n  "));
            terminal().say("  >>" + sample.getString(1).replace("\n", "\n  "));
        }
    }

    private void sayAnswers(SparkSession spark) {
        Row row = rows(spark, "answers")
                .agg(
                        functions.count(functions.lit(1)),
                        functions.avg(functions
                                .col("best")
                                .equalTo(functions.col("answer"))
                                .cast("double")),
                        functions.avg(functions.lit(1.0).divide(functions.size(functions.col("choices")))))
                .head();
        terminal().say("");
        terminal()
                .say("  %,d questions, %.1f%% answered right; by chance it would be %.1f%%"
                        .formatted(row.getLong(0), 100 * row.getDouble(1), 100 * row.getDouble(2)));
        terminal().say("");
    }
}
