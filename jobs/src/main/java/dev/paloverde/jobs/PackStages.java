package dev.paloverde.jobs;

import dev.paloverde.gpu.model.ModelConfiguration;
import dev.paloverde.pipelines.packing.FlopLedger;
import dev.paloverde.pipelines.packing.Mixture;
import dev.paloverde.pipelines.packing.Packing;
import dev.paloverde.pipelines.packing.Tokens;
import dev.paloverde.udfs.Settings;
import dev.paloverde.udfs.text.TextModel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.FileStatus;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;

/**
 * From documents to shards of sequences, as stages of a job: {@code packed/} has the sequences, {@code unpacked/} the
 * documents that cannot be packed, {@code shards.json} says what is in which file.
 */
final class PackStages {
    /** The source of documents that have none. */
    static final String ONE_SOURCE = "all";

    private static final String SHARD = "shard";
    private static final String PADDING = "padding";

    private final SparkSession spark;
    private final StageDirectory output;
    private final PackOptions options;
    private final String tokenizer;
    private final Settings settings;
    private final Tokens tokenization;
    private final Packing packing;
    private final Mixture.Request request;
    private final Map<String, ModelConfiguration> models;

    /**
     * Nothing is read or written yet but the model's tokenizer.
     *
     * @throws dev.paloverde.gpu.PaloverdeException {@code INVALID_OPTION} if an option is out of range; of job scope if
     *     there is no such model
     */
    PackStages(SparkSession spark, StageDirectory output, PackOptions options, String tokenizer) {
        this.spark = spark;
        this.output = output;
        this.options = options;
        this.tokenizer = tokenizer;
        settings = PackOptions.settings(spark, tokenizer);
        tokenization = new Tokens(settings, options.marks(), options.context);
        packing = new Packing(options.context, tokenization.padding(), options.shardTokens, options.seed);
        request = options.request();
        models = models();
        // refuses a model whose ledger cannot be worked out while nothing is done yet
        ledger(new FlopLedger.Totals(0, 0, 0, 0));
    }

    /** {@return what sequences depend on besides the documents} */
    SortedMap<String, String> description() {
        return options.description(settings);
    }

    /**
     * Packs documents.
     *
     * @param documents with the columns that {@link Tokens#of} takes
     */
    PackSummary run(Dataset<Row> documents) {
        Dataset<Row> tokens = output.stage("tokens", () -> tokenization.of(documents));
        Dataset<Row> refused = output.result(
                "unpacked",
                () -> tokens.where(functions.col(Tokens.REFUSED).isNotNull())
                        .select(Tokens.DOCUMENT, Tokens.SOURCE, Tokens.REFUSED));
        Mixture mixture = Mixture.of(tokens, request);
        Dataset<Row> pieces = output.stage("pieces", () -> packing.pieces(mixture.drawn(tokens)));
        Dataset<Row> packed = output.partitioned("packed", SHARD, Packing.schema(), () -> packing.sequences(pieces));
        List<PackSummary.Shard> shards = shards(packed);
        output.write(PackSummary.MANIFEST, Json.write(shards));
        return summary(tokens.count(), refused, mixture, shards);
    }

    private List<PackSummary.Shard> shards(Dataset<Row> packed) {
        Map<Integer, List<Packing.Content>> contents = Packing.content(packed).stream()
                .collect(Collectors.groupingBy(Packing.Content::shard, TreeMap::new, Collectors.toList()));
        Map<String, FileStatus> files = new LinkedHashMap<>();
        output.files("packed").forEach(file -> files.put(file.getPath().toString(), file));
        Map<String, String> digests = FileDigests.of(spark, List.copyOf(files.keySet()));
        Map<Integer, FileStatus> byShard = new TreeMap<>();
        files.values()
                .forEach(file -> byShard.put(
                        Integer.parseInt(file.getPath().getParent().getName().substring(SHARD.length() + 1)), file));
        Map<Integer, String> numbers = Packing.digests(packed);
        List<PackSummary.Shard> shards = new ArrayList<>();
        for (Row row : packed.groupBy(SHARD)
                .agg(functions.count(functions.lit(1)), functions.sum(PADDING))
                .orderBy(SHARD)
                .collectAsList()) {
            FileStatus file = byShard.get(row.getInt(0));
            shards.add(new PackSummary.Shard(
                    row.getInt(0),
                    output.relative(file),
                    file.getLen(),
                    digests.get(file.getPath().toString()),
                    numbers.get(row.getInt(0)),
                    row.getLong(1),
                    row.getLong(2),
                    contents.get(row.getInt(0))));
        }
        return shards;
    }

