package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.CarriedColumns;
import dev.paloverde.pipelines.UnitPlan;
import java.io.IOException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.spark.sql.SparkSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Gathers what a run did, keeps it in the run's manifest, and tells it to people. */
final class Report {
    private static final Logger LOG = LoggerFactory.getLogger(Report.class);
    private static final int FORMAT = 1;

    private final OutputDirectory output;
    private final JobDescription job;
    private final String run;
    private final List<String> arguments;
    private final String application;
    private final String master;
    private final String sparkVersion;
    private final String started = now();
    private final TreeMap<String, Double> seconds = new TreeMap<>();
    private RunManifest.InputReport input;
    private RunManifest.Plan plan;
    private RunManifest.Results results;
    private SortedMap<String, Long> metrics;
    private int engines;
    private Long attemptsFailed;
    private Long rowsLost;

    Report(SparkSession spark, String run, List<String> arguments, JobDescription job, OutputDirectory output) {
        this.output = output;
        this.job = job;
        this.run = run;
        this.arguments = arguments;
        this.application = spark.sparkContext().applicationId();
        this.master = spark.sparkContext().master();
        this.sparkVersion = spark.version();
    }

    /** {@return the name of the manifest's file} */
    String name() {
        return "run-" + run + ".json";
    }

    void input(InputOptions options, InputFormat format, Input.Inspection inspection, CarriedColumns columns) {
        input = new RunManifest.InputReport(
                options.input,
                format.toString(),
                inspection.files(),
                inspection.rowsRead(),
                inspection.malformed(),
                inspection.selected(),
                inspection.bytes(),
                inspection.fingerprint(),
                new TreeMap<>(columns.renamed()),
                inspection.corrupt());
    }

    void plan(long rowsDoneBefore, UnitPlan units) {
        plan = new RunManifest.Plan(rowsDoneBefore, units.rows(), units.tokens(), units.units());
    }

    /**
     * @param last what the write has come to
     * @param executors how many there are, each with its engine
     */
    void progress(Progress.Reading last, int executors) {
        metrics = last.metrics();
        attemptsFailed = last.attemptsFailed();
        rowsLost = last.rowsLost();
        engines = executors;
    }

    void results(Summary summary) {
        double computing = seconds.getOrDefault("computing", 0.0);
        results = new RunManifest.Results(
                summary.rows(),
                summary.rowsByStatus(),
                summary.errors(),
                summary.tokensIn(),
                summary.tokensOut(),
                computing == 0 ? 0 : (summary.tokensIn() + summary.tokensOut()) / computing);
    }

    RunManifest.Results results() {
        return results;
    }

    /** Notes how long a phase took that began at a reading of {@link System#nanoTime}. */
    void seconds(String phase, long begun) {
        seconds.put(phase, (System.nanoTime() - begun) / 1e9);
    }

    /** Writes the manifest of a run that goes on. */
    void write() {
        write(RunManifest.State.RUNNING, null, null);
    }

    /** Writes the manifest of a run that ends. */
    void end(ExitCode exit, Optional<RuntimeException> failure) {
        RunManifest.Failure error = failure.map(e -> Failures.coded(e)
                        .map(coded -> new RunManifest.Failure(coded.code().name(), coded.getMessage()))
                        .orElseGet(() -> new RunManifest.Failure("INTERNAL", String.valueOf(e))))
                .orElse(null);
        write(RunManifest.State.ENDED, exit.status(), error);
    }

    private void write(RunManifest.State state, Integer exitStatus, RunManifest.Failure error) {
        RunManifest manifest = new RunManifest(
                FORMAT,
                run,
                state,
                started,
                state == RunManifest.State.ENDED ? now() : null,
                RunManifest.versionsHere(sparkVersion),
                application,
                master,
                arguments,
                job,
                input,
                plan,
                results,
                metrics,
                seconds,
                engineShare().orElse(null),
                attemptsFailed,
                rowsLost,
                exitStatus,
                error);
        try {
            output.write(name(), Json.write(manifest));
        } catch (IOException e) {
            if (state == RunManifest.State.RUNNING) {
                throw new PaloverdeException(
                        ErrorCode.OUTPUT_UNWRITABLE,
                        "%s cannot be written: %s".formatted(output.beside(name()), e.getMessage()),
                        e);
            }
            LOG.warn("{} cannot be written", output.beside(name()), e);
        }
    }

    /** {@return the end of the run in words} */
    List<String> lines() {
        List<String> lines = new ArrayList<>();
        lines.add("Done: %,d rows %s in %s, %,d done before"
                .formatted(
                        results.rows(),
                        results.rowsByStatus(),
                        ProgressLine.clock(seconds.get("total")),
                        plan.rowsDoneBefore()));
        lines.add("  tokens   %,d read, %,d generated, %,.0f tokens/s while computing (%s)"
                .formatted(
                        results.tokensIn(),
                        results.tokensOut(),
                        results.tokensPerSecond(),
                        ProgressLine.clock(seconds.get("computing"))));
        engineShare()
                .ifPresent(share -> lines.add(
                        "  engine   busy %.0f%% of that time, on %,d executors".formatted(100 * share, engines)));
        if (attemptsFailed != null && attemptsFailed > 0) {
            lines.add("  lost     %,d task attempts, and with them at least %,d rows, which were computed again"
                    .formatted(attemptsFailed, rowsLost));
        }
        for (RunManifest.RowErrors error : results.errors()) {
            lines.add("  %s: %,d rows, such as %s: %s"
                    .formatted(error.code(), error.rows(), error.exampleKey(), error.exampleMessage()));
        }
        return lines;
    }

    /** {@return the share of the time of computing in which engines ran a step} */
    private Optional<Double> engineShare() {
        double computing = seconds.getOrDefault("computing", 0.0);
        return metrics == null || computing == 0 || !metrics.containsKey(Metrics.ENGINE_NANOS)
                ? Optional.empty()
                : Optional.of(metrics.get(Metrics.ENGINE_NANOS) / 1e9 / computing / engines);
    }

    private static String now() {
        return Instant.now().truncatedTo(ChronoUnit.MILLIS).toString();
    }
}
