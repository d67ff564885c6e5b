package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Kills the command {@code corpus}, packing included, without warning at moments of chance, and runs it again. */
@Tag("process")
class CorpusKillProcessTest {
    private static final Duration LONG = Duration.ofMinutes(10);
    private static final List<String> STAGES = List.of(
            "_paloverde/stages/documents",
            "contamination",
            "_paloverde/stages/duplicates",
            "kept",
            "rejects",
            "_paloverde/stages/tokens",
            "_paloverde/stages/pieces",
            "packed");
    private static final int KILLS = 3;

    private final SparkSession spark = LocalSpark.session();

    @TempDir
    Path directory;

    @Test
    void aCorpusAfterKillsIsThatOfAnUndisturbedRun() throws Exception {
        Path output = directory.resolve("out");
        List<String> moments = new ArrayList<>(STAGES);
        Collections.shuffle(moments);
        moments = moments.subList(0, KILLS);
        moments.sort(Comparator.comparingInt(STAGES::indexOf));
        Random random = new Random();
        int killed = 0;
        for (String moment : moments) {
            // as soon as the stage has begun to be written
            Path begun = output.resolve(moment);
            try (Child driver = driver("corpus-kill-" + killed, output)) {
                driver.await(() -> Files.exists(begun), LONG);
                Thread.sleep(random.nextInt(200));
                if (driver.isAlive()) {
                    driver.kill();
                    killed++;
                }
            }
        }
        assertThat(killed).as("runs that were killed").isPositive();
        try (Child driver = driver("corpus-kill-last", output)) {
            assertThat(driver.await(LONG)).as(driver.said()).isZero();
        }
        Path undisturbed = directory.resolve("undisturbed");
        try (Child driver = driver("corpus-kill-none", undisturbed)) {
            assertThat(driver.await(LONG)).as(driver.said()).isZero();
        }
        for (String table : List.of("kept", "rejects", "contamination", "unpacked", "packed")) {
            assertThat(rows(output.resolve(table))).as(table).isEqualTo(rows(undisturbed.resolve(table)));
        }
        assertThat(contents(output)).isEqualTo(contents(undisturbed)).isNotEmpty();
        assertThat(output.resolve("card.html")).hasSameTextualContentAs(undisturbed.resolve("card.html"));
    }

    private static Child driver(String name, Path output) throws IOException {
        Path corpus = Path.of("..", "data", "corpus");
        return Child.java(
                name,
                "1g",
                Child.ASSEMBLY + ":" + Child.sparkClassPath(),
                List.of(
                        "-Dspark.sql.shuffle.partitions=2",
                        Main.class.getName(),
                        "corpus",
                        "--input",
                        corpus.resolve("text").toString(),
                        "--output",
                        output.toString(),
                        "--rules",
                        "c4",
                        "--evaluation",
                        corpus.resolve("held-out").toString(),
                        "--tokenizer",
                        "embedded:sample-draft",
                        "--context",
                        "256",
                        "--shard-tokens",
                        "8192"),
                Map.of());
    }

    private List<String> rows(Path table) {
        return spark.read().parquet(table.toString()).toJSON().collectAsList().stream()
                .sorted()
                .toList();
    }

    private static List<String> contents(Path output) throws IOException {
        PackSummary.Shard[] shards =
                Json.read(Files.readString(output.resolve("shards.json")), PackSummary.Shard[].class);
        return Stream.of(shards).map(PackSummary.Shard::content).toList();
    }
}
