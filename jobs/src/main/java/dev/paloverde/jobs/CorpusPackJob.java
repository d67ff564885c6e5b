package dev.paloverde.jobs;

import dev.paloverde.pipelines.CarriedColumns;
import dev.paloverde.pipelines.corpus.Cleaning;
import dev.paloverde.pipelines.corpus.Documents;
import dev.paloverde.pipelines.interleaved.Segments;
import dev.paloverde.pipelines.packing.Tokens;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.expressions.Window;
import org.apache.spark.sql.functions;

/**
 * A job from documents to sequences. A row is a document: of the segments in its column {@code segments} where it has one,
 * else of its text. Rows that are equal are documents of their own.
 */
final class CorpusPackJob {
    private static final String OCCURRENCE = "__paloverde_occurrence";

    private final SparkSession spark;
    private final CorpusPackCommand command;
    private final Terminal terminal;

    CorpusPackJob(SparkSession spark, CorpusPackCommand command) {
        this.spark = spark;
        this.command = command;
        terminal = command.terminal();
    }

    ExitCode run() {
        long begun = System.nanoTime();
        StageDirectory output = StageDirectory.at(spark, command.output);
        PackStages stages = new PackStages(spark, output, command.pack, command.tokenizer);
        SortedMap<String, String> description = stages.description();
        description.put("command", "corpus-pack");
        description.put("text-column", command.text);
        description.put("where", String.valueOf(command.input.where));
        description.put("sample", String.valueOf(command.input.sample));
        description.put("limit", String.valueOf(command.input.limit));
        description.put("version", Versions.PALOVERDE);
        CorpusSource source = CorpusSource.open(
                spark, terminal, command.input, List.of(Documents.KEY), command.text, "--text-column");
        terminal.say("corpus-pack");
        terminal.say("  input      %s: %,d %s files, %,d rows, %,d selected"
                .formatted(
                        String.join(" ", command.input.input),
                        source.inspection().files(),
                        source.input().format(),
                        source.inspection().rowsRead(),
                        source.inspection().selected()));
        terminal.say("  sequences  of %,d tokens of %s".formatted(command.pack.context, command.tokenizer));
        terminal.say("  output     " + output.path());
        CorpusSummary.Job job = new CorpusSummary.Job(description, source.fingerprint(), null);
        output.claim(job, command.overwrite ? OnExisting.OVERWRITE : OnExisting.FAIL);
        Optional<CorpusPackSummary> before = output.summary(CorpusPackSummary.class);
        if (before.isPresent()) {
            terminal.say("  done before");
            PackStages.say(terminal, before.get().packed());
            return source.exitCode(command.input);
        }
        PackSummary packed = stages.run(documents(source));
        output.finish(new CorpusPackSummary(
                job,
                source.inspection().selected(),
                packed,
                source.inspection().corrupt(),
                (System.nanoTime() - begun) / 1e9));
        PackStages.say(terminal, packed);
        return source.exitCode(command.input);
    }

    private Dataset<Row> documents(CorpusSource source) {
        Dataset<Row> rows = source.rows();
        boolean interleaved = Arrays.stream(source.input().schema().fields())
                .anyMatch(field -> field.name().equals(Segments.SEGMENTS));
        Column segments = interleaved
                ? functions.col(Segments.SEGMENTS).cast(Segments.TYPE)
                : functions.when(
                        CarriedColumns.column(source.text()).isNotNull(),
                        Segments.ofText(CarriedColumns.column(source.text())));
        Column from = source.column(command.pack.source).orElse(functions.lit(PackStages.ONE_SOURCE));
        Column objective = source.column(Segments.OBJECTIVE).orElse(functions.lit(null));
        Column key = functions.col(Documents.KEY);
        return rows.select(
                        Cleaning.key(rows),
                        functions
                                .coalesce(from.cast("string"), functions.lit(PackStages.ONE_SOURCE))
                                .as(Tokens.SOURCE),
                        objective.cast("string").as(Segments.OBJECTIVE),
                        segments.as(Segments.SEGMENTS))
                .withColumn(
                        OCCURRENCE,
                        functions.row_number().over(Window.partitionBy(key).orderBy(key)))
                .withColumn(
                        Tokens.DOCUMENT,
                        functions
                                .when(functions.col(OCCURRENCE).equalTo(1), key)
                                .otherwise(functions.concat(
                                        key,
                                        functions.lit("-"),
                                        functions.col(OCCURRENCE).cast("string"))));
    }
}
