package dev.paloverde.udfs.sql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.util.ArrowUtils;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a query with a batched function means, and how often the function is asked for it. */
class BatchCallTest {
    private static SparkSession spark;

    @TempDir
    static Path directory;

    @BeforeAll
    static void data() {
        spark = TestSession.get();
        // 100 texts in 4 partitions; even ones are short
        Dataset<Row> texts = spark.range(0, 100, 1, 4)
                .selectExpr(
                        "CAST(id AS INT) AS id",
                        "concat('text ', id) AS text",
                        "concat('other ', id % 10) AS other",
                        "CAST(id % 10 AS INT) AS k");
        texts.createOrReplaceTempView("t");
        texts.write().mode("overwrite").parquet(directory.resolve("p").toString());
        spark.read().parquet(directory.resolve("p").toString()).createOrReplaceTempView("p");
        spark.range(0, 10)
                .selectExpr("CAST(id AS INT) AS k", "concat('key ', id) AS name")
                .createOrReplaceTempView("u");
    }

    @BeforeEach
    void forget() {
        ShoutFunction.forget();
    }

    @AfterEach
    void nothingIsLeft() {
        assertThat(ShoutFunction.OPEN).hasValue(0);
        assertThat(ArrowUtils.rootAllocator().getChildAllocators()).noneMatch(BatchCallTest::ours);
    }

    private static boolean ours(BufferAllocator allocator) {
        return allocator.getName().equals("shout");
    }

    private static List<String> run(String sql) {
        List<String> rows = new ArrayList<>();
        for (Row row : spark.sql(sql).collectAsList()) {
            rows.add(row.mkString("|"));
        }
        return rows;
    }

    private static void assertAskedOnceEach(int rows) {
        assertThat(ShoutFunction.ASKED).hasSize(rows);
        assertThat(ShoutFunction.ASKED.values()).allMatch(times -> times == 1);
    }

    @Test
    void projectionKeepsOrderAndEveryColumn() {
        List<String> rows = run("SELECT id, shout(text).loud, k, shout(text).size FROM t");
        assertThat(rows)
                .containsExactlyElementsOf(IntStream.range(0, 100)
                        .mapToObj(i -> i + "|TEXT " + i + "|" + i % 10 + "|" + ("text " + i).length())
                        .toList());
        assertAskedOnceEach(100);
    }

    @ParameterizedTest
    @ValueSource(strings = {"true", "false"})
    void adaptiveExecutionAndVectorisedScans(String on) {
        for (String table : List.of("t", "p")) {
            ShoutFunction.forget();
            spark.conf().set("spark.sql.adaptive.enabled", on);
            spark.conf().set("spark.sql.parquet.enableVectorizedReader", on);
            try {
                assertThat(run("SELECT k, max(shout(text).loud), count(*) FROM " + table + " GROUP BY k ORDER BY k"))
                        .hasSize(10)
                        .contains("3|TEXT 93|10");
                assertAskedOnceEach(100);
            } finally {
                spark.conf().unset("spark.sql.adaptive.enabled");
                spark.conf().unset("spark.sql.parquet.enableVectorizedReader");
            }
        }
    }

    @Test
    void filterOnAResultAsksOnceAndOnlyWhatCheaperConditionsLeave() {
        List<String> rows = run("SELECT id, g.loud FROM (SELECT id, k, shout(text) AS g FROM t)"
                + " WHERE g.size = 7 AND k = 3 AND g.loud LIKE 'TEXT 5%'");
        assertThat(rows).containsExactly("53|TEXT 53");
        assertAskedOnceEach(10);
    }

    @Test
    void whereAndSelectShareACall() {
        assertThat(run("SELECT id, shout(text).loud FROM t WHERE shout(text).size = 6 AND id > 4"))
                .containsExactly("5|TEXT 5", "6|TEXT 6", "7|TEXT 7", "8|TEXT 8", "9|TEXT 9");
        assertAskedOnceEach(95);
    }

    @Test
    void conditionsWithCallsSeeOnlyWhatTheOnesBeforeLeft() {
        run("SELECT id FROM t WHERE shout(text).size = 6 AND shout(concat(text, other)).size > 0");
        assertAskedOnceEach(110);
    }

    @Test
    void nestedCalls() {
        assertThat(run("SELECT shout(concat(shout(text).loud, 'x')).size FROM t WHERE id = 12"))
                .containsExactly("8");
        assertThat(ShoutFunction.ASKED).containsOnlyKeys("text 12", "TEXT 12x");
    }

