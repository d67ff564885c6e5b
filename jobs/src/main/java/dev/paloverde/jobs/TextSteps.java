package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.CarriedColumns;
import dev.paloverde.pipelines.PromptTemplate;
import dev.paloverde.pipelines.Step;
import dev.paloverde.pipelines.TextStep;
import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Paloverde;
import dev.paloverde.udfs.Settings;
import dev.paloverde.udfs.TextOptions;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the step of one of Paloverde's functions, from what the command line says.
 *
 * @param operation the function
 * @param mapping the columns it reads
 * @param settings by key, which win over those of the session
 */
record TextSteps(Operation operation, Mapping mapping, Map<String, String> settings) implements Steps {
    private static final Logger LOG = LoggerFactory.getLogger(TextSteps.class);

    @Override
    public Collection<String> reserved(SparkSession spark) {
        TextOptions options = TextOptions.input(mapping.part()).with(settings);
        return List.of(Paloverde.results(
                        spark,
                        operation,
                        mapping.choices().map(options::choices).orElse(options))
                .fieldNames());
    }

    @Override
    public Step bind(SparkSession spark, StructType input, CarriedColumns columns) {
        if (mapping.column().isPresent() && mapping.template().isPresent()) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "%s and --%s-template are both given; the %s comes from one of them"
                            .formatted(mapping.flag(), mapping.part(), mapping.part()));
        }
        adviseOnGpus(spark);
        Optional<PromptTemplate> template = mapping.template().map(PromptTemplate::parse);
        template.ifPresent(parsed ->
                parsed.columns().forEach(name -> named(input, name, "--" + mapping.part() + "-template")));
        Optional<String> column =
                template.isPresent() ? Optional.empty() : Optional.of(columns.carriedAs(textColumn(input)));
        Optional<String> choices = mapping.choices().map(name -> columns.carriedAs(choicesColumn(input, name)));
        return TextStep.of(
                spark,
                operation,
                new TextStep.TextSource(
                        mapping.part(), column, template.map(parsed -> parsed.rename(columns)), choices),
                settings);
    }

    private void adviseOnGpus(SparkSession spark) {
        String key = Settings.DEVICE.key();
        String device = settings.getOrDefault(key, spark.conf().get("spark.paloverde." + key, ""));
        if (device.equalsIgnoreCase(Settings.Device.CUDA.name())
                && !spark.sparkContext().isLocal()) {
            GpuScheduling.advice(spark.sparkContext().getConf()).forEach(LOG::warn);
        }
    }

    private String textColumn(StructType input) {
        if (mapping.column().isEmpty()
                && input.length() == 1
                && isText(input.apply(0).dataType())) {
            return input.apply(0).name();
        }
        StructField field = named(input, mapping.column().orElse(mapping.part()), mapping.flag());
        if (operation == Operation.EMBED_IMAGE && !(field.dataType() instanceof BinaryType)) {
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE,
                    "%s %s is %s; it must be the bytes of an image"
                            .formatted(
                                    mapping.flag(),
                                    field.name(),
                                    field.dataType().simpleString()));
        }
        if (!isText(field.dataType())) {
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE,
                    "%s %s is %s; it must be a string. Use --%s-template '{%s}' for its value written out"
                            .formatted(
                                    mapping.flag(),
                                    field.name(),
                                    field.dataType().simpleString(),
                                    mapping.part(),
                                    field.name()));
        }
        return field.name();
    }

    private static String choicesColumn(StructType input, String name) {
        StructField field = named(input, name, "--choices-column");
        if (!(field.dataType() instanceof ArrayType array) || !(array.elementType() instanceof StringType)) {
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE,
                    "--choices-column %s is %s; it must be an array of strings"
                            .formatted(field.name(), field.dataType().simpleString()));
        }
        return field.name();
    }

    private static boolean isText(DataType type) {
        return type instanceof StringType || type instanceof BinaryType;
    }

    private static StructField named(StructType input, String name, String flag) {
        return Arrays.stream(input.fields())
                .filter(field -> field.name().equalsIgnoreCase(name))
                .findFirst()
                .orElseThrow(() -> new PaloverdeException(
                        ErrorCode.INPUT_UNREADABLE,
                        "%s: the input has no column %s. Its columns are %s; name one of them"
                                .formatted(flag, name, Input.describe(input))));
    }
}
