package dev.paloverde.udfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.paloverde.udfs.sql.TestSession;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class PaloverdeTest {
    private static SparkSession spark;
    private static Dataset<Row> rows;

    @BeforeAll
    static void data() {
        spark = TestSession.get();
        rows = spark.sql("SELECT * FROM VALUES (1, 'The little bird', array(' sang', ' xqz'), 'kept'),"
                + " (2, NULL, array(' a'), 'too') AS v(id, `a text`, choices, status)");
    }

    private static final TextOptions OPTIONS = TextOptions.input("a text").with(Settings.MAX_TOKENS, 3);

    @Test
    void addsFlatColumnsAndPrefixesWhatCollides() {
        Dataset<Row> generated = Paloverde.generate(rows, OPTIONS);
        assertThat(generated.columns())
                .containsExactly(
                        "id",
                        "a text",
                        "choices",
                        "status",
                        "text",
                        "finish_reason",
                        "prompt_tokens",
                        "generated_tokens",
                        "log_probability",
                        "row_key",
                        "receipt",
                        "generate_status",
                        "error_code",
                        "error_message");
        List<Row> found = generated.orderBy("id").collectAsList();
        assertThat(found.get(0).<String>getAs("generate_status")).isEqualTo("ok");
        assertThat(found.get(0).<Integer>getAs("generated_tokens")).isBetween(1, 3);
        assertThat(found.get(1).<String>getAs("error_code")).isEqualTo("NULL_INPUT");
        assertThat(found.get(1).<String>getAs("status")).isEqualTo("too");
        assertThat(generated.queryExecution().optimizedPlan().toString().split("BatchEval", -1))
                .hasSize(2);
    }

    @Test
    void theOtherOperations() {
        TextOptions text = TextOptions.input("a text");
        assertThat(Paloverde.score(rows, text).filter("id = 1").head().<Double>getAs("bits_per_byte"))
                .isPositive();
        assertThat(Paloverde.embed(rows, text).filter("id = 1").head().<Integer>getAs("tokens"))
                .isPositive();
        assertThat(Paloverde.choose(rows, text.choices("choices"))
                        .filter("id = 1")
                        .head()
                        .<Integer>getAs("best"))
                .isEqualTo(0);
    }

    @Test
    void whatAJobAsksBeforeItRunsIsWhatTheCallGives() {
        // images: see ImageEmbedTest
        for (Operation operation : EnumSet.complementOf(EnumSet.of(Operation.EMBED_IMAGE))) {
            TextOptions options = TextOptions.input("a text").choices("choices");
            Dataset<Row> called = switch (operation) {
                case GENERATE -> Paloverde.generate(rows, options.with(Settings.MAX_TOKENS, 3));
                case SCORE -> Paloverde.score(rows, options);
                case CHOOSE -> Paloverde.choose(rows, options);
                case EMBED -> Paloverde.embed(rows, options);
                case EMBED_IMAGE -> throw new AssertionError(operation);
            };
            TextOptions asked = operation == Operation.GENERATE ? options.with(Settings.MAX_TOKENS, 3) : options;
            List<Row> found = called.withColumn("expected", Paloverde.rowKey(operation, asked))
                    .withColumn("counted", Paloverde.tokens(spark, operation, asked))
                    .orderBy("id")
                    .collectAsList();
            for (Row row : found) {
                assertThat(row.<String>getAs("row_key")).isEqualTo(row.getAs("expected"));
                assertThat(row.<String>getAs("receipt"))
                        .isEqualTo(Paloverde.receipt(spark, operation, asked).digest());
            }
            assertThat(found.get(0).<Long>getAs("counted")).isPositive();
            assertThat(found.get(1).<Long>getAs("counted")).isNull();
            assertThat(called.columns())
                    .endsWith("error_code", "error_message")
                    .hasSize(4 + Paloverde.results(spark, operation, asked).size());
        }
    }

    @Test
    void mistakesAreFoundAtOnce() {
        assertThatThrownBy(() -> Paloverde.generate(rows, TextOptions.input("prompt")))
                .hasMessage(
                        "there is no column 'prompt' to read the input from; there are id, a text, choices, status");
        assertThatThrownBy(() -> Paloverde.generate(rows, OPTIONS.with("top-q", "1")))
                .hasMessageContaining("there is no option top-q; the nearest is top-k");
        assertThatThrownBy(() -> Paloverde.choose(rows, OPTIONS)).hasMessageContaining("max-tokens");
        assertThatThrownBy(() -> Paloverde.choose(rows, TextOptions.input("a text")))
                .hasMessageContaining("TextOptions.choices(column)");
    }

    @Test
    void columnsForExpressions() {
        Row row = rows.filter("id = 1")
                .select(
                        Functions.llmScore(functions.col("a text"), Map.of()).getField("tokens"),
                        Functions.llmEmbed(functions.col("a text"), Map.of()).getField("status"),
                        Functions.llmChoose(functions.col("a text"), functions.col("choices"), Map.of())
                                .getField("best"),
                        Functions.llmGenerate(functions.col("a text"), Map.of("max-tokens", "2"))
                                .getField("generated_tokens"))
                .head();
        assertThat(row.getInt(0)).isPositive();
        assertThat(row.getString(1)).isEqualTo("ok");
        assertThat(row.getInt(2)).isZero();
        assertThat(row.getInt(3)).isBetween(1, 2);
    }
}
