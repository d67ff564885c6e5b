package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.CarriedColumns;
import dev.paloverde.pipelines.corpus.Cleaning;
import dev.paloverde.pipelines.corpus.Decontamination;
import dev.paloverde.pipelines.corpus.Deduplication;
import dev.paloverde.pipelines.corpus.Documents;
import dev.paloverde.pipelines.corpus.Ledger;
import dev.paloverde.pipelines.corpus.RejectReason;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * A job from documents to a corpus: reads the input once to know it, makes documents, finds parts of evaluation sets and
 * duplicates, and writes what is kept, what is not and why. Each stage is a table; a run that ended early goes on after
 * the last that is whole.
 */
final class CorpusJob {
    private static final Set<String> RESERVED = Set.of(
            Documents.KEY,
            Cleaning.OCCURRENCE,
            Cleaning.LANGUAGE,
            Cleaning.LANGUAGE_SCORE,
            Cleaning.SIGNALS,
            Cleaning.REASON,
            Cleaning.DETAIL,
            Deduplication.REPRESENTATIVE,
            Ledger.DUPLICATES);

    private final SparkSession spark;
    private final InputOptions inputOptions;
    private final CorpusOptions options;
    private final Terminal terminal;

    CorpusJob(SparkSession spark, InputOptions inputOptions, CorpusOptions options, Terminal terminal) {
        this.spark = spark;
        this.inputOptions = inputOptions;
        this.options = options;
        this.terminal = terminal;
    }

    /** Rows with a text, and what one look at all of them has shown. */
    private record Source(Input input, CarriedColumns columns, String text, Input.Inspection inspection) {
        Dataset<Row> rows() {
            return input.selected(columns);
        }

        /** {@return what another input has only if it has the same rows as often; two equal rows leave no print} */
        String fingerprint() {
            return "%s, %d rows".formatted(inspection.fingerprint(), inspection.rowsRead());
        }
    }

    /**
     * Runs the job.
     *
     * @throws PaloverdeException of job scope
     */
    ExitCode run() {
        long begun = System.nanoTime();
        StageDirectory output = StageDirectory.at(spark, options.output);
        // this refuses options out of range, before anything is read
        SortedMap<String, String> description = options.description(inputOptions);
        Source source = open(inputOptions, options.text, "--text-column");
        Optional<Source> evaluation =
                options.evaluationInput().map(input -> open(input, options.evaluationColumn, "--evaluation-column"));
        CorpusSummary.Job job = new CorpusSummary.Job(
                description,
                source.fingerprint(),
                evaluation.map(Source::fingerprint).orElse(null));
        sayPlan(output, source, evaluation);
        if (options.dryRun) {
            terminal.say("Nothing was written.");
            return exitCode(source);
        }
        output.claim(job, options.overwrite ? OnExisting.OVERWRITE : OnExisting.FAIL);
        Optional<CorpusSummary> before = output.summary();
        if (before.isPresent()) {
            terminal.say("  done before");
            sayEnd(output, before.get());
            return exitCode(source);
        }
        boolean checkpoints = !spark.sparkContext().isLocal()
                && spark.sparkContext().getCheckpointDir().isEmpty();
        if (checkpoints) {
            spark.sparkContext().setCheckpointDir(output.checkpoints());
        }
        try {
            CorpusSummary summary = run(job, source, evaluation, output, begun);
            output.finish(summary);
            sayEnd(output, summary);
            return exitCode(source);
        } finally {
            if (checkpoints) {
                spark.sparkContext().setCheckpointDir(null);
            }
        }
    }

    private CorpusSummary run(
            CorpusSummary.Job job, Source source, Optional<Source> evaluation, StageDirectory output, long begun) {
        Deduplication deduplication = new Deduplication(options.minHash(), options.verification());
        Decontamination decontamination = options.decontamination();
        Dataset<Row> documents =
                output.stage("documents", () -> cleaning(source).documents(source.rows()));
        Optional<Dataset<Row>> wanted = evaluation.map(CorpusJob::wanted);
        Dataset<Row> hits = output.result(
                "contamination",
                () -> wanted.map(rows -> decontamination.hits(searched(documents, source), rows))
                        .orElseGet(() -> spark.createDataFrame(List.of(), noHits())));
        Column text = CarriedColumns.column(source.text());
        Dataset<Row> duplicates =
                output.stage("duplicates", () -> deduplication.dropped(Ledger.candidates(documents, hits, text)));
        Ledger ledger = Ledger.of(documents, hits, duplicates);
        Dataset<Row> kept = output.result("kept", ledger::kept);
        Dataset<Row> rejected = output.result("rejects", ledger::rejected);
        return summary(job, source, kept, rejected, evaluationRows(decontamination, wanted, hits), seconds(begun));
    }