    private PackSummary summary(long documents, Dataset<Row> refused, Mixture mixture, List<PackSummary.Shard> shards) {
        List<PackSummary.Refused> reasons =
                refused.groupBy(Tokens.REFUSED).count().orderBy(Tokens.REFUSED).collectAsList().stream()
                        .map(row -> new PackSummary.Refused(row.getString(0), row.getLong(1)))
                        .toList();
        long sequences = shards.stream().mapToLong(PackSummary.Shard::sequences).sum();
        long padding = shards.stream().mapToLong(PackSummary.Shard::padding).sum();
        long text = sum(shards, Packing.Content::textTokens);
        long visual = sum(shards, Packing.Content::visualTokens);
        FlopLedger.Totals totals = new FlopLedger.Totals(text, visual, sum(shards, Packing.Content::attended), padding);
        return new PackSummary(
                tokenizer,
                options.context,
                documents,
                reasons,
                mixture.shares(),
                sum(shards, Packing.Content::documents),
                sum(shards, Packing.Content::pieces),
                sequences,
                shards.size(),
                text,
                visual,
                sum(shards, Packing.Content::trained),
                padding,
                (double) padding / Math.max(1, sequences * options.context),
                ledger(totals));
    }

    private Map<String, ModelConfiguration> models() {
        Map<String, ModelConfiguration> named = new LinkedHashMap<>();
        named.put(tokenizer, TextModel.shared(settings).directory().configuration());
        for (String model : options.ledger) {
            Path path = Path.of(model);
            named.put(model, ModelConfiguration.read(Files.isDirectory(path) ? path.resolve("config.json") : path));
        }
        return named;
    }

    private List<FlopLedger> ledger(FlopLedger.Totals totals) {
        List<FlopLedger> ledger = new ArrayList<>();
        models.forEach((name, configuration) ->
                ledger.add(FlopLedger.of(name, configuration, options.context, totals, options.latentWidth)));
        return ledger;
    }

    private static long sum(List<PackSummary.Shard> shards, ToLongFunction<Packing.Content> of) {
        return shards.stream()
                .flatMap(shard -> shard.contents().stream())
                .mapToLong(of)
                .sum();
    }

    static void say(Terminal terminal, PackSummary summary) {
        Table table = new Table("source", "documents", "tokens", "epochs", "documents taken", "tokens taken");
        summary.mixture()
                .forEach(share -> table.add(
                        share.source(),
                        share.documents(),
                        share.tokens(),
                        share.epochs(),
                        share.drawnDocuments(),
                        share.drawnTokens()));
        terminal.say("");
        terminal.say(table.toString());
        terminal.say("");
        summary.refused()
                .forEach(refused -> terminal.say("  %,d documents cannot be packed: %s; see unpacked/"
                        .formatted(refused.documents(), refused.reason())));
        terminal.say("  %,d sequences of %,d in %,d shards: %,d tokens of text, %,d of pictures, %.2f%% padding"
                .formatted(
                        summary.sequences(),
                        summary.context(),
                        summary.shards(),
                        summary.textTokens(),
                        summary.visualTokens(),
                        100 * summary.paddingShare()));
        summary.ledger()
                .forEach(model -> terminal.say("  training %s on it once takes %.4e operations"
                        .formatted(model.model(), model.total().doubleValue())));
    }
}
