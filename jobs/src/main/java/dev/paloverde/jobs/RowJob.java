package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.CarriedColumns;
import dev.paloverde.pipelines.InputCount;
import dev.paloverde.pipelines.Resume;
import dev.paloverde.pipelines.Step;
import dev.paloverde.pipelines.UnitPlan;
import java.io.IOException;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;

/**
 * A job from rows to rows: reads the input, finds what an earlier run has done, computes the rest in units, each
 * committed by itself, and reports.
 */
final class RowJob {
    /** Tokens of a unit where nobody says. */
    static final long UNIT_TOKENS = 100_000;

    private static final String COMMIT_PROTOCOL = "spark.sql.sources.commitProtocolClass";
    private static final DateTimeFormatter RUN_NAME =
            DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'", Locale.ROOT).withZone(ZoneOffset.UTC);

    private final SparkSession spark;
    private final Steps steps;
    private final InputOptions inputOptions;
    private final OutputOptions outputOptions;
    private final List<String> arguments;
    private final Terminal terminal;

    RowJob(
            SparkSession spark,
            Steps steps,
            InputOptions inputOptions,
            OutputOptions outputOptions,
            List<String> arguments,
            Terminal terminal) {
        this.spark = spark;
        this.steps = steps;
        this.inputOptions = inputOptions;
        this.outputOptions = outputOptions;
        this.arguments = arguments;
        this.terminal = terminal;
    }

    /** What is known before the work begins. */
    private record Prepared(
            Input input,
            CarriedColumns columns,
            Step step,
            JobDescription job,
            OutputDirectory output,
            OutputDirectory.State state) {
        Resume.Keys keys() {
            return new Resume.Keys(Step.ROW_KEY, columns.names());
        }
    }

    /**
     * How a run ended.
     *
     * @param exit the exit status
     * @param results what it wrote; absent after a dry run
     * @param seconds how long it took
     */
    record Outcome(ExitCode exit, RunManifest.Results results, double seconds) {}

    /**
     * Runs the job.
     *
     * @throws PaloverdeException of job scope
     */
    ExitCode run() {
        return perform().exit();
    }

    /** See {@link #run}. */
    Outcome perform() {
        long begun = System.nanoTime();
        checkRanges();
        Prepared prepared = prepare();
        if (outputOptions.dryRun) {
            return new Outcome(dryRun(prepared), null, (System.nanoTime() - begun) / 1e9);
        }
        String run = RUN_NAME.format(Instant.now())
                + "-%06x".formatted(ThreadLocalRandom.current().nextInt(1 << 24));
        prepared.output().claim(run, prepared.job(), outputOptions.onExisting);
        Report report = new Report(spark, run, arguments, prepared.job(), prepared.output());
        report.write();
        try (Step.Readiness ready = begin(prepared)) {
            ExitCode exit = run(prepared, run, report);
            report.end(exit, Optional.empty());
            return new Outcome(exit, report.results(), (System.nanoTime() - begun) / 1e9);
        } catch (RuntimeException e) {
            report.end(Failures.exitCode(e), Optional.of(e));
            throw e;
        } finally {
            try {
                prepared.output().release(run);
            } catch (IOException e) {
                terminal.note("staging of run " + run + " is left behind, the next run removes it: " + e.getMessage());
            }
        }
    }

    /**
     * Where this process is the executor, it loads the model while it plans. Not for a job that goes on, which may have
     * nothing left to do.
     */
    private Step.Readiness begin(Prepared prepared) {
        boolean worthwhile = spark.sparkContext().isLocal() && prepared.state() != OutputDirectory.State.SAME_JOB;
        return worthwhile ? prepared.step().begin() : () -> {};
    }

    private ExitCode run(Prepared prepared, String run, Report report) {
        long begun = System.nanoTime();
        Input.Inspection inspection = inspect(prepared);
        report.input(inputOptions, prepared.input().format(), inspection, prepared.columns());
        boolean resuming = prepared.state() != OutputDirectory.State.EMPTY;
        Dataset<Row> todo = todo(prepared, resuming);
        UnitPlan plan = plan(prepared, inspection, todo, resuming);
        report.plan(inspection.selected() - plan.rows(), plan);
        report.seconds("planning", begun);
        report.write();
        sayPlan(run, prepared, inspection, plan);

        long computing = System.nanoTime();
        if (plan.rows() > 0 || !resuming) {
            Progress progress = new Progress(Metrics.NODE);
            spark.sparkContext().addSparkListener(progress);
            try (ProgressLine line = new ProgressLine(progress, terminal, plan.rows(), plan.units())) {
                write(plan.divide(todo, prepared.keys()), prepared, run);
            } finally {
                spark.sparkContext().removeSparkListener(progress);
                report.progress(progress.read(), Math.max(1, executors()));
            }
        }
        report.seconds("computing", computing);
        Summary summary = Summary.of(spark, prepared.output(), run, prepared.step());
        report.results(summary);
        report.seconds("total", begun);
        sayEnd(prepared, report, inspection);
        return exitCode(summary, inspection);
    }

