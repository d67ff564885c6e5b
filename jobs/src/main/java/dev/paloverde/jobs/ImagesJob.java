package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.image.Films;
import dev.paloverde.pipelines.image.ImageChecks;
import dev.paloverde.pipelines.image.ImageCorpus;
import dev.paloverde.pipelines.image.ImageDuplicates;
import dev.paloverde.pipelines.image.ImageFiles;
import dev.paloverde.pipelines.image.ImageRejectReason;
import dev.paloverde.pipelines.image.ImageScores;
import dev.paloverde.pipelines.image.Samples;
import dev.paloverde.pipelines.image.TarShards;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;

/**
 * A job from shards, tables and folders of images to a corpus: reads and checks every sample, finds duplicates, and writes
 * what is kept, what is not and why. Each stage is a table; a run that ended early goes on after the last that is whole.
 */
final class ImagesJob {
    /** What says that a part of the input could not be read. */
    private static final Set<String> INCOMPLETE =
            Set.of(ImageRejectReason.UNREADABLE_SHARD.name(), ImageRejectReason.TRUNCATED_SHARD.name());

    /** Tasks for each core: shards differ in size. */
    private static final int TASKS_PER_CORE = 4;

    private final SparkSession spark;
    private final ImagesOptions options;
    private final Terminal terminal;
    private ImageScores scores = ImageScores.NONE;

    ImagesJob(SparkSession spark, ImagesOptions options, Terminal terminal) {
        this.spark = spark;
        this.options = options;
        this.terminal = terminal;
    }