    @Test
    void optionsMakeDifferentCalls() {
        assertThat(run("SELECT shout(text, map('mood', 'angry')).loud, shout(text).loud FROM t WHERE id = 1"))
                .containsExactly("TEXT 1!|TEXT 1");
        assertThat(ShoutFunction.ASKED).containsEntry("text 1", 2);
    }

    @Test
    void aggregatesGroupsAndHaving() {
        assertThat(run("SELECT shout(other).loud AS o, max(shout(text).size), count(DISTINCT shout(text).loud)"
                        + " FROM t GROUP BY shout(other).loud HAVING shout(other).loud > 'OTHER 7' ORDER BY o"))
                .containsExactly("OTHER 8|7|10", "OTHER 9|7|10");
        assertThat(ShoutFunction.asked()).isLessThanOrEqualTo(200);
    }

    @Test
    void callsOnAggregatesSeeTheGroups() {
        assertThat(run("SELECT k, shout(concat(k, ':', max(text))).loud FROM t GROUP BY k ORDER BY k LIMIT 2"))
                .containsExactly("0|0:TEXT 90", "1|1:TEXT 91");
        assertThat(ShoutFunction.ASKED).hasSizeLessThanOrEqualTo(10);
    }

    @Test
    void groupingSets() {
        assertThat(run("SELECT shout(other).loud, count(*) FROM t WHERE k < 2 GROUP BY ROLLUP(shout(other).loud)"
                        + " ORDER BY 2, 1"))
                .containsExactly("OTHER 0|10", "OTHER 1|10", "null|20");
        assertThat(ShoutFunction.asked()).isEqualTo(20);
    }

    @Test
    void orderBy() {
        assertThat(run("SELECT id FROM t WHERE id IN (8, 9, 10) ORDER BY shout(text).size DESC, id DESC"))
                .containsExactly("10", "9", "8");
        assertAskedOnceEach(3);
    }

    @Test
    void windows() {
        assertThat(run("SELECT id, lag(shout(text).loud) OVER (ORDER BY id) FROM t WHERE id < 3"))
                .containsExactly("0|null", "1|TEXT 0", "2|TEXT 1");
        assertThat(run("SELECT shout(lag(text, 1, 'none') OVER (ORDER BY id)).loud FROM t WHERE id < 2"))
                .containsExactly("NONE", "TEXT 0");
    }

    @Test
    void generators() {
        assertThat(run("SELECT id, w FROM t LATERAL VIEW explode(split(shout(text).loud, ' ')) AS w WHERE id = 4"))
                .containsExactly("4|TEXT", "4|4");
        assertAskedOnceEach(1);
    }

    @Test
    void joinConditionsAskOnTheSideTheArgumentsComeFrom() {
        assertThat(run("SELECT t.id, u.name FROM t JOIN u ON shout(u.name).loud = concat('KEY ', t.k)"
                        + " WHERE t.id < 2 ORDER BY id"))
                .containsExactly("0|key 0", "1|key 1");
        assertAskedOnceEach(10);
        ShoutFunction.forget();
        assertThat(run("SELECT u.k, t.id FROM u LEFT JOIN t ON shout(t.other).size = u.k AND t.id = 5 ORDER BY u.k"))
                .contains("7|5", "6|null");
    }

    @Test
    void joinConditionsWithBothSidesAskOnThePairs() {
        assertThat(run("SELECT t.id FROM t JOIN u ON t.k = u.k AND shout(concat(t.id, u.name)).loud = '7KEY 7'"))
                .containsExactly("7");
        assertAskedOnceEach(100);
        assertThatThrownBy(() -> run("SELECT * FROM t LEFT JOIN u ON shout(concat(t.id, u.name)).size = t.k"))
                .hasMessageContaining("arguments from both sides");
    }

    @Test
    void selfJoinsAndUnions() {
        Dataset<Row> shouted = spark.sql("SELECT id, shout(text) AS g FROM t WHERE id < 5");
        Dataset<Row> joined = shouted.as("a")
                .join(shouted.as("b"), org.apache.spark.sql.functions.expr("a.id = b.id"))
                .selectExpr("a.g.loud", "b.g.size");
        assertThat(joined.collectAsList()).hasSize(5);
        assertThat(shouted.union(shouted).collectAsList()).hasSize(10);
    }

