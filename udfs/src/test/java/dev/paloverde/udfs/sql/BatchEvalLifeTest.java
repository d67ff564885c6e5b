package dev.paloverde.udfs.sql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.adaptive.AdaptiveSparkPlanExec;
import org.apache.spark.sql.execution.metric.SQLMetric;
import org.apache.spark.sql.execution.ui.SQLExecutionUIData;
import org.apache.spark.sql.execution.ui.SQLPlanMetric;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.streaming.Trigger;
import org.apache.spark.sql.util.ArrowUtils;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import scala.Option;

/** Batch nodes while they run: in streams, under metrics, killed, and without the extension. */
class BatchEvalLifeTest {
    private static SparkSession spark;

    @TempDir
    Path directory;

    @BeforeAll
    static void session() {
        spark = TestSession.get();
    }

    @BeforeEach
    void forget() {
        ShoutFunction.forget();
    }

    private static void assertNothingIsLeft() {
        assertThat(ShoutFunction.OPEN).hasValue(0);
        assertThat(memoryIsLeft()).isFalse();
    }

    private static boolean memoryIsLeft() {
        return ArrowUtils.rootAllocator().getChildAllocators().stream()
                .anyMatch(allocator -> allocator.getName().equals("shout"));
    }

    @Test
    void streams() throws Exception {
        Path in = Files.createDirectory(directory.resolve("in"));
        spark.range(0, 40)
                .selectExpr("concat('text ', id) AS text", "id % 3 AS k")
                .write()
                .json(in + "/a");
        spark.range(40, 60)
                .selectExpr("concat('text ', id) AS text", "id % 3 AS k")
                .write()
                .json(in + "/b");
        Dataset<Row> lines = spark.readStream()
                .schema("text STRING, k BIGINT")
                .option("maxFilesPerTrigger", 1)
                .option("recursiveFileLookup", "true")
                .option("pathGlobFilter", "*.json")
                .json(in.toString());
        Dataset<Row> shouted = lines.selectExpr("k", "shout(text) AS g").filter("g.size = 7 AND k < 2");
        StreamingQuery kept = shouted.writeStream()
                .format("parquet")
                .option("path", directory.resolve("out").toString())
                .option("checkpointLocation", directory.resolve("c1").toString())
                .trigger(Trigger.AvailableNow())
                .start();
        kept.awaitTermination();
        assertThat(kept.recentProgress().length).isGreaterThan(1);
        // 10 to 59, of which k is 0 or 1
        assertThat(spark.read().parquet(directory.resolve("out").toString()).count())
                .isEqualTo(33);
        assertThat(ShoutFunction.ASKED).hasSize(40);
        assertThat(ShoutFunction.ASKED.values()).allMatch(times -> times == 1);

        StreamingQuery counted = shouted.groupBy("g.size")
                .count()
                .writeStream()
                .format("memory")
                .queryName("counted")
                .outputMode("complete")
                .option("checkpointLocation", directory.resolve("c2").toString())
                .trigger(Trigger.AvailableNow())
                .start();
        counted.awaitTermination();
        assertThat(spark.table("counted").collectAsList().toString()).isEqualTo("[[7,33]]");
        assertNothingIsLeft();
    }

    @Test
    void metricsAreInThePlanAndInTheStatusStore() {
        Dataset<Row> query = spark.range(0, 100, 1, 3)
                .selectExpr("IF(id = 5, NULL, concat('text ', id)) AS text")
                .selectExpr("shout(text).loud");
        query.collectAsList();
        BatchEvalExec node = find(query.queryExecution().executedPlan());
        assertThat(value(node, "numOutputRows")).isEqualTo(100);
        assertThat(value(node, "errors")).isEqualTo(1);
        assertThat(value(node, "tokensIn")).isEqualTo(9 * 6 + 90 * 7);
        assertThat(value(node, "batches")).isEqualTo(9);
        assertThat(value(node, "tokensPerSecond")).isPositive();

        Map<String, String> shown = new HashMap<>();
        for (int attempt = 0; attempt < 100 && !shown.containsKey("rows in error"); attempt++) {
            var store = classic().sharedState().statusStore();
            List<SQLExecutionUIData> executions = Scala.list(store.executionsList());
            SQLExecutionUIData last = executions.get(executions.size() - 1);
            Map<Object, String> values =
                    scala.jdk.javaapi.CollectionConverters.asJava(store.executionMetrics(last.executionId()));
            for (SQLPlanMetric metric : Scala.<SQLPlanMetric>list(last.metrics())) {
                if (values.get(metric.accumulatorId()) != null) {
                    shown.put(metric.name(), values.get(metric.accumulatorId()));
                }
            }
        }
        assertThat(shown)
                .containsEntry("rows", "100")
                .containsEntry("rows in error", "1")
                .containsEntry("batches", "9")
                .containsKey("tokens per second and task");
    }

    private static org.apache.spark.sql.classic.SparkSession classic() {
        return (org.apache.spark.sql.classic.SparkSession) spark;
    }