    /** {@return how many executors there are; the driver counts where it is the executor} */
    private int executors() {
        int all = spark.sparkContext().statusTracker().getExecutorInfos().length;
        return spark.sparkContext().isLocal() ? all : all - 1;
    }

    private Prepared prepare() {
        Input input = Input.open(spark, inputOptions);
        CarriedColumns columns = CarriedColumns.of(input.schema(), reserved());
        Step step = steps.bind(spark, input.schema(), columns);
        JobDescription job = JobDescription.of(step, columns, input.schema());
        OutputDirectory output =
                OutputDirectory.at(outputOptions.output, spark.sessionState().newHadoopConf());
        OutputDirectory.State state = output.examine(job, outputOptions.onExisting);
        return new Prepared(input, columns, step, job, output, state);
    }

    private Set<String> reserved() {
        return new HashSet<>(steps.reserved(spark));
    }

    private Input.Inspection inspect(Prepared prepared) {
        Input.Inspection inspection = prepared.input().inspect(prepared.columns(), prepared.step());
        if (!inspection.corrupt().isEmpty()) {
            List<String> lines = inspection.corrupt().stream()
                    .map(file -> "  " + file.path() + ": " + file.reason())
                    .toList();
            String message = "%d of %d input files cannot be read, or not to their end:%n%s"
                    .formatted(lines.size(), inspection.files(), String.join(System.lineSeparator(), lines));
            if (inputOptions.onCorruptFile == InputOptions.OnCorruptFile.FAIL) {
                throw new PaloverdeException(
                        ErrorCode.INPUT_UNREADABLE,
                        message + System.lineSeparator()
                                + "Mend or remove them, or say --on-corrupt-file=report to process all else");
            }
            terminal.note(message);
        }
        return inspection;
    }

    /** {@return the rows to do, with their row keys} */
    private Dataset<Row> todo(Prepared prepared, boolean resuming) {
        Dataset<Row> carried = prepared.input().selected(prepared.columns());
        List<Column> columns = new ArrayList<>(carriedColumns(prepared));
        columns.add(prepared.step().rowKey().as(Step.ROW_KEY));
        Dataset<Row> rows = prepared.step().prepare(carried).select(columns.toArray(Column[]::new));
        return resuming ? Resume.remaining(rows, done(prepared), prepared.keys()) : rows;
    }

    /** {@return finished rows of this receipt: the carried columns and the row key} */
    private Dataset<Row> done(Prepared prepared) {
        StructType schema = prepared.columns()
                .rename(prepared.input().schema())
                .add(Step.ROW_KEY, "string")
                .add(Step.RECEIPT, "string");
        return prepared.output()
                .read(spark, schema, UnitCommitProtocol.UNIT + "*.parquet")
                .where(functions.col(Step.RECEIPT).equalTo(prepared.step().receipt()))
                .drop(Step.RECEIPT);
    }

    private UnitPlan plan(Prepared prepared, Input.Inspection inspection, Dataset<Row> todo, boolean resuming) {
        long rows = inspection.selected();
        long bytes = inspection.bytes();
        if (resuming) {
            Row total = InputCount.total(
                            prepared.step().prepare(todo), prepared.step().bytes())
                    .head();
            rows = total.getLong(0);
            bytes = total.getLong(1);
        }
        UnitPlan.Work work = new UnitPlan.Work(rows, bytes, prepared.step().newTokensPerRow());
        long unitTokens = outputOptions.unitTokens == null ? UNIT_TOKENS : outputOptions.unitTokens;
        UnitPlan plan = UnitPlan.of(work, unitTokens, spark.sparkContext().defaultParallelism());
        return outputOptions.units == null ? plan : new UnitPlan(plan.rows(), plan.tokens(), outputOptions.units);
    }

    private void write(Dataset<Row> rows, Prepared prepared, String run) {
        Dataset<Row> results = prepared.step().apply(rows.drop(Step.ROW_KEY)).select(columns(prepared));
        Optional<String> before = Optional.ofNullable(spark.conf().get(COMMIT_PROTOCOL, null));
        spark.conf().set(COMMIT_PROTOCOL, UnitCommitProtocol.class.getName());
        try {
            results.write()
                    .mode(SaveMode.Append)
                    .option(UnitCommitProtocol.RUN, run)
                    .option("compression", outputOptions.compression)
                    .parquet(prepared.output().path().toString());
        } finally {
            before.ifPresentOrElse(
                    value -> spark.conf().set(COMMIT_PROTOCOL, value),
                    () -> spark.conf().unset(COMMIT_PROTOCOL));
        }
    }

    private static Column[] columns(Prepared prepared) {
        List<Column> columns = new ArrayList<>(carriedColumns(prepared));
        for (String name : prepared.step().results().fieldNames()) {
            columns.add(functions.col(name));
        }
        return columns.toArray(Column[]::new);
    }

