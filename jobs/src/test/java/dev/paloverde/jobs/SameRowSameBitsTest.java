package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import dev.paloverde.udfs.Paloverde;
import dev.paloverde.udfs.Settings;
import dev.paloverde.udfs.TextOptions;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What a row gets follows from what it holds: not from its partition, its place, its company or the step's size. */
class SameRowSameBitsTest {
    private static final int ROWS = 24;

    /** A way to run the same rows. */
    private record Way(int partitions, int maxSequences, int stepTokens, Column order) {}

    private static final List<Way> WAYS = List.of(
            new Way(1, 1, 512, functions.col("text")),
            new Way(1, 64, 5, functions.col("text").desc()),
            new Way(3, 4, 64, functions.col("text").desc()),
            new Way(3, 64, 512, functions.rand(1)),
            new Way(16, 1, 17, functions.rand(2)),
            new Way(16, 64, 33, functions.col("id")),
            new Way(16, 4, 512, functions.rand(3)));

    private static Dataset<Row> corpus;

    @BeforeAll
    static void corpus() {
        SparkSession spark = LocalSpark.session();
        Dataset<Row> texts = spark.read()
                .json("../data/corpus/text/")
                .select(
                        functions.col("id"),
                        functions.substring(functions.col("text"), 1, 140).as("text"))
                .orderBy(functions.xxhash64(functions.col("id")))
                .limit(ROWS);
        corpus = spark.createDataFrame(texts.collectAsList(), texts.schema());
    }

    private static Dataset<Row> arranged(Way way) {
        return corpus.repartition(way.partitions()).sortWithinPartitions(way.order());
    }

    private static TextOptions options(Way way) {
        return TextOptions.input("text")
                .with(Settings.MODEL, "embedded:sample-draft")
                .with(Settings.MAX_SEQUENCES, way.maxSequences())
                .with(Settings.STEP_TOKENS, way.stepTokens());
    }

    private static List<String> bits(Dataset<Row> results) {
        return results.toJSON().collectAsList().stream().sorted().toList();
    }

    @Test
    void generations() {
        List<List<String>> all = WAYS.stream()
                .map(way -> bits(Paloverde.generate(
                        arranged(way),
                        options(way)
                                .with(Settings.MAX_TOKENS, 12)
                                .with(Settings.TEMPERATURE, 0.8)
                                .with(Settings.SEED, 3))))
                .toList();

        assertThat(all.get(0)).hasSize(ROWS).allMatch(row -> row.contains("\"status\":\"ok\""));
        assertThat(all).allSatisfy(rows -> assertThat(rows).isEqualTo(all.get(0)));
    }

    @Test
    void scores() {
        List<List<String>> all = WAYS.stream()
                .map(way -> bits(Paloverde.score(
                        arranged(way),
                        options(way).with(Settings.WINDOW, 32).with(Settings.TOKEN_LOG_PROBABILITIES, true))))
                .toList();

        assertThat(all.get(0)).hasSize(ROWS).allMatch(row -> row.contains("\"status\":\"ok\""));
        assertThat(all).allSatisfy(rows -> assertThat(rows).isEqualTo(all.get(0)));
    }
}
