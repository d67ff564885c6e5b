package dev.paloverde.jobs;

import dev.paloverde.pipelines.CarriedColumns;
import dev.paloverde.pipelines.Step;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;

/**
 * A step that is no model: says a text louder. It takes its time if told to, and keeps a log of what it computed, so that
 * work done twice can be counted. Empty texts fail.
 *
 * @param loudness stands for a parameter: another one is another receipt
 * @param millis time a row takes
 * @param log where row keys go as they are computed; empty for nowhere
 */
record ShoutSteps(int loudness, int millis, String log) implements Steps {
    static final StructType RESULTS = new StructType()
            .add("text", "string")
            .add("tokens", "int")
            .add(Step.ROW_KEY, "string")
            .add(Step.RECEIPT, "string")
            .add(Step.STATUS, "string")
            .add(Step.ERROR_CODE, "string")
            .add(Step.ERROR_MESSAGE, "string");

    @Override
    public Collection<String> reserved(SparkSession spark) {
        return List.of(RESULTS.fieldNames());
    }

    @Override
    public Step bind(SparkSession spark, StructType input, CarriedColumns columns) {
        return new Shout(loudness, millis, log, columns.carriedAs("prompt"));
    }

    private record Shout(int loudness, int millis, String log, String column) implements Step, Serializable {
        @Override
        public String name() {
            return "shout";
        }

        @Override
        public String model() {
            return "none";
        }

        @Override
        public StructType results() {
            return RESULTS;
        }

        @Override
        public String receipt() {
            return "loudness-" + loudness;
        }

        @Override
        public SortedMap<String, String> description() {
            return new TreeMap<>(Map.of("loudness", Integer.toString(loudness)));
        }

        @Override
        public SortedMap<String, String> mapping() {
            return new TreeMap<>(Map.of("prompt", column));
        }

        @Override
        public Dataset<Row> prepare(Dataset<Row> carried) {
            return carried;
        }

        @Override
        public Column rowKey() {
            return functions.md5(functions.col(column).cast("binary"));
        }

        @Override
        public Column bytes() {
            return functions.octet_length(functions.col(column));
        }

        @Override
        public Column tokens() {
            return functions.length(functions.col(column)).cast("long");
        }

        @Override
        public int newTokensPerRow() {
            return 0;
        }

        @Override
        public List<String> tokensIn() {
            return List.of("tokens");
        }

        @Override
        public List<String> tokensOut() {
            return List.of();
        }

        @Override
        public Readiness begin() {
            return () -> {};
        }

        @Override
        public Dataset<Row> apply(Dataset<Row> rows) {
            Dataset<Row> keyed = rows.withColumn("__key", rowKey());
            StructType schema = keyed.schema();
            int key = schema.fieldIndex("__key");
            int text = schema.fieldIndex(column);
            StructType all = rows.schema();
            for (var field : RESULTS.fields()) {
                all = all.add(field);
            }
            MapFunction<Row, Row> shout = row -> shout(row, text, key);
            return keyed.map(shout, Encoders.row(all));
        }

        private Row shout(Row row, int text, int key) throws InterruptedException {
            if (millis > 0) {
                Thread.sleep(millis);
            }
            if (!log.isEmpty()) {
                try {
                    Files.writeString(
                            Path.of(log),
                            row.getString(key) + "\n",
                            StandardOpenOption.CREATE,
                            StandardOpenOption.APPEND);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }
            Object[] values = new Object[row.size() - 1 + RESULTS.size()];
            for (int i = 0; i < row.size() - 1; i++) {
                values[i] = row.get(i);
            }
            String given = row.isNullAt(text) ? null : row.getString(text);
            boolean failed = given == null || given.isEmpty();
            Object[] results = {
                failed ? null : given.toUpperCase(java.util.Locale.ROOT) + "!".repeat(loudness),
                failed ? 0 : given.length(),
                row.getString(key),
                receipt(),
                failed ? "error" : "ok",
                failed ? "EMPTY_INPUT" : null,
                failed ? "the prompt has no characters" : null
            };
            System.arraycopy(results, 0, values, row.size() - 1, results.length);
            return RowFactory.create(Arrays.copyOf(values, values.length));
        }
    }
}