    @Test
    void modelMetrics() {
        Dataset<Row> query = spark.range(0, 6, 1, 2)
                .selectExpr("concat('The bird number ', id, ' sang') AS text")
                .selectExpr("llm_generate(text, map('max-tokens', '8', 'ignore-end', 'true')) AS g")
                .selectExpr("g.generated_tokens AS n", "g.prompt_tokens AS p");
        List<Row> rows = query.collectAsList();
        BatchEvalExec node = find(query.queryExecution().executedPlan());
        assertThat(value(node, "tokensOut"))
                .isEqualTo(rows.stream().mapToInt(row -> row.getInt(0)).sum())
                .isEqualTo(48);
        assertThat(value(node, "tokensIn"))
                .isEqualTo(rows.stream().mapToInt(row -> row.getInt(1)).sum());
        assertThat(value(node, "engineTime")).isPositive();
        assertThat(value(node, "waitTime")).isPositive();
        assertThat(value(node, "errors")).isZero();
        // averages are kept in tenths, one for each task
        assertThat(value(node, "occupancy")).isBetween(1L, 2000L);
    }

    private static long value(BatchEvalExec node, String metric) {
        SQLMetric found = node.metrics().apply(metric);
        return found.value();
    }

    private static BatchEvalExec find(SparkPlan plan) {
        SparkPlan executed = plan instanceof AdaptiveSparkPlanExec adaptive ? adaptive.executedPlan() : plan;
        if (executed instanceof BatchEvalExec node) {
            return node;
        }
        return find(executed.children().head());
    }

    @Test
    void aKilledTaskLeavesNothing() throws Exception {
        spark.sparkContext().setJobGroup("kill", "to be killed", false);
        CompletableFuture<Void> query = CompletableFuture.runAsync(() -> {
            spark.sparkContext().setJobGroup("kill", "to be killed", false);
            spark.range(0, 1000, 1, 2)
                    .selectExpr("shout(IF(id = 40, 'wait here', concat('text ', id)), map('ahead', '32')).loud")
                    .collectAsList();
        });
        long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (!ShoutFunction.ASKED.containsKey("wait here") && System.nanoTime() < deadline) {
            TimeUnit.MILLISECONDS.sleep(20);
        }
        assertThat(ShoutFunction.ASKED).containsKey("wait here");
        spark.sparkContext().cancelJobGroup("kill");
        assertThatThrownBy(() -> query.get(30, TimeUnit.SECONDS)).hasStackTraceContaining("cancelled");
        // a query is over before its killed tasks have given back the last of what they had
        while ((ShoutFunction.OPEN.get() > 0 || memoryIsLeft()) && System.nanoTime() < deadline) {
            TimeUnit.MILLISECONDS.sleep(20);
        }
        assertNothingIsLeft();
        spark.sparkContext().clearJobGroup();
    }

    @Test
    void aKilledTaskWithdrawsItsRequests() throws Exception {
        CompletableFuture<Void> query = CompletableFuture.runAsync(() -> {
            spark.sparkContext().setJobGroup("withdraw", "to be killed", false);
            spark.range(0, 600, 1, 2)
                    .selectExpr("llm_generate(concat('The bird number ', id),"
                            + " map('max-tokens', '900', 'ignore-end', 'true')).status")
                    .collectAsList();
        });
        long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (llm() == 0 && System.nanoTime() < deadline) {
            TimeUnit.MILLISECONDS.sleep(20);
        }
        TimeUnit.MILLISECONDS.sleep(300);
        spark.sparkContext().cancelJobGroup("withdraw");
        assertThatThrownBy(() -> query.get(30, TimeUnit.SECONDS)).hasStackTraceContaining("cancelled");
        while (llm() > 0 && System.nanoTime() < deadline) {
            TimeUnit.MILLISECONDS.sleep(20);
        }
        assertThat(llm()).isZero();
        // half a million tokens would take minutes; with the requests withdrawn the engine is free at once
        long began = System.nanoTime();
        assertThat(spark.sql("SELECT llm_generate('The bird', map('max-tokens', '2')).status")
                        .head()
                        .getString(0))
                .isEqualTo("ok");
        assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(20));
    }

    private static long llm() {
        return ArrowUtils.rootAllocator().getChildAllocators().stream()
                .filter(allocator -> allocator.getName().equals("llm_generate"))
                .count();
    }

    @Test
    void sessionsWithoutTheExtensionGetTheColumns() {
        org.apache.spark.sql.classic.SparkSession bare = new org.apache.spark.sql.classic.SparkSession(
                spark.sparkContext(),
                Option.apply(classic().sharedState()),
                Option.empty(),
                new SparkSessionExtensions(),
                Scala.map(Map.of()),
                Scala.map(Map.of()));
        Dataset<Row> query = bare.range(0, 4)
                .selectExpr("concat('The bird ', id) AS text")
                .select(Calls.of(
                                bare,
                                dev.paloverde.udfs.Operation.SCORE,
                                List.of(org.apache.spark.sql.functions.col("text")),
                                Map.of())
                        .getField("tokens")
                        .as("n"));
        assertThat(query.filter("n > 0").collectAsList()).hasSize(4);
        assertThat(query.queryExecution().optimizedPlan().toString().split("BatchEval", -1))
                .hasSize(2);
    }
}