    @Test
    void subQueries() {
        assertThat(run("SELECT (SELECT max(shout(text).size) FROM t WHERE id < 20) AS m"))
                .containsExactly("7");
        assertAskedOnceEach(20);
        ShoutFunction.forget();
        assertThat(run("SELECT id FROM t WHERE upper(text) IN (SELECT shout(text).loud FROM t WHERE id IN (2, 3))"))
                .containsExactly("2", "3");
        assertAskedOnceEach(2);
        ShoutFunction.forget();
        assertThat(run("SELECT k FROM u WHERE EXISTS (SELECT 1 FROM t WHERE t.k = u.k AND shout(t.text).size > 6"
                        + " AND t.id < 13) ORDER BY k"))
                .containsExactly("0", "1", "2");
        assertAskedOnceEach(13);
    }

    @Test
    void correlatedSubQueries() {
        assertThat(run("SELECT u.k, (SELECT max(shout(t.text).loud) FROM t WHERE t.k = u.k) FROM u WHERE u.k < 2"
                        + " ORDER BY 1"))
                .containsExactly("0|TEXT 90", "1|TEXT 91");
        assertThat(run("SELECT u.k FROM u WHERE EXISTS (SELECT 1 FROM t WHERE t.other = concat('other ', u.k)"
                        + " AND shout(u.name).loud = 'KEY 4')"))
                .containsExactly("4");
        assertThat(run("SELECT u.k FROM u WHERE shout(u.name).size IN (SELECT length(text) FROM t WHERE t.k = u.k)"))
                .isEmpty();
    }

    @Test
    void commonTableExpressionsUsedTwiceAreAskedOnce() {
        assertThat(run("WITH g AS (SELECT id, shout(text) AS s FROM t WHERE id < 30)"
                        + " SELECT a.id, b.s.loud FROM g a JOIN g b ON a.id = b.id WHERE a.s.size = 6 ORDER BY 1"))
                .hasSize(10)
                .contains("4|TEXT 4");
        assertAskedOnceEach(30);
    }

    @Test
    void caseWhenAsksOnlyWhereTheBranchIsTaken() {
        assertThat(run("SELECT id, CASE WHEN k = 1 THEN shout(text).loud WHEN k = 2 THEN 'two' END FROM t"
                        + " WHERE id < 3 ORDER BY id"))
                .containsExactly("0|null", "1|TEXT 1", "2|two");
        assertThat(ShoutFunction.ASKED).containsOnlyKeys("text 1");
        ShoutFunction.forget();
        assertThat(run("SELECT coalesce(if(id > 1, text, NULL), shout(text).loud), if(id = 0, shout(other).size, 0)"
                        + " FROM t WHERE id < 3 ORDER BY id"))
                .containsExactly("TEXT 0|7", "TEXT 1|0", "text 2|0");
        assertThat(ShoutFunction.ASKED).containsOnlyKeys("text 0", "text 1", "other 0");
    }

    @Test
    void viewsTablesAndInserts() {
        spark.sql("CREATE OR REPLACE TEMP VIEW shouted AS SELECT id, shout(text) AS g FROM t");
        assertThat(run("SELECT g.loud FROM shouted WHERE id = 77")).containsExactly("TEXT 77");
        assertAskedOnceEach(1);
        ShoutFunction.forget();
        spark.sql("DROP TABLE IF EXISTS kept");
        spark.sql("CREATE TABLE kept USING parquet AS SELECT id, shout(text) AS g FROM t WHERE id < 10");
        assertAskedOnceEach(10);
        spark.sql("INSERT INTO kept SELECT id, shout(text) FROM t WHERE id = 10");
        assertAskedOnceEach(11);
        assertThat(run("SELECT count(*), max(g.size) FROM kept")).containsExactly("11|7");
        spark.sql("DROP TABLE kept");
    }

    @Test
    void cachedResultsAreFoundAgain() {
        Dataset<Row> shouted = spark.sql("SELECT id, shout(text) AS g FROM t").cache();
        try {
            assertThat(shouted.count()).isEqualTo(100);
            assertThat(shouted.filter("g.size = 6").count()).isEqualTo(10);
            assertThat(run("SELECT max(g.loud) FROM (SELECT id, shout(text) AS g FROM t)"))
                    .containsExactly("TEXT 99");
            assertAskedOnceEach(100);
        } finally {
            shouted.unpersist(true);
        }
    }

