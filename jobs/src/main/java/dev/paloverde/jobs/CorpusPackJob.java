package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.CarriedColumns;
import dev.paloverde.pipelines.corpus.Cleaning;
import dev.paloverde.pipelines.corpus.Documents;
import dev.paloverde.pipelines.image.SampleDocuments;
import dev.paloverde.pipelines.interleaved.Segments;
import dev.paloverde.pipelines.packing.Tokens;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.expressions.Window;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;

/**
 * A job from documents to sequences. A row is a document: of the segments in its column {@code segments} where it has one,
 * else, where it is what the command {@code images} has kept, of its picture and caption, or of all frames of its film, else
 * of its text. Rows that are equal are documents of their own.
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

    /** Documents of one name. */
    private record Named(Optional<String> name, CorpusSource source, InputOptions options) {}

    ExitCode run() {
        long begun = System.nanoTime();
        StageDirectory output = StageDirectory.at(spark, command.output);
        PackStages stages = new PackStages(spark, output, command.pack, command.tokenizer);
        SampleDocuments samples = command.samples();
        SortedMap<String, String> description = stages.description();
        description.put("command", "corpus-pack");
        description.put("text-column", command.text);
        description.put("where", String.valueOf(command.input.where));
        description.put("sample", String.valueOf(command.input.sample));
        description.put("limit", String.valueOf(command.input.limit));
        description.put("pictures", samples.toString());
        description.put("version", Versions.PALOVERDE);
        List<Named> sources = open();
        terminal.say("corpus-pack");
        for (Named each : sources) {
            terminal.say("  %-10s %s: %,d %s files, %,d rows, %,d selected"
                    .formatted(
                            each.name().orElse("input"),
                            String.join(" ", each.options().input),
                            each.source().inspection().files(),
                            each.source().input().format(),
                            each.source().inspection().rowsRead(),
                            each.source().inspection().selected()));
        }
        terminal.say("  sequences  of %,d tokens of %s".formatted(command.pack.context, command.tokenizer));
        terminal.say("  output     " + output.path());
        CorpusSummary.Job job = new CorpusSummary.Job(description, fingerprint(sources), null);
        output.claim(job, command.overwrite ? OnExisting.OVERWRITE : OnExisting.FAIL);
        Optional<CorpusPackSummary> before = output.summary(CorpusPackSummary.class);
        if (before.isPresent()) {
            terminal.say("  done before");
            PackStages.say(terminal, before.get().packed());
            return exitCode(sources);
        }
        PackSummary packed = stages.run(documents(sources, samples));
        output.finish(new CorpusPackSummary(
                job,
                sources.stream()
                        .mapToLong(each -> each.source().inspection().selected())
                        .sum(),
                packed,
                sources.stream()
                        .flatMap(each -> each.source().inspection().corrupt().stream())
                        .toList(),
                (System.nanoTime() - begun) / 1e9));
        PackStages.say(terminal, packed);
        return exitCode(sources);
    }

    private List<Named> open() {
        List<Named> sources = new ArrayList<>();
        sources.add(open(Optional.empty(), command.input));
        command.also.forEach((name, path) -> {
            InputOptions options = new InputOptions();
            options.input = List.of(path);
            options.onCorruptFile = command.input.onCorruptFile;
            sources.add(open(Optional.of(name), options));
        });
        Optional<Named> pictures = sources.stream()
                .filter(each -> SampleDocuments.areIn(each.source().input().schema()))
                .findFirst();
        if (pictures.isPresent() && command.pack.imageMarks.isEmpty()) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "%s has pictures; say which tokens of %s stand around one: --image-marks BEGIN,END"
                            .formatted(String.join(" ", pictures.get().options().input), command.tokenizer));
        }
        return sources;
    }

    private Named open(Optional<String> name, InputOptions options) {
        Predicate<StructType> known = schema -> isSegments(schema) || SampleDocuments.areIn(schema);
        return new Named(
                name,
                CorpusSource.open(
                        spark, terminal, options, List.of(Documents.KEY), command.text, "--text-column", known),
                options);
    }

    private static boolean isSegments(StructType schema) {
        return Arrays.asList(schema.fieldNames()).contains(Segments.SEGMENTS);
    }

    /** {@return what other inputs have only if they have the same rows as often, under the same names} */
    private static String fingerprint(List<Named> sources) {
        return sources.stream()
                .map(each -> each.name().map(name -> name + ": ").orElse("")
                        + each.source().fingerprint())
                .collect(Collectors.joining("; "));
    }

    private static ExitCode exitCode(List<Named> sources) {
        return sources.stream()
                .map(each -> each.source().exitCode(each.options()))
                .filter(code -> code != ExitCode.OK)
                .findFirst()
                .orElse(ExitCode.OK);
    }

    private Dataset<Row> documents(List<Named> sources, SampleDocuments samples) {
        Dataset<Row> documents = sources.stream()
                .map(each -> documents(each, samples))
                .reduce(Dataset::union)
                .orElseThrow();
        Column key = functions.col(Documents.KEY);
        return documents
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

    /** {@return key, source, objective and segments} */
    private Dataset<Row> documents(Named from, SampleDocuments samples) {
        CorpusSource source = from.source();
        StructType schema = source.input().schema();
        boolean pictures = !isSegments(schema) && SampleDocuments.areIn(schema);
        Dataset<Row> rows = pictures ? samples.of(source.rows()) : source.rows();
        Column segments = isSegments(schema)
                ? functions.col(Segments.SEGMENTS).cast(Segments.READ_TYPE)
                : pictures
                        ? functions.col(Segments.SEGMENTS)
                        : functions.when(
                                CarriedColumns.column(source.text()).isNotNull(),
                                Segments.ofText(CarriedColumns.column(source.text())));
        Column one = functions.lit(PackStages.ONE_SOURCE);
        // of samples the column source says where a picture lies
        Column named = pictures
                ? one
                : functions.coalesce(
                        source.column(command.pack.source).orElse(one).cast("string"), one);
        Column objective = pictures
                ? functions.col(Segments.OBJECTIVE)
                : source.column(Segments.OBJECTIVE).orElse(functions.lit(null));
        return rows.select(
                Cleaning.key(rows),
                from.name().map(functions::lit).orElse(named).as(Tokens.SOURCE),
                objective.cast("string").as(Segments.OBJECTIVE),
                segments.as(Segments.SEGMENTS));
    }
}