    private Source open(InputOptions from, String column, String flag) {
        Input input = Input.open(spark, from);
        CarriedColumns columns = CarriedColumns.of(input.schema(), RESERVED);
        StructField field = Arrays.stream(input.schema().fields())
                .filter(each -> each.name().equalsIgnoreCase(column))
                .findFirst()
                .orElseThrow(() -> new PaloverdeException(
                        ErrorCode.INPUT_UNREADABLE,
                        "%s %s: there is no such column in %s, which has %s"
                                .formatted(
                                        flag, column, String.join(" ", from.input), Input.describe(input.schema()))));
        if (!(field.dataType().equals(DataTypes.StringType))) {
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE,
                    "%s %s is of type %s; name a column of strings"
                            .formatted(flag, column, field.dataType().simpleString()));
        }
        String text = columns.carriedAs(field.name());
        Column bytes = functions.octet_length(CarriedColumns.column(text)).cast("long");
        Input.Inspection inspection = input.inspect(columns, rows -> rows, bytes);
        if (!inspection.corrupt().isEmpty()) {
            String files = "%d of %d files of %s cannot be read, or not to their end; the first is %s: %s"
                    .formatted(
                            inspection.corrupt().size(),
                            inspection.files(),
                            String.join(" ", from.input),
                            inspection.corrupt().get(0).path(),
                            inspection.corrupt().get(0).reason());
            if (from.onCorruptFile == InputOptions.OnCorruptFile.FAIL) {
                throw new PaloverdeException(ErrorCode.INPUT_UNREADABLE, files);
            }
            terminal.note(files);
        }
        return new Source(input, columns, text, inspection);
    }

    private Cleaning cleaning(Source source) {
        EnumSet<Cleaning.Change> changes = EnumSet.noneOf(Cleaning.Change.class);
        if (!options.keepEncoding) {
            changes.add(Cleaning.Change.REPAIR);
        }
        if (options.mask) {
            changes.add(Cleaning.Change.MASK);
        }
        return new Cleaning(source.text(), changes, options.rules, options.languages);
    }

    private static Dataset<Row> wanted(Source evaluation) {
        Dataset<Row> rows = evaluation.rows();
        return rows.select(
                        Cleaning.key(rows).as(Decontamination.EVALUATION_KEY),
                        CarriedColumns.column(evaluation.text()).as(Documents.TEXT))
                .dropDuplicates(Decontamination.EVALUATION_KEY);
    }

    private static Dataset<Row> searched(Dataset<Row> documents, Source source) {
        return documents
                .where(functions.col(Cleaning.REASON).isNull())
                .where(functions.col(Cleaning.OCCURRENCE).equalTo(0))
                .select(
                        functions.col(Documents.KEY),
                        CarriedColumns.column(source.text()).as(Documents.TEXT));
    }

    private static StructType noHits() {
        return new StructType()
                .add(Documents.KEY, "string")
                .add(Decontamination.POSITION, "int")
                .add(Decontamination.NGRAM, "string")
                .add(Decontamination.EVALUATION_KEY, "string")
                .add(Decontamination.EVALUATION_POSITION, "int");
    }

    private static CorpusSummary.EvaluationRows evaluationRows(
            Decontamination decontamination, Optional<Dataset<Row>> wanted, Dataset<Row> hits) {
        return wanted.map(rows -> new CorpusSummary.EvaluationRows(
                        rows.count(),
                        decontamination.tooShort(rows).count(),
                        hits.select(Decontamination.EVALUATION_KEY).distinct().count()))
                .orElse(null);
    }

    private static CorpusSummary summary(
            CorpusSummary.Job job,
            Source source,
            Dataset<Row> kept,
            Dataset<Row> rejected,
            CorpusSummary.EvaluationRows evaluation,
            double seconds) {
        Column bytes = functions.coalesce(
                functions.sum(functions
                        .octet_length(CarriedColumns.column(source.text()))
                        .cast("long")),
                functions.lit(0L));
        Row total = kept.agg(functions.count(functions.lit(1)), bytes).head();
        Column rule = functions.when(
                functions.col(Cleaning.REASON).equalTo(RejectReason.QUALITY.name()), functions.col(Cleaning.DETAIL));
        List<CorpusSummary.Rejected> reasons = new ArrayList<>();
        long rows = total.getLong(0);
        for (Row group : rejected.groupBy(functions.col(Cleaning.REASON), rule.as("rule"))
                .agg(functions.count(functions.lit(1)).as("rows"), bytes)
                .orderBy(functions.col("rows").desc(), functions.col(Cleaning.REASON), functions.col("rule"))
                .collectAsList()) {
            reasons.add(new CorpusSummary.Rejected(
                    group.getString(0), group.getString(1), group.getLong(2), group.getLong(3)));
            rows += group.getLong(2);
        }
        return new CorpusSummary(
                job,
                rows,
                total.getLong(0),
                total.getLong(1),
                reasons,
                evaluation,
                source.inspection().corrupt(),
                seconds);
    }

    private void sayPlan(StageDirectory output, Source source, Optional<Source> evaluation) {
        terminal.say("corpus");
        terminal.say("  input      %s: %,d %s files, %,d rows, %,d selected (%,d bytes of text)"
                .formatted(
                        String.join(" ", inputOptions.input),
                        source.inspection().files(),
                        source.input().format(),
                        source.inspection().rowsRead(),
                        source.inspection().selected(),
                        source.inspection().bytes()));
        source.columns()
                .renamed()
                .forEach((from, to) -> terminal.say("  column     %s is carried as %s".formatted(from, to)));
        evaluation.ifPresent(set -> terminal.say("  evaluation %s: %,d rows; %d words in a row are searched for"
                .formatted(
                        String.join(" ", options.evaluation), set.inspection().selected(), options.evaluationNgram)));
        terminal.say("  rules      " + (options.rules.isEmpty() ? "none" : options.rules));
        terminal.say("  languages  " + (options.languages.isEmpty() ? "all" : String.join(", ", options.languages)));
        terminal.say("  alike      %d bands of %d, n-grams of %d words, verified: %s"
                .formatted(options.bands, options.rows, options.ngram, Input.lower(options.verify)));
        terminal.say("  output     " + output.path());
    }

    private void sayEnd(StageDirectory output, CorpusSummary summary) {
        Table table = new Table("reason", "rule", "rows", "share of rows", "bytes of text");
        for (CorpusSummary.Rejected each : summary.rejected()) {
            table.add(
                    each.reason(),
                    each.rule() == null ? "" : each.rule(),
                    each.rows(),
                    (double) each.rows() / Math.max(1, summary.rows()),
                    each.bytes());
        }
        table.add(
                "(kept)",
                "",
                summary.kept(),
                (double) summary.kept() / Math.max(1, summary.rows()),
                summary.keptBytes());
        terminal.say("");
        terminal.say(table.toString());
        terminal.say("");
        if (summary.evaluationRows() != null) {
            terminal.say(
                    "  of %,d evaluation rows %,d stand in documents, in whole or in part; %,d are too short to be searched for"
                            .formatted(
                                    summary.evaluationRows().rows(),
                                    summary.evaluationRows().found(),
                                    summary.evaluationRows().tooShort()));
        }
        terminal.say("  %,d of %,d rows kept, in %.1f s; see %s/%s"
                .formatted(summary.kept(), summary.rows(), summary.seconds(), output.path(), StageDirectory.SUMMARY));
    }

    private ExitCode exitCode(Source source) {
        return source.inspection().corrupt().isEmpty() || inputOptions.onCorruptFile == InputOptions.OnCorruptFile.SKIP
                ? ExitCode.OK
                : ExitCode.INPUT_INCOMPLETE;
    }

    private static double seconds(long begun) {
        return (System.nanoTime() - begun) / 1e9;
    }
}