    @Test
    void limitsComeFirst() {
        assertThat(run("SELECT id, shout(text).loud FROM t LIMIT 5")).hasSize(5);
        assertThat(ShoutFunction.asked()).isEqualTo(5);
        ShoutFunction.forget();
        assertThat(run("SELECT max(g.size) FROM (SELECT shout(text) AS g FROM t LIMIT 7)"))
                .containsExactly("6");
        assertThat(ShoutFunction.asked()).isEqualTo(7);
        ShoutFunction.forget();
        assertThat(run("SELECT shout(text).loud FROM t ORDER BY k DESC, id LIMIT 2"))
                .containsExactly("TEXT 9", "TEXT 19");
        assertThat(ShoutFunction.asked()).isEqualTo(2);
        ShoutFunction.forget();
        assertThat(spark.table("t").selectExpr("shout(text) AS g").head()).isNotNull();
        assertThat(ShoutFunction.asked()).isEqualTo(1);
    }

    @Test
    void limitsOnFilteredResultsStopEarly() {
        assertThat(run("SELECT id FROM t WHERE shout(text, map('ahead', '1')).size > 0 LIMIT 3"))
                .hasSize(3);
        assertThat(ShoutFunction.asked()).isLessThanOrEqualTo(16);
    }

    @Test
    void whatNoOneReadsIsNotAsked() {
        assertThat(run("SELECT count(*) FROM (SELECT shout(text) AS g FROM t)")).containsExactly("100");
        assertThat(run("SELECT max(id) FROM (SELECT id, k, shout(text) AS g, shout(other) AS h FROM t)"
                        + " WHERE h.loud = 'OTHER 3'"))
                .containsExactly("93");
        assertThat(ShoutFunction.ASKED)
                .containsOnlyKeys(
                        IntStream.range(0, 10).mapToObj(i -> "other " + i).toArray(String[]::new));
    }

    @Test
    void unusedColumnsAreNotRead() {
        Dataset<Row> query = spark.sql("SELECT shout(text).loud FROM p WHERE k = 1");
        assertThat(query.queryExecution().executedPlan().toString())
                .contains("BatchEval")
                .doesNotContain("other");
    }

    @Test
    void emptyPartitionsAndEmptyInputs() {
        assertThat(run("SELECT shout(text).loud FROM t WHERE id < 0")).isEmpty();
        assertThat(spark.table("t")
                        .filter("id = 3")
                        .repartition(8)
                        .selectExpr("shout(text).size")
                        .collectAsList())
                .hasSize(1);
        assertThat(run("SELECT shout('abc').loud, shout(NULL).size")).containsExactly("ABC|-1");
    }

    @Test
    void binaryTextsKeepTheirBytes() {
        assertThat(run("SELECT shout(CAST(text AS BINARY)).loud FROM t WHERE id = 3"))
                .containsExactly("TEXT 3");
    }

    @Test
    void mistakesAreAnalysisErrors() {
        for (String[] each : new String[][] {
            {"SELECT shout(text, map('mod', 'x')) FROM t", "INVALID_OPTION: there is no option mod"},
            {"SELECT shout(text, map('mood', other)) FROM t", "not constant"},
            {"SELECT shout(text, 'mood') FROM t", "must be a map"},
            {"SELECT shout() FROM t", "WRONG_NUM_ARGS"},
            {"SELECT shout(array(1)) FROM t", "DATATYPE_MISMATCH"}
        }) {
            assertThatThrownBy(() -> spark.sql(each[0]))
                    .isInstanceOf(AnalysisException.class)
                    .hasMessageContaining(each[1]);
        }
        assertThatThrownBy(() -> run("SELECT transform(array(text), x -> shout(x)) FROM t"))
                .hasMessageContaining("lambda");
    }

    @Test
    void aFailureInTheFunctionFailsTheQueryAndLeavesNothing() {
        assertThatThrownBy(() -> run("SELECT shout(if(id = 60, 'bad', text)) FROM t"))
                .hasStackTraceContaining("this text is bad");
    }

    @Test
    void datasetExpressions() {
        assertThat(spark.table("t")
                        .select(
                                org.apache.spark.sql.functions.expr("shout(text).size"),
                                org.apache.spark.sql.functions.call_function(
                                        "shout", org.apache.spark.sql.functions.col("other")))
                        .limit(1)
                        .as(Encoders.tuple(Encoders.INT(), Encoders.bean(Shouted.class)))
                        .first()
                        ._1())
                .isEqualTo(6);
    }

