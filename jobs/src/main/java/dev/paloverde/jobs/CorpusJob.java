package dev.paloverde.jobs;

import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.CarriedColumns;
import dev.paloverde.pipelines.corpus.Cleaning;
import dev.paloverde.pipelines.corpus.Decontamination;
import dev.paloverde.pipelines.corpus.Deduplication;
import dev.paloverde.pipelines.corpus.Documents;
import dev.paloverde.pipelines.corpus.Ledger;
import dev.paloverde.pipelines.corpus.Profile;
import dev.paloverde.pipelines.corpus.RejectReason;
import dev.paloverde.pipelines.corpus.RepeatedText;
import dev.paloverde.pipelines.interleaved.Segments;
import dev.paloverde.pipelines.packing.Tokens;
import java.util.ArrayList;
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
    private final PackOptions packOptions;
    private final Terminal terminal;

    CorpusJob(
            SparkSession spark,
            InputOptions inputOptions,
            CorpusOptions options,
            PackOptions packOptions,
            Terminal terminal) {
        this.spark = spark;
        this.inputOptions = inputOptions;
        this.options = options;
        this.packOptions = packOptions;
        this.terminal = terminal;
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
        Optional<PackStages> packing = Optional.ofNullable(options.tokenizer)
                .map(tokenizer -> new PackStages(spark, output, packOptions, tokenizer));
        packing.ifPresent(stages -> description.putAll(stages.description()));
        CorpusSource source = CorpusSource.open(spark, terminal, inputOptions, RESERVED, options.text, "--text-column");
        Optional<CorpusSource> evaluation = options.evaluationInput()
                .map(input -> CorpusSource.open(
                        spark, terminal, input, RESERVED, options.evaluationColumn, "--evaluation-column"));
        CorpusSummary.Job job = new CorpusSummary.Job(
                description,
                source.fingerprint(),
                evaluation.map(CorpusSource::fingerprint).orElse(null));
        sayPlan(output, source, evaluation);
        if (options.dryRun) {
            terminal.say("Nothing was written.");
            return source.exitCode(inputOptions);
        }
        output.claim(job, options.overwrite ? OnExisting.OVERWRITE : OnExisting.FAIL);
        Optional<CorpusSummary> before = output.summary(CorpusSummary.class);
        if (before.isPresent()) {
            terminal.say("  done before");
            sayEnd(output, before.get());
            return source.exitCode(inputOptions);
        }
        boolean checkpoints = !spark.sparkContext().isLocal()
                && spark.sparkContext().getCheckpointDir().isEmpty();
        if (checkpoints) {
            spark.sparkContext().setCheckpointDir(output.checkpoints());
        }
        try {
            CorpusSummary summary = run(job, source, evaluation, packing, output, begun);
            output.finish(summary);
            sayEnd(output, summary);
            return source.exitCode(inputOptions);
        } finally {
            if (checkpoints) {
                spark.sparkContext().setCheckpointDir(null);
            }
        }
    }

    private CorpusSummary run(
            CorpusSummary.Job job,
            CorpusSource source,
            Optional<CorpusSource> evaluation,
            Optional<PackStages> packing,
            StageDirectory output,
            long begun) {
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
        Optional<Dataset<Row>> passages = passages(Ledger.candidates(documents, hits, text), duplicates, output);
        boolean cut = options.repeated == CorpusOptions.Repeated.REMOVE;
        Dataset<Row> dropped = passages.filter(found -> cut)
                .map(found -> output.stage(
                        "dropped",
                        () -> duplicates.unionByName(
                                RepeatedText.emptied(Ledger.candidates(documents, hits, text), found))))
                .orElse(duplicates);
        Ledger ledger = Ledger.of(documents, hits, dropped);
        Dataset<Row> kept = output.result(
                "kept",
                () -> passages.filter(found -> cut)
                        .map(found -> RepeatedText.without(ledger.kept(), source.text(), found))
                        .orElseGet(ledger::kept));
        Dataset<Row> rejected = output.result("rejects", ledger::rejected);
        PackSummary packed =
                packing.map(stages -> stages.run(packable(source, kept))).orElse(null);
        CorpusSummary summary = summary(
                job, source, kept, rejected, evaluationRows(decontamination, wanted, hits), packed, seconds(begun));
        output.write(DataCard.FILE, DataCard.html(inputOptions.input, summary, Profile.of(kept, rejected, text)));
        return summary;
    }

    private Optional<Dataset<Row>> passages(Dataset<Row> candidates, Dataset<Row> duplicates, StageDirectory output) {
        if (options.repeated == CorpusOptions.Repeated.KEEP) {
            return Optional.empty();
        }
        Dataset<Row> kept =
                candidates.join(duplicates.select(Documents.KEY), new String[] {Documents.KEY}, "left_anti");
        return Optional.of(
                output.result("passages", () -> options.repeatedText().passages(kept)));
    }

    private Cleaning cleaning(CorpusSource source) {
        EnumSet<Cleaning.Change> changes = EnumSet.noneOf(Cleaning.Change.class);
        if (!options.keepEncoding) {
            changes.add(Cleaning.Change.REPAIR);
        }
        if (options.mask) {
            changes.add(Cleaning.Change.MASK);
        }
        return new Cleaning(source.text(), changes, options.rules, options.languages);
    }

    private static Dataset<Row> wanted(CorpusSource evaluation) {
        Dataset<Row> rows = evaluation.rows();
        return rows.select(
                        Cleaning.key(rows).as(Decontamination.EVALUATION_KEY),
                        CarriedColumns.column(evaluation.text()).as(Documents.TEXT))
                .dropDuplicates(Decontamination.EVALUATION_KEY);
    }

    private Dataset<Row> packable(CorpusSource source, Dataset<Row> kept) {
        Column from = source.column(packOptions.source).orElse(functions.lit(PackStages.ONE_SOURCE));
        return kept.select(
                functions.col(Documents.KEY).as(Tokens.DOCUMENT),
                functions
                        .coalesce(from.cast("string"), functions.lit(PackStages.ONE_SOURCE))
                        .as(Tokens.SOURCE),
                functions.lit(null).cast("string").as(Segments.OBJECTIVE),
                Segments.ofText(CarriedColumns.column(source.text())).as(Segments.SEGMENTS));
    }

    private static Dataset<Row> searched(Dataset<Row> documents, CorpusSource source) {
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
            CorpusSource source,
            Dataset<Row> kept,
            Dataset<Row> rejected,
            CorpusSummary.EvaluationRows evaluation,
            PackSummary packed,
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
                packed,
                source.inspection().corrupt(),
                seconds);
    }

    private void sayPlan(StageDirectory output, CorpusSource source, Optional<CorpusSource> evaluation) {
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
        if (options.tokenizer != null) {
            terminal.say("  sequences  of %,d tokens of %s".formatted(packOptions.context, options.tokenizer));
        }
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
        if (summary.packed() != null) {
            PackStages.say(terminal, summary.packed());
        }
        terminal.say("  %,d of %,d rows kept, in %.1f s; see %s/%s and %s"
                .formatted(
                        summary.kept(),
                        summary.rows(),
                        summary.seconds(),
                        output.path(),
                        StageDirectory.SUMMARY,
                        DataCard.FILE));
    }

    private static double seconds(long begun) {
        return (System.nanoTime() - begun) / 1e9;
    }
}