    /**
     * Runs the job.
     *
     * @throws PaloverdeException of job scope
     */
    ExitCode run() {
        long begun = System.nanoTime();
        SortedMap<String, String> description = options.description();
        scores = options.scores(spark);
        StageDirectory output = StageDirectory.at(spark, options.output);
        Configuration configuration = spark.sessionState().newHadoopConf();
        List<FileStatus> files = new ArrayList<>();
        for (String location : options.input) {
            files.addAll(Input.list(location, configuration));
        }
        ImageListing listing = ImageListing.of(files, options.folderFramesPerSecond, options.framesPerSecond);
        if (listing.shards().isEmpty()
                && listing.tables().isEmpty()
                && listing.images().isEmpty()
                && listing.films().isEmpty()) {
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE,
                    "--input %s: none of %,d files is a shard (.tar, .tar.gz), a Parquet table, an image or a film"
                            .formatted(String.join(" ", options.input), files.size()));
        }
        if (!listing.films().isEmpty()) {
            Films.check();
        }
        terminal.say("images");
        terminal.say("  input      %s: %,d shards, %,d tables, %,d image files, %,d films"
                .formatted(
                        String.join(" ", options.input),
                        listing.shards().size(),
                        listing.tables().size(),
                        listing.images().size(),
                        listing.films().size()));
        terminal.say("  output     " + output.path());
        CorpusSummary.Job job = new CorpusSummary.Job(description, listing.fingerprint(), null);
        output.claim(job, options.overwrite ? OnExisting.OVERWRITE : OnExisting.FAIL);
        Optional<CorpusSummary> before = output.summary(CorpusSummary.class);
        if (before.isPresent()) {
            terminal.say("  done before");
        }
        CorpusSummary summary = before.orElseGet(() -> make(job, listing, configuration, output, begun));
        say(output, summary);
        return summary.rejected().stream().anyMatch(each -> INCOMPLETE.contains(each.reason()))
                ? ExitCode.INPUT_INCOMPLETE
                : ExitCode.OK;
    }

    private CorpusSummary make(
            CorpusSummary.Job job,
            ImageListing listing,
            Configuration configuration,
            StageDirectory output,
            long begun) {
        Dataset<Row> checked = output.stage("checked", () -> checked(listing, new HadoopOpener(configuration)));
        Dataset<Row> clusters =
                output.stage("clusters", () -> options.duplicates().clusters(ImageCorpus.candidates(checked)));
        Dataset<Row> marked = ImageCorpus.marked(checked, clusters);
        Column kept = functions.col(Samples.REASON).isNull();
        Dataset<Row> corpus = output.result(
                "kept", () -> marked.where(kept).drop(Samples.REASON, Samples.DETAIL, ImageDuplicates.REPRESENTATIVE));
        Dataset<Row> rejects =
                output.result("rejects", () -> marked.where(functions.not(kept)).drop(Samples.IMAGE));
        CorpusSummary summary = summary(job, corpus, rejects, (System.nanoTime() - begun) / 1e9);
        output.finish(summary);
        return summary;
    }

    private Dataset<Row> checked(ImageListing listing, HadoopOpener opener) {
        Dataset<Row> samples = spark.createDataFrame(List.of(), Samples.SCHEMA);
        if (!listing.shards().isEmpty()) {
            samples = samples.union(TarShards.read(
                    spark.createDataset(listing.shards(), Encoders.STRING())
                            .repartition(tasks(listing.shards().size())),
                    opener,
                    options.readerLimits()));
        }
        if (!listing.images().isEmpty()) {
            samples = samples.union(ImageFiles.read(
                    spark.createDataFrame(listing.images(), ImageFiles.LISTING)
                            .repartition(tasks(listing.images().size())),
                    opener,
                    options.readerLimits()));
        }
        if (!listing.films().isEmpty()) {
            samples = samples.union(options.films()
                    .read(
                            spark.createDataFrame(listing.films(), ImageFiles.LISTING)
                                    .repartition(tasks(listing.films().size())),
                            opener,
                            new HadoopCopier(opener)));
        }
        if (!listing.tables().isEmpty()) {
            samples = samples.union(options.tables().read(spark, listing.tables(), TASKS_PER_CORE));
        }
        Dataset<Row> frames = ImageFiles.frames(samples, options.framesPerSecond, options.imageLimits());
        return scores.apply(
                options.rules().apply(ImageChecks.add(frames, functions.col(Samples.IMAGE), options.imageLimits())));
    }

    private int tasks(int files) {
        return Math.max(1, Math.min(files, TASKS_PER_CORE * spark.sparkContext().defaultParallelism()));
    }

    private static CorpusSummary summary(
            CorpusSummary.Job job, Dataset<Row> kept, Dataset<Row> rejects, double seconds) {
        Column size = functions.col(Samples.SOURCE + ".byte_size");
        Column bytes = functions.coalesce(functions.sum(size), functions.lit(0L));
        Row total = kept.agg(functions.count(functions.lit(1)), bytes).head();
        List<CorpusSummary.Rejected> reasons = new ArrayList<>();
        long rows = total.getLong(0);
        for (Row group : rejects.groupBy(Samples.REASON)
                .agg(functions.count(functions.lit(1)).as("rows"), bytes)
                .orderBy(functions.col("rows").desc(), functions.col(Samples.REASON))
                .collectAsList()) {
            reasons.add(new CorpusSummary.Rejected(group.getString(0), null, group.getLong(1), group.getLong(2)));
            rows += group.getLong(1);
        }
        return new CorpusSummary(
                job, rows, total.getLong(0), total.getLong(1), reasons, null, null, List.of(), seconds);
    }

    private void say(StageDirectory output, CorpusSummary summary) {
        Table table = new Table("reason", "samples", "share of samples", "bytes");
        for (CorpusSummary.Rejected each : summary.rejected()) {
            table.add(each.reason(), each.rows(), (double) each.rows() / Math.max(1, summary.rows()), each.bytes());
        }
        table.add("(kept)", summary.kept(), (double) summary.kept() / Math.max(1, summary.rows()), summary.keptBytes());
        terminal.say("");
        terminal.say(table.toString());
        terminal.say("");
        terminal.say("  %,d of %,d samples kept, in %.1f s; see %s/%s"
                .formatted(summary.kept(), summary.rows(), summary.seconds(), output.path(), StageDirectory.SUMMARY));
    }
}