    /** A bean for the struct. */
    public static final class Shouted {
        private String loud;
        private Integer size;

        public String getLoud() {
            return loud;
        }

        public void setLoud(String value) {
            loud = value;
        }

        public Integer getSize() {
            return size;
        }

        public void setSize(Integer value) {
            size = value;
        }
    }

    @Test
    void andAndOrAskOnlyWhereTheOtherSideDoesNotDecide() {
        assertThat(run("SELECT id FROM t WHERE id < 10 AND (shout(text).size = 7 OR k < 3) ORDER BY id"))
                .containsExactly("0", "1", "2");
        assertThat(ShoutFunction.ASKED).hasSize(7);
        ShoutFunction.forget();
        assertThat(run("SELECT id, shout(text).loud FROM t WHERE id < 4 AND (k = 1 OR shout(text).size = 6)"))
                .hasSize(4);
        assertAskedOnceEach(4);
    }

    @Test
    void correlatedArguments() {
        assertThat(run("SELECT u.k, (SELECT shout(u.name).loud) FROM u WHERE u.k IN (3, 4) ORDER BY 1"))
                .containsExactly("3|KEY 3", "4|KEY 4");
        assertThat(run(
                        "SELECT u.k, l.s FROM u, LATERAL (SELECT shout(u.name).loud AS s, t.id FROM t WHERE t.id = u.k) l"
                                + " WHERE u.k = 2"))
                .containsExactly("2|KEY 2");
        assertThat(run("SELECT u.k FROM u WHERE u.k NOT IN (SELECT shout(t.text).size FROM t WHERE t.id < 20)"
                        + " AND u.k > 4 ORDER BY 1"))
                .containsExactly("5", "8", "9");
    }

    @Test
    void setOperations() {
        assertThat(run("SELECT shout(text).size FROM t EXCEPT SELECT 6")).containsExactly("7");
        assertThat(run("SELECT shout(text).size FROM t WHERE id < 3 INTERSECT SELECT shout(other).size - 1 FROM t"))
                .containsExactly("6");
        assertThat(run("SELECT DISTINCT shout(text).size FROM t ORDER BY 1")).containsExactly("6", "7");
        assertThat(run("SELECT * FROM (SELECT k, shout(text).size AS n FROM t) PIVOT (max(n) FOR k IN (1, 2))"))
                .containsExactly("7|7");
    }

    @Test
    void sortingAsksOnceWithoutAdaptiveExecutionToo() {
        spark.conf().set("spark.sql.adaptive.enabled", "false");
        try {
            assertThat(run("SELECT shout(text).loud FROM t WHERE id < 50 ORDER BY shout(text).size, id")
                            .get(0))
                    .isEqualTo("TEXT 0");
            assertAskedOnceEach(50);
            ShoutFunction.forget();
            assertThat(run("SELECT id FROM t WHERE shout(text).size = 7 ORDER BY id"))
                    .hasSize(90);
            assertAskedOnceEach(100);
            ShoutFunction.forget();
            assertThat(spark.sql("SELECT shout(text) AS g FROM t")
                            .repartitionByRange(3, org.apache.spark.sql.functions.col("g.loud"))
                            .count())
                    .isEqualTo(100);
            assertThat(ShoutFunction.ASKED.values()).allMatch(times -> times == 1);
        } finally {
            spark.conf().unset("spark.sql.adaptive.enabled");
        }
    }

    @Test
    void joinsThatPrunePartitionsAskOnce() {
        String path = directory.resolve("partitioned").toString();
        spark.sql("SELECT id, text, k FROM t")
                .write()
                .mode("overwrite")
                .partitionBy("k")
                .parquet(path);
        spark.read().parquet(path).createOrReplaceTempView("facts");
        for (String on : List.of("true", "false")) {
            spark.conf().set("spark.sql.adaptive.enabled", on);
            ShoutFunction.forget();
            try {
                assertThat(run("SELECT facts.id FROM facts JOIN (SELECT k FROM u WHERE shout(name).loud = 'KEY 4') d"
                                + " ON facts.k = d.k"))
                        .hasSize(10);
                assertAskedOnceEach(10);
            } finally {
                spark.conf().unset("spark.sql.adaptive.enabled");
            }
        }
    }

    @Test
    void describeFunction() {
        assertThat(run("DESCRIBE FUNCTION EXTENDED shout")).anyMatch(line -> line.contains("upper case and length"));
    }
}
