package dev.paloverde.udfs.sql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.ArrowUtils;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The functions with the sample model that comes with the project. */
class ModelFunctionsTest {
    private static SparkSession spark;

    @BeforeAll
    static void data() {
        spark = TestSession.get();
        spark.createDataset(
                        List.of(
                                "The little fox went to the river and",
                                "Once upon a time there was",
                                "Two plus three is",
                                "In the morning the bird sang"),
                        Encoders.STRING())
                .toDF("prompt")
                .repartition(2)
                .createOrReplaceTempView("prompts");
    }

    @AfterEach
    void nothingIsLeft() {
        assertThat(ArrowUtils.rootAllocator().getChildAllocators())
                .noneMatch(allocator -> allocator.getName().startsWith("llm_"));
    }

    private static Map<String, Row> byPrompt(String sql) {
        return spark.sql(sql).collectAsList().stream()
                .collect(Collectors.toMap(row -> row.getString(0), Function.identity()));
    }

    @Test
    void generatesTheSameTextHoweverTheRowsAreSpread() {
        String call = "llm_generate(prompt, map('max-tokens', 12, 'temperature', 0.8, 'seed', 7%s))";
        Map<String, Row> one = byPrompt("SELECT prompt, g.* FROM (SELECT prompt, " + call.formatted("")
                + " AS g FROM (SELECT /*+ REPARTITION(1) */ * FROM prompts))");
        Map<String, Row> many = byPrompt("SELECT prompt, g.* FROM (SELECT prompt, "
                + call.formatted(", 'batch-rows', 1, 'ahead-rows', 1")
                + " AS g FROM (SELECT /*+ REPARTITION(3) */ * FROM prompts ORDER BY prompt))");
        assertThat(one).hasSize(4).isEqualTo(many);
        for (Row row : one.values()) {
            assertThat(row.<String>getAs("status")).isEqualTo("ok");
            assertThat(row.<String>getAs("text")).isNotBlank();
            assertThat(row.<Integer>getAs("generated_tokens")).isBetween(1, 12);
            assertThat(row.<Integer>getAs("prompt_tokens")).isPositive();
            assertThat(row.<Double>getAs("log_probability")).isNegative();
            assertThat(row.<String>getAs("finish_reason")).isIn("stop", "length");
            assertThat(row.<String>getAs("row_key")).matches("[0-9a-f]{32}");
            assertThat(row.<String>getAs("receipt")).matches("[0-9a-f]{32}");
            assertThat(row.<String>getAs("error_code")).isNull();
        }
        assertThat(one.values().stream()
                        .map(row -> row.<String>getAs("row_key"))
                        .distinct())
                .hasSize(4);
    }

    @Test
    void receiptsFollowWhatChangesResults() {
        String receipt = receipt("");
        assertThat(receipt(", map('batch-rows', '2', 'max-sequences', '3')")).isEqualTo(receipt);
        assertThat(receipt(", map('seed', '1')")).isNotEqualTo(receipt);
        assertThat(receipt(", map('max-tokens', '5')")).isNotEqualTo(receipt);
        spark.conf().set("spark.paloverde.seed", "1");
        try {
            assertThat(receipt("")).isEqualTo(receipt(", map('seed', '1')"));
            assertThat(receipt(", map('seed', '0')")).isEqualTo(receipt);
        } finally {
            spark.conf().unset("spark.paloverde.seed");
        }
    }

