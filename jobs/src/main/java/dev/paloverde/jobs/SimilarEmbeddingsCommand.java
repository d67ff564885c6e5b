package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.corpus.Documents;
import dev.paloverde.pipelines.corpus.EmbeddingDuplicates;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Finds rows whose embeddings point the same way. */
@Command(
        name = "similar-embeddings",
        description =
                "Finds near-duplicates by their embeddings, as embed writes them: rows with a cosine of at least a"
                        + " threshold, and those that are connected by such.")
final class SimilarEmbeddingsCommand extends SparkCommand {
    @Mixin
    final InputOptions input = new InputOptions();

    @Option(
            names = {"-o", "--output"},
            required = true,
            paramLabel = "DIRECTORY",
            description = "Where duplicates/, refused/ and summary.json go.")
    String output;

    @Option(names = "--overwrite", description = "Remove what an earlier job with other input or options wrote there.")
    boolean overwrite;

    @Option(
            names = "--key-column",
            defaultValue = "row_key",
            paramLabel = "COLUMN",
            description = "The column with a key that no other row has (default: row_key).")
    String key;

    @Option(
            names = "--embedding-column",
            defaultValue = "embedding",
            paramLabel = "COLUMN",
            description = "The column with arrays of numbers (default: embedding).")
    String embedding;

    @Option(
            names = "--cosine",
            paramLabel = "COSINE",
            description = "How alike two embeddings are at least, above 0 and up to 1 (default: 0.95).")
    double cosine = EmbeddingDuplicates.STANDARD.threshold();

    @Option(
            names = "--recall",
            paramLabel = "PROBABILITY",
            description = "How likely two rows that are just as alike are found, between 0 and 1; more takes longer"
                    + " (default: 0.99).")
    double recall = EmbeddingDuplicates.STANDARD.recall();

    @Option(names = "--seed", paramLabel = "NUMBER", description = "Seed of the hyperplanes (default: 0).")
    long seed = EmbeddingDuplicates.STANDARD.seed();

    SimilarEmbeddingsCommand(Terminal terminal, List<String> arguments) {
        super(terminal, arguments);
    }

    /**
     * What the job did, for machines: {@code summary.json} in its output.
     *
     * @param job what the tables depend on
     * @param rows rows that went in
     * @param duplicates rows that are like one of a smaller key
     * @param refused rows that cannot be compared
     * @param seconds time of the run that ended it
     */
    record Ended(CorpusSummary.Job job, long rows, long duplicates, long refused, double seconds) {}

    @Override
    ExitCode run(SparkSession spark) {
        long begun = System.nanoTime();
        EmbeddingDuplicates search = new EmbeddingDuplicates(cosine, recall, seed);
        StageDirectory directory = StageDirectory.at(spark, output);
        CorpusSource source =
                CorpusSource.open(spark, terminal(), input, List.of(), key, "--key-column", schema -> true);
        Dataset<Row> rows = source.rows()
                .select(
                        column(source, key, "--key-column").cast("string").as(Documents.KEY),
                        column(source, embedding, "--embedding-column").as(EmbeddingDuplicates.EMBEDDING));
        check(rows);
        SortedMap<String, String> description = new TreeMap<>();
        description.put("job", "similar-embeddings");
        description.put("version", Versions.PALOVERDE);
        description.put("columns", key + " " + embedding);
        description.put("where", "%s %s %s".formatted(input.where, input.sample, input.limit));
        description.put("search", search.toString());
        CorpusSummary.Job job = new CorpusSummary.Job(description, source.fingerprint(), null);
        terminal().say("similar-embeddings");
        terminal()
                .say("  input      %s: %,d rows"
                        .formatted(
                                String.join(" ", input.input),
                                source.inspection().selected()));
        terminal().say("  output     " + directory.path());
        directory.claim(job, overwrite ? OnExisting.OVERWRITE : OnExisting.FAIL);
        Optional<Ended> before = directory.summary(Ended.class);
        if (before.isPresent()) {
            terminal().say("  done before");
        }
        Ended ended = before.orElseGet(() -> make(job, search, rows, source, directory, begun));
        terminal()
                .say("  %,d of %,d rows are like another, %,d cannot be compared, in %.1f s; see %s/duplicates"
                        .formatted(
                                ended.duplicates(), ended.rows(), ended.refused(), ended.seconds(), directory.path()));
        return source.exitCode(input);
    }

    private static Ended make(
            CorpusSummary.Job job,
            EmbeddingDuplicates search,
            Dataset<Row> rows,
            CorpusSource source,
            StageDirectory directory,
            long begun) {
        EmbeddingDuplicates.Found found = search.of(rows);
        Dataset<Row> duplicates = directory.result("duplicates", found::duplicates);
        Dataset<Row> refused = directory.result("refused", found::refused);
        Ended ended = new Ended(
                job,
                source.inspection().selected(),
                duplicates.count(),
                refused.count(),
                (System.nanoTime() - begun) / 1e9);
        directory.finish(ended);
        return ended;
    }

    private Column column(CorpusSource source, String name, String flag) {
        return source.column(name)
                .orElseThrow(() -> new PaloverdeException(
                        ErrorCode.INPUT_UNREADABLE,
                        "%s %s: there is no such column in %s, which has %s"
                                .formatted(
                                        flag,
                                        name,
                                        String.join(" ", input.input),
                                        Input.describe(source.input().schema()))));
    }

    private void check(Dataset<Row> rows) {
        try {
            rows.select(functions.col(EmbeddingDuplicates.EMBEDDING).cast("array<float>"))
                    .schema();
        } catch (Exception e) {
            // the analyser throws what it has not declared
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE,
                    "--embedding-column %s is of type %s; name a column with arrays of numbers"
                            .formatted(
                                    embedding, rows.schema().apply(1).dataType().simpleString()),
                    e);
        }
        long repeated = rows.groupBy(Documents.KEY)
                .count()
                .where(functions
                        .col("count")
                        .gt(1)
                        .or(functions.col(Documents.KEY).isNull()))
                .count();
        if (repeated > 0) {
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE,
                    "--key-column %s: %,d of its values are null or stand in more than one row; name a column that tells rows apart"
                            .formatted(key, repeated));
        }
    }
}
