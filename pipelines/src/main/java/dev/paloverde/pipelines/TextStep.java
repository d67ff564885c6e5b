package dev.paloverde.pipelines;

import dev.paloverde.gpu.decode.Receipt;
import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Paloverde;
import dev.paloverde.udfs.Settings;
import dev.paloverde.udfs.TextOptions;
import dev.paloverde.udfs.image.ImageModel;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;

/** One of Paloverde's functions of text or images as a step: continue, score, choose or embed. */
public final class TextStep implements Step {
    /** The column that a template's text is put in on the way to the function; it is not part of the output. */
    private static final String RENDERED = "__paloverde_text";

    private final Operation operation;
    private final TextSource source;
    private final TextOptions options;
    private final SparkSession spark;
    private final Receipt receipt;
    private final StructType results;
    private final String model;
    private final int newTokensPerRow;
    private final Column rowKey;
    private final Column tokens;

    /**
     * Where the text of a row is.
     *
     * @param part the part that it plays: prompt, text or context
     * @param column the carried column it is in; absent if a template makes it
     * @param template makes it of carried columns; absent if a column holds it
     * @param choices the carried column with the continuations, for {@link Operation#CHOOSE}
     */
    public record TextSource(
            String part, Optional<String> column, Optional<PromptTemplate> template, Optional<String> choices) {
        public TextSource {
            if (column.isPresent() == template.isPresent()) {
                throw new IllegalArgumentException("a text comes from a column or from a template");
            }
        }

        String input() {
            return column.orElse(RENDERED);
        }
    }

    private TextStep(SparkSession spark, Operation operation, TextSource source, Map<String, String> call) {
        TextOptions input = TextOptions.input(source.input()).with(call);
        this.spark = spark;
        this.operation = operation;
        this.source = source;
        TextOptions asked = source.choices().map(input::choices).orElse(input);
        this.options = asked.with(Settings.DEVICE, Paloverde.device(spark, operation, asked));
        this.receipt = Paloverde.receipt(spark, operation, options);
        this.results = Paloverde.results(spark, operation, options);
        Settings settings = Settings.resolve(operation, call, session(spark));
        this.model = operation == Operation.EMBED_IMAGE ? ImageModel.name(settings) : settings.value(Settings.MODEL);
        this.newTokensPerRow = operation == Operation.GENERATE ? settings.value(Settings.MAX_TOKENS) : 0;
        this.rowKey = Paloverde.rowKey(operation, options);
        this.tokens = Paloverde.tokens(spark, operation, options);
    }

    /**
     * Binds a function to columns, and reads the model's files.
     *
     * @param source where the text of a row is
     * @param call settings by key, which win over those of the session
     * @throws dev.paloverde.gpu.PaloverdeException for an option that is unknown or out of range, and for a model that is
     *     missing, damaged or not supported
     */
    public static TextStep of(SparkSession spark, Operation operation, TextSource source, Map<String, String> call) {
        return new TextStep(spark, operation, source, call);
    }

    @Override
    public String name() {
        return operation.toString();
    }

    @Override
    public String model() {
        return model;
    }

    @Override
    public StructType results() {
        return results;
    }

    @Override
    public String receipt() {
        return receipt.digest();
    }

    @Override
    public SortedMap<String, String> description() {
        TreeMap<String, String> description = new TreeMap<>();
        receipt.parameters().forEach((key, value) -> description.put(key, String.valueOf(value)));
        description.put("model", receipt.model());
        description.put("kernels", receipt.kernels());
        description.put("data-type", receipt.dataType());
        description.put("seed", Long.toString(receipt.seed()));
        return description;
    }

    @Override
    public SortedMap<String, String> mapping() {
        TreeMap<String, String> mapping = new TreeMap<>();
        source.column().ifPresent(column -> mapping.put(source.part(), column));
        source.template().ifPresent(template -> mapping.put(source.part(), "'" + template + "'"));
        source.choices().ifPresent(column -> mapping.put("choices", column));
        return mapping;
    }

    @Override
    public Dataset<Row> prepare(Dataset<Row> carried) {
        return source.template()
                .map(template -> carried.withColumn(RENDERED, template.column()))
                .orElse(carried);
    }

    @Override
    public Column rowKey() {
        return rowKey;
    }

    @Override
    public Column bytes() {
        Column bytes =
                functions.octet_length(PromptTemplate.column(source.input())).cast("long");
        return source.choices()
                .map(choices -> bytes.plus(functions.expr("aggregate(%s, 0L, (sum, each) -> sum + octet_length(each))"
                        .formatted(PromptTemplate.quote(choices)))))
                .orElse(bytes);
    }

    @Override
    public Column tokens() {
        return tokens;
    }

    @Override
    public int newTokensPerRow() {
        return newTokensPerRow;
    }

    @Override
    public List<String> tokensIn() {
        return operation == Operation.GENERATE ? List.of("prompt_tokens") : List.of("tokens");
    }

    @Override
    public List<String> tokensOut() {
        return operation == Operation.GENERATE ? List.of("generated_tokens") : List.of();
    }

    @Override
    public Readiness begin() {
        return Paloverde.preload(spark, operation, options)::close;
    }

    @Override
    public Dataset<Row> apply(Dataset<Row> rows) {
        Dataset<Row> prepared = prepare(rows);
        Dataset<Row> answered = switch (operation) {
            case GENERATE -> Paloverde.generate(prepared, options);
            case SCORE -> Paloverde.score(prepared, options);
            case CHOOSE -> Paloverde.choose(prepared, options);
            case EMBED -> Paloverde.embed(prepared, options);
            case EMBED_IMAGE -> Paloverde.embedImages(prepared, options);
        };
        return answered.drop(RENDERED);
    }

    private static Map<String, String> session(SparkSession spark) {
        return scala.jdk.javaapi.CollectionConverters.asJava(spark.conf().getAll());
    }
}
