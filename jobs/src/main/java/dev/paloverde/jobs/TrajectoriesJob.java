package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.image.Trajectories;
import dev.paloverde.pipelines.image.TrajectoryRejectReason;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;

/** A job from folders of frames and actions to documents of segments: {@code documents/}, and {@code rejects/} of steps. */
final class TrajectoriesJob {
    /** Tasks for each core: trajectories differ in length. */
    private static final int TASKS_PER_CORE = 4;

    private final SparkSession spark;
    private final TrajectoriesCommand command;
    private final Terminal terminal;

    TrajectoriesJob(SparkSession spark, TrajectoriesCommand command) {
        this.spark = spark;
        this.command = command;
        terminal = command.terminal();
    }

    /**
     * What the job did, for machines: {@code summary.json} in its output.
     *
     * @param job what the tables depend on
     * @param documents documents that were made
     * @param frames frames in them, each with its action
     * @param rejected steps that were not used, by reason, a name of {@link TrajectoryRejectReason}
     * @param seconds time of the run that ended it
     */
    record Ended(
            CorpusSummary.Job job,
            long documents,
            long frames,
            List<CorpusSummary.Rejected> rejected,
            double seconds) {}

    ExitCode run() {
        long begun = System.nanoTime();
        Configuration configuration = spark.sessionState().newHadoopConf();
        StageDirectory output = StageDirectory.at(spark, command.output);
        List<FileStatus> files = new ArrayList<>();
        for (String location : command.input) {
            files.addAll(Input.list(location, configuration));
        }
        List<String> actions = files.stream()
                .filter(file -> file.getPath().getName().equals(Trajectories.FILE))
                .map(file -> file.getPath().toString())
                .sorted()
                .toList();
        if (actions.isEmpty()) {
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE,
                    "--input %s: none of %,d files is called %s, which says what was done at each frame of its folder"
                            .formatted(String.join(" ", command.input), files.size(), Trajectories.FILE));
        }
        terminal.say("trajectories");
        terminal.say("  input      %s: %,d trajectories".formatted(String.join(" ", command.input), actions.size()));
        terminal.say("  output     " + output.path());
        CorpusSummary.Job job = new CorpusSummary.Job(
                command.description(), ImageListing.of(files, 1, 1).fingerprint(), null);
        output.claim(job, command.overwrite ? OnExisting.OVERWRITE : OnExisting.FAIL);
        Optional<Ended> before = output.summary(Ended.class);
        if (before.isPresent()) {
            terminal.say("  done before");
        }
        Ended ended = before.orElseGet(() -> make(job, actions, new HadoopOpener(configuration), output, begun));
        say(output, ended);
        return ended.rejected().stream()
                        .anyMatch(each -> each.reason().equals(TrajectoryRejectReason.UNREADABLE_FILE.name()))
                ? ExitCode.INPUT_INCOMPLETE
                : ExitCode.OK;
    }

    private Ended make(
            CorpusSummary.Job job, List<String> actions, HadoopOpener opener, StageDirectory output, long begun) {
        int tasks =
                Math.min(actions.size(), TASKS_PER_CORE * spark.sparkContext().defaultParallelism());
        Dataset<Row> read = output.stage(
                "read",
                () -> command.reader()
                        .read(spark.createDataset(actions, Encoders.STRING()).repartition(tasks), opener));
        Column used = functions.col(Trajectories.REASON).isNull();
        Dataset<Row> documents = output.result(
                "documents", () -> read.where(used).drop(Trajectories.REASON, Trajectories.DETAIL, Trajectories.PLACE));
        Dataset<Row> rejects = output.result(
                "rejects",
                () -> read.where(functions.not(used))
                        .select(Trajectories.KEY, Trajectories.REASON, Trajectories.DETAIL, Trajectories.PLACE));
        List<CorpusSummary.Rejected> reasons = new ArrayList<>();
        for (Row group : rejects.groupBy(Trajectories.REASON)
                .agg(
                        functions.count(functions.lit(1)),
                        functions.coalesce(
                                functions.sum(functions.col(Trajectories.PLACE).getField("length")), functions.lit(0L)))
                .orderBy(Trajectories.REASON)
                .collectAsList()) {
            reasons.add(new CorpusSummary.Rejected(group.getString(0), null, group.getLong(1), group.getLong(2)));
        }
        Row total = documents
                .agg(
                        functions.count(functions.lit(1)),
                        functions.coalesce(
                                functions.sum(functions.col(Trajectories.FRAMES).cast("long")), functions.lit(0L)))
                .head();
        Ended ended = new Ended(job, total.getLong(0), total.getLong(1), reasons, (System.nanoTime() - begun) / 1e9);
        output.finish(ended);
        return ended;
    }

    private void say(StageDirectory output, Ended ended) {
        if (!ended.rejected().isEmpty()) {
            Table table = new Table("reason", "steps", "bytes");
            ended.rejected().forEach(each -> table.add(each.reason(), each.rows(), each.bytes()));
            terminal.say("");
            terminal.say(table.toString());
            terminal.say("");
        }
        terminal.say("  %,d documents of %,d frames with their actions, in %.1f s; corpus-pack packs %s/documents"
                .formatted(ended.documents(), ended.frames(), ended.seconds(), output.path()));
    }
}