    private static List<Column> carriedColumns(Prepared prepared) {
        return prepared.columns().names().stream().map(CarriedColumns::column).toList();
    }

    private ExitCode dryRun(Prepared prepared) {
        Input.Inspection inspection = inspect(prepared);
        boolean resuming = prepared.state() != OutputDirectory.State.EMPTY;
        Dataset<Row> todo = todo(prepared, resuming);
        UnitPlan plan = plan(prepared, inspection, todo, resuming);
        sayPlan("(dry run)", prepared, inspection, plan);
        sayTokens(prepared, todo, plan);
        terminal.say("Nothing was written.");
        return inspection.corrupt().isEmpty() || inputOptions.onCorruptFile == InputOptions.OnCorruptFile.SKIP
                ? ExitCode.OK
                : ExitCode.INPUT_INCOMPLETE;
    }

    private void sayTokens(Prepared prepared, Dataset<Row> todo, UnitPlan plan) {
        Row counted = prepared.step()
                .prepare(todo)
                .agg(
                        functions.coalesce(functions.sum(prepared.step().tokens()), functions.lit(0L)),
                        functions.count(prepared.step().tokens()))
                .head();
        terminal.say("  tokens   %,d to read, exactly, in %,d rows; %,d rows will fail for what they hold"
                .formatted(counted.getLong(0), counted.getLong(1), plan.rows() - counted.getLong(1)));
        if (prepared.step().newTokensPerRow() > 0) {
            terminal.say("           %,d to generate, at most"
                    .formatted(counted.getLong(1) * prepared.step().newTokensPerRow()));
        }
    }

    private void sayPlan(String run, Prepared prepared, Input.Inspection inspection, UnitPlan plan) {
        TreeMap<String, String> renamed = new TreeMap<>(prepared.columns().renamed());
        terminal.say("%s, run %s".formatted(prepared.step().name(), run));
        terminal.say("  input    %s: %,d %s files, %,d rows, %,d selected (%,d bytes of text)"
                .formatted(
                        String.join(" ", inputOptions.input),
                        inspection.files(),
                        prepared.input().format(),
                        inspection.rowsRead(),
                        inspection.selected(),
                        inspection.bytes()));
        if (inspection.malformed() > 0) {
            terminal.say("           %,d of those rows are malformed: columns that could not be read are null"
                    .formatted(inspection.malformed()));
        }
        renamed.forEach((from, to) -> terminal.say("  column   %s is carried as %s".formatted(from, to)));
        prepared.step().mapping().forEach((part, column) -> terminal.say("  %-8s %s".formatted(part, column)));
        terminal.say("  output   " + prepared.output().path());
        terminal.say("  receipt  " + prepared.step().receipt());
        terminal.say("  model    " + prepared.step().model());
        terminal.say("  to do    %,d rows (%,d done before), about %,d tokens in %,d units on %s"
                .formatted(
                        plan.rows(),
                        inspection.selected() - plan.rows(),
                        plan.tokens(),
                        plan.units(),
                        spark.sparkContext().master()));
    }

    private void sayEnd(Prepared prepared, Report report, Input.Inspection inspection) {
        report.lines().forEach(terminal::say);
        if (!inspection.corrupt().isEmpty()) {
            terminal.say("  %,d of %,d input files could not be read, or not to their end; the manifest names them"
                    .formatted(inspection.corrupt().size(), inspection.files()));
        }
        terminal.say("  manifest " + prepared.output().beside(report.name()));
    }

    private ExitCode exitCode(Summary summary, Input.Inspection inspection) {
        if (summary.rows() > 0 && summary.failed() > outputOptions.maxErrorRate * summary.rows()) {
            terminal.note("%,d of %,d rows failed, more than --max-error-rate %s allows"
                    .formatted(summary.failed(), summary.rows(), outputOptions.maxErrorRate));
            return ExitCode.ROWS_FAILED;
        }
        return inspection.corrupt().isEmpty() || inputOptions.onCorruptFile == InputOptions.OnCorruptFile.SKIP
                ? ExitCode.OK
                : ExitCode.INPUT_INCOMPLETE;
    }

    private void checkRanges() {
        check(
                outputOptions.unitTokens == null || outputOptions.unitTokens > 0,
                "--unit-tokens",
                outputOptions.unitTokens,
                "1 or more");
        check(outputOptions.units == null || outputOptions.units > 0, "--units", outputOptions.units, "1 or more");
        check(
                outputOptions.maxErrorRate >= 0 && outputOptions.maxErrorRate <= 1,
                "--max-error-rate",
                outputOptions.maxErrorRate,
                "a share, 0 to 1");
        check(
                Set.of("zstd", "snappy", "gzip", "lz4", "none").contains(outputOptions.compression),
                "--compression",
                outputOptions.compression,
                "zstd, snappy, gzip, lz4 or none");
    }

    private static void check(boolean holds, String flag, Object value, String range) {
        if (!holds) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION, "%s is %s; it must be %s".formatted(flag, value, range));
        }
    }
}