    @Test
    void guessingAheadChangesNothingButSpeed() {
        String call = "SELECT prompt, g.* FROM (SELECT prompt, llm_generate(prompt,"
                + " map('max-tokens', '24', 'temperature', '0.8', 'seed', '7'%s)) AS g FROM prompts)";
        String draft = ", 'draft-model', 'embedded:sample-draft', 'speculation-pace', 'always'";
        Map<String, Row> plain = byPrompt(call.formatted(""));
        assertThat(byPrompt(call.formatted(draft + ", 'strategy', 'ssd', 'drafter', 'both'")))
                .isEqualTo(plain);
        assertThat(byPrompt(call.formatted(", 'strategy', 'speculative', 'drafter', 'lookup'")))
                .isEqualTo(plain);
        String rejection = draft + ", 'strategy', 'ssd', 'speculation-rule', 'rejection'";
        Map<String, Row> others = byPrompt(call.formatted(rejection));
        assertThat(others.values()).allMatch(row -> row.<String>getAs("status").equals("ok"));
        String receipt = plain.values().iterator().next().getAs("receipt");
        assertThat(others.values())
                .noneMatch(row -> row.<String>getAs("receipt").equals(receipt));
        assertThat(byPrompt(call.formatted(rejection + ", 'max-sequences', '1'")))
                .isEqualTo(others);
    }

    @Test
    void roundsAreWrittenDownWhereAsked(@TempDir Path directory) {
        String rounds = directory.resolve("rounds").toString();
        spark.sql("SELECT llm_generate(prompt, map('max-tokens', '24', 'temperature', '0.8', 'seed', '7', 'strategy',"
                        + " 'ssd', 'draft-model', 'embedded:sample-draft', 'speculation-pace', 'always',"
                        + " 'speculation-rounds', '" + rounds + "')) AS g FROM prompts")
                .collect();
        Row sums = spark.read()
                .parquet(rounds)
                .selectExpr(
                        "sum(sequences)", "sum(accepted)", "min(end_nanos - begin_nanos)", "max(accepted - proposed)")
                .head();
        assertThat(sums.getLong(0)).isBetween(4L, 4L * 24);
        assertThat(sums.getLong(1)).isPositive();
        assertThat(sums.getLong(2)).isPositive();
        assertThat(sums.getInt(3)).isLessThanOrEqualTo(0);
    }

    private static String receipt(String options) {
        return spark.sql("SELECT llm_generate(CAST(NULL AS STRING)" + options + ").receipt")
                .head()
                .getString(0);
    }

    @Test
    void scoresInWholesAndInWindows() {
        String text = "Once upon a time there was a little bird. ".repeat(6);
        Row whole = spark.sql("SELECT s.* FROM (SELECT llm_score('" + text + "',"
                        + " map('token-log-probabilities', 'true')) AS s)")
                .head();
        int tokens = whole.getAs("tokens");
        double sum = whole.getAs("log_probability");
        assertThat(whole.<Long>getAs("bytes")).isEqualTo(text.length());
        assertThat(whole.<Double>getAs("perplexity")).isCloseTo(Math.exp(-sum / tokens), within(1e-9));
        assertThat(whole.<Double>getAs("bits_per_byte")).isCloseTo(-sum / Math.log(2) / text.length(), within(1e-12));
        assertThat(whole.<Integer>getAs("windows")).isEqualTo(1);
        List<Float> each = whole.getList(whole.fieldIndex("token_log_probabilities"));
        assertThat(each).hasSize(tokens);
        assertThat(each.stream().mapToDouble(Float::doubleValue).sum()).isCloseTo(sum, within(1e-6));

        Row cut = spark.sql("SELECT s.* FROM (SELECT llm_score('" + text + "', map('window', '16')) AS s)")
                .head();
        assertThat(cut.<Integer>getAs("tokens")).isEqualTo(tokens);
        // tokens and the one before them, in windows of 16 that begin 8 apart
        assertThat(cut.<Integer>getAs("windows")).isEqualTo(1 + (int) Math.ceil((tokens + 1 - 16) / 8.0));
        assertThat(cut.<Double>getAs("log_probability")).isLessThan(sum * 0.5).isNotEqualTo(sum);
        assertThat(cut.schema().fieldNames()).doesNotContain("token_log_probabilities");
    }

