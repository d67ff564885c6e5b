package dev.paloverde.udfs.text;

import dev.paloverde.gpu.decode.RowKey;
import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Settings;
import dev.paloverde.udfs.arrow.BatchContext;
import dev.paloverde.udfs.arrow.BatchFunction;
import dev.paloverde.udfs.arrow.BatchLimits;
import java.util.concurrent.CompletableFuture;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * What a model does with texts, as a function over batches. Rows go to the executor's engine one by one as it admits
 * them; their results come back in the order of the rows. What goes wrong with a row is said in that row.
 *
 * @param operation what to do
 * @param settings how
 */
public record TextFunction(Operation operation, Settings settings) implements BatchFunction {
    private static final DataType TEXTS = DataTypes.createArrayType(DataTypes.StringType, true);
    private static final DataType FLOATS = DataTypes.createArrayType(DataTypes.FloatType, false);

    @Override
    public StructType input() {
        return switch (operation) {
            case GENERATE -> new StructType().add("prompt", DataTypes.StringType);
            case SCORE, EMBED -> new StructType().add("text", DataTypes.StringType);
            case CHOOSE -> new StructType().add("context", DataTypes.StringType).add("choices", TEXTS);
            case EMBED_IMAGE -> throw noText();
        };
    }

    @Override
    public StructType output() {
        StructType result = new StructType();
        switch (operation) {
            case GENERATE ->
                result = result.add("text", DataTypes.StringType)
                        .add("finish_reason", DataTypes.StringType)
                        .add("prompt_tokens", DataTypes.IntegerType)
                        .add("generated_tokens", DataTypes.IntegerType)
                        .add("log_probability", DataTypes.DoubleType);
            case SCORE -> {
                result = result.add("log_probability", DataTypes.DoubleType)
                        .add("tokens", DataTypes.IntegerType)
                        .add("bytes", DataTypes.LongType)
                        .add("perplexity", DataTypes.DoubleType)
                        .add("bits_per_byte", DataTypes.DoubleType)
                        .add("windows", DataTypes.IntegerType)
                        .add("greedy_tokens", DataTypes.IntegerType);
                if (settings.value(Settings.TOKEN_LOG_PROBABILITIES)) {
                    result = result.add("token_log_probabilities", FLOATS);
                }
            }
            case CHOOSE ->
                result = result.add("log_probabilities", DataTypes.createArrayType(DataTypes.DoubleType, false))
                        .add("tokens", DataTypes.createArrayType(DataTypes.IntegerType, false))
                        .add("best", DataTypes.IntegerType)
                        .add("best_normalized", DataTypes.IntegerType);
            case EMBED -> result = result.add("embedding", FLOATS).add("tokens", DataTypes.IntegerType);
            case EMBED_IMAGE -> throw noText();
        }
        return withStandard(result);
    }

    /** {@return the columns of a result followed by those that every result has} */
    public static StructType withStandard(StructType result) {
        return result.add("row_key", DataTypes.StringType)
                .add("receipt", DataTypes.StringType)
                .add("status", DataTypes.StringType)
                .add("error_code", DataTypes.StringType)
                .add("error_message", DataTypes.StringType);
    }

    private IllegalArgumentException noText() {
        return new IllegalArgumentException(operation + " reads no text");
    }

    @Override
    public BatchLimits limits() {
        return new BatchLimits(
                settings.value(Settings.BATCH_ROWS),
                settings.value(Settings.BATCH_BYTES),
                settings.value(Settings.AHEAD_ROWS),
                settings.value(Settings.AHEAD_BYTES));
    }

    @Override
    public Run open(BatchContext context) {
        TextEngine engine = TextEngine.open(settings);
        try {
            return run(engine, RowFunction.of(operation, engine.model(), settings), context);
        } catch (RuntimeException e) {
            engine.close();
            throw e;
        }
    }

    private <Q, A> Run run(TextEngine engine, RowFunction<Q, A> function, BatchContext context) {
        return new TextRun<>(
                new Served<>(engine, function), function, engine.receipt(operation, settings), output(), context);
    }

    /** An engine that is asked one function's questions. */
    private record Served<Q, A>(TextEngine engine, RowFunction<Q, A> function) implements Serving<Q, A> {
        @Override
        public Feeders feeders() {
            return engine.feeders();
        }

        @Override
        public int places() {
            return engine.places();
        }

        @Override
        public CompletableFuture<A> submit(RowKey key, Q question) {
            return function.submit(engine.engine(), key, question);
        }

        @Override
        public void count(BatchContext context) {
            engine.count(context);
        }

        @Override
        public void close() {
            engine.close();
        }
    }
}
