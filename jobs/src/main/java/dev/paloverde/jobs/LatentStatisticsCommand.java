package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.image.LatentStatistics;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Works out mean and variance of latents. */
@Command(
        name = "latent-statistics",
        description =
                "Works out the mean and the variance of a data set's latents, as embed-image writes them, by which"
                        + " they are normalised; the same to the bit however the rows are ordered or partitioned.")
final class LatentStatisticsCommand extends SparkCommand {
    @Mixin
    final InputOptions input = new InputOptions();

    @Option(
            names = {"-o", "--output"},
            required = true,
            paramLabel = "DIRECTORY",
            description = "Where statistics.json and summary.json go.")
    String output;

    @Option(names = "--overwrite", description = "Remove what an earlier job with other input or options wrote there.")
    boolean overwrite;

    @Option(
            names = "--over",
            paramLabel = "WHAT",
            description = "What has a mean and a variance of its own: channel, over all images and places, or element,"
                    + " each number of the array (default: channel).")
    LatentStatistics.Over over = LatentStatistics.Over.CHANNEL;

    LatentStatisticsCommand(Terminal terminal, List<String> arguments) {
        super(terminal, arguments);
    }

    /** The file with the statistics. */
    static final String FILE = "statistics.json";

    /**
     * What the job did, for machines: {@code summary.json} in its output.
     *
     * @param job what the statistics depend on
     * @param rows rows with latents
     * @param without rows without
     * @param refused rows with latents of another shape, or with numbers that are none
     * @param seconds time of the run that ended it
     */
    record Ended(CorpusSummary.Job job, long rows, long without, long refused, double seconds) {}

    @Override
    ExitCode run(SparkSession spark) {
        long begun = System.nanoTime();
        StageDirectory directory = StageDirectory.at(spark, output);
        CorpusSource source = CorpusSource.open(
                spark, terminal(), input, List.of(), LatentStatistics.LATENTS, "--input", schema -> true);
        Stream.of(LatentStatistics.LATENTS, LatentStatistics.TOKENS, LatentStatistics.WIDTH)
                .filter(name -> source.column(name).isEmpty())
                .findFirst()
                .ifPresent(name -> {
                    throw new PaloverdeException(
                            ErrorCode.INPUT_UNREADABLE,
                            "--input %s has no column %s; give what embed-image has written"
                                    .formatted(String.join(" ", input.input), name));
                });
        SortedMap<String, String> description = new TreeMap<>();
        description.put("job", "latent-statistics");
        description.put("version", Versions.PALOVERDE);
        description.put("where", "%s %s %s".formatted(input.where, input.sample, input.limit));
        description.put("over", over.name());
        CorpusSummary.Job job = new CorpusSummary.Job(description, source.fingerprint(), null);
        terminal().say("latent-statistics");
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
        Ended ended = before.orElseGet(() -> {
            LatentStatistics.Statistics statistics = new LatentStatistics(over).of(source.rows());
            directory.write(FILE, Json.write(statistics));
            Ended made = new Ended(
                    job,
                    statistics.rows(),
                    statistics.without(),
                    statistics.refused(),
                    (System.nanoTime() - begun) / 1e9);
            directory.finish(made);
            return made;
        });
        terminal()
                .say(
                        "  of %,d rows, %,d without latents and %,d of another shape or without numbers left out; see %s/%s"
                                .formatted(ended.rows(), ended.without(), ended.refused(), directory.path(), FILE));
        return source.exitCode(input);
    }
}