    @Test
    void choosesWhatScoringSays() {
        Row row = spark.sql("SELECT c.* FROM (SELECT llm_choose('Once upon a', array(' time', ' xqzv', ' time there'))"
                        + " AS c)")
                .head();
        assertThat(row.<String>getAs("status")).isEqualTo("ok");
        List<Double> sums = row.getList(row.fieldIndex("log_probabilities"));
        assertThat(row.<Integer>getAs("best")).isEqualTo(0);
        assertThat(sums.get(0)).isGreaterThan(sums.get(1)).isGreaterThan(sums.get(2));
        double context = score("Once upon a");
        assertThat(sums.get(0)).isCloseTo(score("Once upon a time") - context, within(1e-4));
        assertThat(sums.get(2)).isCloseTo(score("Once upon a time there") - context, within(1e-4));
        // blanks at the end of a context belong to the choices
        Row blank = spark.sql("SELECT llm_choose('Once upon a ', array('time')).log_probabilities[0]")
                .head();
        assertThat(blank.getDouble(0)).isEqualTo(sums.get(0));
    }

    private static double score(String text) {
        return spark.sql("SELECT llm_score('" + text + "').log_probability")
                .head()
                .getDouble(0);
    }

    @Test
    void embeds() {
        Row row = spark.sql("SELECT e.*, f.embedding AS last FROM (SELECT llm_embed('the bird', map('normalize', 'l2'))"
                        + " AS e, llm_embed('the bird', map('pooling', 'last')) AS f)")
                .head();
        List<Float> vector = row.getList(row.fieldIndex("embedding"));
        assertThat(vector.stream().mapToDouble(value -> value * value).sum()).isCloseTo(1, within(1e-5));
        List<Float> last = row.getList(row.fieldIndex("last"));
        assertThat(last).hasSameSizeAs(vector).isNotEqualTo(vector);
        assertThat(row.<Integer>getAs("tokens")).isPositive();
    }

    @Test
    void badRowsFailAlone() {
        byte[] malformed = "abc\u00e9def".getBytes(StandardCharsets.ISO_8859_1);
        Dataset<Row> texts = spark.createDataFrame(
                List.of(
                        RowFactory.create(0, null),
                        RowFactory.create(1, new byte[0]),
                        RowFactory.create(2, malformed),
                        RowFactory.create(3, "word ".repeat(1100).getBytes(StandardCharsets.UTF_8)),
                        RowFactory.create(4, "The bird".getBytes(StandardCharsets.UTF_8))),
                new StructType().add("id", "int").add("text", "binary"));
        texts.createOrReplaceTempView("bad");
        assertThat(statuses("llm_generate(text, map('max-tokens', '4'))"))
                .containsExactly("NULL_INPUT", "EMPTY_INPUT", "INVALID_UTF8", "INPUT_TOO_LONG", "ok");
        assertThat(statuses("llm_embed(text)"))
                .containsExactly("NULL_INPUT", "EMPTY_INPUT", "INVALID_UTF8", "INPUT_TOO_LONG", "ok");
        assertThat(statuses("llm_score(text, map('on-invalid-utf8', 'replace'))"))
                .containsExactly("NULL_INPUT", "EMPTY_INPUT", "ok", "ok", "ok");
        assertThat(statuses("llm_generate(text, map('max-tokens', '4', 'on-too-long', 'truncate'))")
                        .get(3))
                .isEqualTo("truncated");
        assertThat(statuses("llm_embed(text, map('on-too-long', 'truncate'))").get(3))
                .isEqualTo("truncated");
        assertThat(statuses("llm_choose(text, array(' a'), map('on-too-long', 'truncate'))"))
                .containsExactly("NULL_INPUT", "EMPTY_INPUT", "INVALID_UTF8", "truncated", "ok");
        assertThat(statuses("llm_choose('The bird', IF(id = 0, NULL, IF(id = 1, array(), array('', 'x'))))"))
                .containsExactly("NULL_INPUT", "EMPTY_INPUT", "EMPTY_INPUT", "EMPTY_INPUT", "EMPTY_INPUT");
        Row message = spark.sql("SELECT llm_score(text).error_message FROM bad WHERE id = 2")
                .head();
        assertThat(message.getString(0)).contains("byte 3 of 7 is 0xe9");
    }

