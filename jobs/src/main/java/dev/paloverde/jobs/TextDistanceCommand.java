package dev.paloverde.jobs;

import dev.paloverde.pipelines.CarriedColumns;
import dev.paloverde.pipelines.corpus.Documents;
import dev.paloverde.pipelines.corpus.TextDistance;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Says how far captions are from the texts of a corpus. */
@Command(
        name = "text-distance",
        description =
                "Says how far texts, captions say, are from those of a corpus in the words they use: the Jensen-Shannon"
                        + " divergence of their n-grams, in bits, beside that of two halves of the corpus.")
final class TextDistanceCommand extends SparkCommand {
    @Mixin
    final InputOptions input = new InputOptions();

    @Option(
            names = "--text-column",
            defaultValue = "text",
            paramLabel = "COLUMN",
            description = "The column of --input with the texts (default: text).")
    String column;

    @Option(
            names = "--against",
            required = true,
            arity = "1..*",
            paramLabel = "PATH",
            description = "The corpus: files or directories, as --input.")
    List<String> against;

    @Option(
            names = "--against-column",
            defaultValue = "text",
            paramLabel = "COLUMN",
            description = "The column of --against with the texts (default: text).")
    String againstColumn;

    @Option(
            names = "--ngram",
            split = ",",
            defaultValue = "1,2",
            paramLabel = "WORDS",
            description = "Words in a row that are counted as one, 1 to 5; several are compared one after the other"
                    + " (default: 1,2).")
    List<Integer> ngrams;

    @Option(
            names = {"-o", "--output"},
            required = true,
            paramLabel = "DIRECTORY",
            description = "Where summary.json goes.")
    String output;

    @Option(names = "--overwrite", description = "Remove what an earlier job with other input or options wrote there.")
    boolean overwrite;

    TextDistanceCommand(Terminal terminal, List<String> arguments) {
        super(terminal, arguments);
    }

    /**
     * What the job found, for machines: {@code summary.json} in its output.
     *
     * @param job what the distances depend on
     * @param distances one for each length of n-grams
     * @param seconds time of the run that ended it
     */
    record Ended(CorpusSummary.Job job, List<TextDistance.Distance> distances, double seconds) {}

    @Override
    ExitCode run(SparkSession spark) {
        long begun = System.nanoTime();
        List<TextDistance> asked = ngrams.stream().map(TextDistance::new).toList();
        StageDirectory directory = StageDirectory.at(spark, output);
        CorpusSource ours = CorpusSource.open(spark, terminal(), input, List.of(), column, "--text-column");
        InputOptions reference = new InputOptions();
        reference.input = against;
        reference.onCorruptFile = input.onCorruptFile;
        CorpusSource theirs =
                CorpusSource.open(spark, terminal(), reference, List.of(), againstColumn, "--against-column");
        SortedMap<String, String> description = new TreeMap<>();
        description.put("job", "text-distance");
        description.put("version", Versions.PALOVERDE);
        description.put("columns", column + " " + againstColumn);
        description.put("where", "%s %s %s".formatted(input.where, input.sample, input.limit));
        description.put("ngrams", asked.toString());
        CorpusSummary.Job job = new CorpusSummary.Job(description, ours.fingerprint(), theirs.fingerprint());
        terminal().say("text-distance");
        say("input", input, ours);
        say("against", reference, theirs);
        terminal().say("  output     " + directory.path());
        directory.claim(job, overwrite ? OnExisting.OVERWRITE : OnExisting.FAIL);
        Optional<Ended> before = directory.summary(Ended.class);
        if (before.isPresent()) {
            terminal().say("  done before");
        }
        Ended ended = before.orElseGet(() -> {
            List<TextDistance.Distance> distances = asked.stream()
                    .map(distance -> distance.of(texts(ours), texts(theirs)))
                    .toList();
            Ended made = new Ended(job, distances, (System.nanoTime() - begun) / 1e9);
            directory.finish(made);
            return made;
        });
        for (TextDistance.Distance distance : ended.distances()) {
            terminal()
                    .say(String.format(
                            Locale.ROOT,
                            "  %d in a row: %.4f bits from the corpus, whose halves are %.4f apart; %.2f%% unseen in it",
                            distance.ngram(),
                            distance.divergence(),
                            distance.within(),
                            100 * distance.unseen()));
        }
        ExitCode first = ours.exitCode(input);
        return first == ExitCode.OK ? theirs.exitCode(reference) : first;
    }

    private void say(String what, InputOptions from, CorpusSource source) {
        terminal()
                .say("  %-10s %s: %,d rows"
                        .formatted(
                                what,
                                String.join(" ", from.input),
                                source.inspection().selected()));
    }

    private static Dataset<Row> texts(CorpusSource source) {
        return source.rows().select(CarriedColumns.column(source.text()).as(Documents.TEXT));
    }
}
