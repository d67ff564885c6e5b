package dev.paloverde.udfs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.decode.Receipt;
import dev.paloverde.udfs.image.ImageColumns;
import dev.paloverde.udfs.image.ImageFunction;
import dev.paloverde.udfs.image.ImageModel;
import dev.paloverde.udfs.sql.Calls;
import dev.paloverde.udfs.text.Preload;
import dev.paloverde.udfs.text.RowColumns;
import dev.paloverde.udfs.text.TextFunction;
import dev.paloverde.udfs.text.TextModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * Language and vision models over datasets. Each function adds the columns of its result to those of the input, under the names
 * that the SQL function's struct has; a name that the input has already gets the function's name in front
 * ({@code generate_status} for instance). Rows keep their order within a partition; none is lost, none is added.
 */
public final class Paloverde {
    private Paloverde() {}

    /**
     * Continues the prompts of a column. Adds {@code text STRING, finish_reason STRING, prompt_tokens INT,
     * generated_tokens INT, log_probability DOUBLE, row_key STRING, receipt STRING, status STRING, error_code STRING,
     * error_message STRING}.
     *
     * @throws dev.paloverde.gpu.PaloverdeException {@code INVALID_OPTION} or {@code INPUT_UNREADABLE} before anything
     *     runs
     */
    public static Dataset<Row> generate(Dataset<Row> rows, TextOptions options) {
        return add(rows, Operation.GENERATE, options);
    }

    /**
     * Says how likely the texts of a column are. Adds {@code log_probability DOUBLE, tokens INT, bytes LONG, perplexity
     * DOUBLE, bits_per_byte DOUBLE, windows INT, greedy_tokens INT}, with the option {@code token-log-probabilities}
     * also {@code token_log_probabilities ARRAY<FLOAT>}, and {@code row_key} to {@code error_message} as in
     * {@link #generate}.
     */
    public static Dataset<Row> score(Dataset<Row> rows, TextOptions options) {
        return add(rows, Operation.SCORE, options);
    }

    /**
     * Compares continuations of the contexts of a column. Adds {@code log_probabilities ARRAY<DOUBLE>, tokens
     * ARRAY<INT>, best INT, best_normalized INT}, and {@code row_key} to {@code error_message} as in {@link #generate}.
     */
    public static Dataset<Row> choose(Dataset<Row> rows, TextOptions options) {
        return add(rows, Operation.CHOOSE, options);
    }

    /**
     * Turns the texts of a column into vectors. Adds {@code embedding ARRAY<FLOAT>, tokens INT}, and {@code row_key} to
     * {@code error_message} as in {@link #generate}.
     */
    public static Dataset<Row> embed(Dataset<Row> rows, TextOptions options) {
        return add(rows, Operation.EMBED, options);
    }

    /**
     * Turns the images of a column of bytes into latents, one for each patch. Adds {@code latents ARRAY<FLOAT>} of {@code
     * tokens * width} numbers, the same for every row of a model, {@code tokens INT, width INT}, and {@code row_key} to
     * {@code error_message} as in {@link #generate}.
     */
    public static Dataset<Row> embedImages(Dataset<Row> rows, TextOptions options) {
        return add(rows, Operation.EMBED_IMAGE, options);
    }

    // What a job must know before it runs, to plan, to resume and to name what differs

    /**
     * {@return what the results of a call will carry as their receipt} Reads the model's files on the driver, and fails
     * as the call would where no row can survive: unknown options, a missing or damaged model.
     */
    public static Receipt receipt(SparkSession spark, Operation operation, TextOptions options) {
        Settings settings = Settings.resolve(operation, options.options(), Calls.session(spark));
        return operation == Operation.EMBED_IMAGE
                ? ImageModel.receipt(settings)
                : TextModel.receipt(settings, operation);
    }

    /**
     * {@return the device of a call: {@code cpu} or {@code cuda}, where it says {@code auto} what this host has} A job gives it
     * to its tasks, so that they compute on what its receipt says.
     */
    public static String device(SparkSession spark, Operation operation, TextOptions options) {
        return TextModel.deviceHere(Settings.resolve(operation, options.options(), Calls.session(spark)));
    }

    /** {@return the columns that a call adds, in order, under the names they have where the input has none of them} */
    public static StructType results(SparkSession spark, Operation operation, TextOptions options) {
        return output(operation, Settings.resolve(operation, options.options(), Calls.session(spark)));
    }

    /** {@return the row key that a call will give a row, from the same columns; runs no model} */
    public static Column rowKey(Operation operation, TextOptions options) {
        return RowColumns.key(operation, arguments(operation, options));
    }

    /**
     * {@return how many tokens a call will read of a row, from the same columns, BIGINT; null where the row will fail}
     * Runs the model's tokenizer on the executors, not the model.
     */
    public static Column tokens(SparkSession spark, Operation operation, TextOptions options) {
        Settings settings = Settings.resolve(operation, options.options(), Calls.session(spark));
        List<Column> arguments = arguments(operation, options);
        return operation == Operation.EMBED_IMAGE
                ? ImageColumns.tokens(settings, arguments.get(0))
                : RowColumns.tokens(operation, settings, arguments);
    }

    /**
     * Begins to load the model of a call into this JVM, in the background, and keeps it until what it gives is closed.
     * Worth its while in a driver that is the executor too: the model is there when the plan is.
     */
    public static Preload preload(SparkSession spark, Operation operation, TextOptions options) {
        return operation == Operation.EMBED_IMAGE
                ? Preload.none()
                : Preload.begin(Settings.resolve(operation, options.options(), Calls.session(spark)));
    }

    private static List<Column> arguments(Operation operation, TextOptions options) {
        Column input = functions.col(quoted(options.input()));
        return operation == Operation.CHOOSE ? List.of(input, functions.col(quoted(choices(options)))) : List.of(input);
    }

    private static String choices(TextOptions options) {
        return options.choices()
                .orElseThrow(() -> new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "choose needs the column with the continuations; name it with TextOptions.choices(column)"));
    }

    private static String quoted(String column) {
        return "`" + column.replace("`", "``") + "`";
    }

    private static Dataset<Row> add(Dataset<Row> rows, Operation operation, TextOptions options) {
        SparkSession session = rows.sparkSession();
        Settings settings = Settings.resolve(operation, options.options(), Calls.session(session));
        List<Column> arguments = new ArrayList<>();
        arguments.add(column(rows, options.input(), "input"));
        if (operation == Operation.CHOOSE) {
            arguments.add(column(rows, choices(options), "choices"));
        }
        Column call = Calls.of(session, operation, arguments, options.options());
        String prefix = operation.toString().replace('-', '_') + "_";
        List<Column> columns = new ArrayList<>();
        columns.add(functions.col("*"));
        for (StructField field : output(operation, settings).fields()) {
            boolean taken = Arrays.stream(rows.columns()).anyMatch(field.name()::equalsIgnoreCase);
            columns.add(call.getField(field.name()).as(taken ? prefix + field.name() : field.name()));
        }
        return rows.select(columns.toArray(Column[]::new));
    }

    private static Column column(Dataset<Row> rows, String name, String role) {
        if (Arrays.stream(rows.columns()).noneMatch(name::equalsIgnoreCase)) {
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE,
                    "there is no column '%s' to read the %s from; there are %s"
                            .formatted(name, role, String.join(", ", rows.columns())));
        }
        return rows.col(quoted(name));
    }

    private static StructType output(Operation operation, Settings settings) {
        return operation == Operation.EMBED_IMAGE
                ? new ImageFunction(settings).output()
                : new TextFunction(operation, settings).output();
    }
}