    private static List<String> statuses(String call) {
        return spark
                .sql("SELECT coalesce(g.error_code, g.status) FROM (SELECT id, " + call + " AS g FROM bad) ORDER BY id")
                .collectAsList()
                .stream()
                .map(row -> row.getString(0))
                .toList();
    }

    @Test
    void truncatedPromptsKeepTheirEnd() {
        String end = "Once upon a time there was";
        Row cut = spark.sql("SELECT g.* FROM (SELECT llm_generate(concat(repeat('word ', 1100), '" + end
                        + "'), map('on-too-long', 'truncate', 'max-tokens', '4')) AS g)")
                .head();
        assertThat(cut.<String>getAs("status")).isEqualTo("truncated");
        assertThat(cut.<Integer>getAs("generated_tokens")).isPositive();
    }

    @Test
    void mistakesAreFoundBeforeAnythingRuns() {
        Map<String, String> mistakes = new HashMap<>();
        mistakes.put("map('max-tokns', '4')", "there is no option max-tokns; the nearest is max-tokens.");
        mistakes.put("map('temperature', '-1')", "temperature is '-1'; it must be a number: 0 to 100");
        mistakes.put("map('pooling', 'mean')", "llm_generate has no option pooling");
        mistakes.put("map('seed', prompt)", "not constant");
        mistakes.forEach((options, message) -> assertThatThrownBy(
                        () -> spark.sql("SELECT llm_generate(prompt, " + options + ") FROM prompts"))
                .isInstanceOf(AnalysisException.class)
                .hasMessageContaining(message));
        assertThatThrownBy(() -> spark.sql("SELECT llm_generate('a', map('model', '/nowhere/at/all')).text")
                        .collect())
                .hasStackTraceContaining("there is no model directory at /nowhere/at/all on this machine");
        assertThatThrownBy(() -> spark.sql("SELECT llm_generate('a', map('model', 'embedded:none')).text")
                        .collect())
                .hasStackTraceContaining("no jar on the class path carries a model named 'none'");
    }

    @Test
    void conversationsUseTheModelsTemplate() {
        Row plain = spark.sql("SELECT g.* FROM (SELECT llm_generate('Hello', map('max-tokens', '4')) AS g)")
                .head();
        Row chat = spark.sql("SELECT g.* FROM"
                        + " (SELECT llm_generate('Hello', map('max-tokens', '4', 'prompt-style', 'chat')) AS g)")
                .head();
        assertThat(chat.<String>getAs("status")).isEqualTo("ok");
        assertThat(chat.<Integer>getAs("prompt_tokens")).isEqualTo(plain.<Integer>getAs("prompt_tokens") + 2);
        assertThat(chat.<String>getAs("row_key")).isEqualTo(plain.getAs("row_key"));
        assertThat(chat.<String>getAs("receipt")).isNotEqualTo(plain.getAs("receipt"));
        Row refused = spark.sql("SELECT g.* FROM (SELECT llm_generate('Hello', map('prompt-style', 'chat',"
                        + " 'system-prompt', 'Be kind.')) AS g)")
                .head();
        assertThat(refused.<String>getAs("error_code")).isEqualTo("TEMPLATE_FAILED");
        assertThat(refused.<String>getAs("error_message")).contains("Only the roles user and assistant are known");
        Row cut = spark.sql("SELECT g.* FROM (SELECT llm_generate(repeat('word ', 1100), map('max-tokens', '4',"
                        + " 'prompt-style', 'chat', 'on-too-long', 'truncate')) AS g)")
                .head();
        assertThat(cut.<String>getAs("status")).isEqualTo("truncated");
        assertThat(cut.<Integer>getAs("prompt_tokens")).isBetween(900, 1020);
    }

    @Test
    void describesItself() {
        String text = spark.sql("DESCRIBE FUNCTION EXTENDED llm_score")
                .collectAsList()
                .toString();
        assertThat(text).contains("llm_score(text [, options])", "bits_per_byte DOUBLE", "row_key STRING");
    }
}
