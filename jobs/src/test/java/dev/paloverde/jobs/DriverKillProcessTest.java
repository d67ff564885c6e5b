package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Kills drivers without warning, at moments of chance, and runs them again. */
@Tag("process")
class DriverKillProcessTest {
    private static final Duration LONG = Duration.ofMinutes(10);
    private static final int ROWS = 240;
    private static final int UNITS = 24;
    private static final int KILLS = 3;

    private final SparkSession spark = LocalSpark.session();

    @TempDir
    Path directory;

    @Test
    void rowsAfterKillsAreThoseOfAnUndisturbedRun() throws Exception {
        Path input = directory.resolve("in.jsonl");
        // every prompt thrice, every third row of a text of its own: duplicates are rows too
        Files.write(
                input,
                IntStream.range(0, ROWS)
                        .mapToObj(i -> "{\"id\":%d,\"prompt\":\"text %d\"}"
                                .formatted(i % 3 == 0 ? i : i / 3, i % 3 == 0 ? i : i / 3))
                        .toList());
        Path log = directory.resolve("computed.log");
        Path output = directory.resolve("out");
        Random random = new Random();
        int killed = 0;
        for (int attempt = 0; attempt < KILLS; attempt++) {
            int before = units(output);
            int wanted = before + 1 + random.nextInt(5);
            try (Child driver = driver("kill-" + attempt, input, output, log, 15)) {
                driver.await(() -> units(output) >= Math.min(wanted, UNITS), LONG);
                Thread.sleep(random.nextInt(300));
                if (driver.isAlive()) {
                    driver.kill();
                    killed++;
                }
            }
        }
        try (Child driver = driver("kill-last", input, output, log, 15)) {
            assertThat(driver.await(LONG)).as(driver.said()).isZero();
        }
        Path undisturbed = directory.resolve("undisturbed");
        try (Child driver = driver("kill-none", input, undisturbed, directory.resolve("undisturbed.log"), 0)) {
            assertThat(driver.await(LONG)).as(driver.said()).isZero();
        }

        List<String> rows = rows(output);
        assertThat(rows).hasSize(ROWS).isEqualTo(rows(undisturbed));
        assertThat(killed).as("runs that were killed").isPositive();
        long computed;
        try (Stream<String> lines = Files.lines(log)) {
            computed = lines.count();
        }
        // a kill costs what is in flight: two tasks, a unit each
        int unitRows = 2 * ROWS / UNITS * 3;
        assertThat(computed).isBetween((long) ROWS, (long) ROWS + killed * 2L * unitRows);
        System.out.printf(
                "%d kills of the driver: %d rows, %d computed twice (%.1f%%)%n",
                killed, ROWS, computed - ROWS, 100.0 * (computed - ROWS) / ROWS);
        assertThat(states(output)).containsEntry(RunManifest.State.INTERRUPTED, (long) killed);
        assertThat(output.resolve("_paloverde/staging")).isEmptyDirectory();
    }

    private Child driver(String name, Path input, Path output, Path log, int millis) throws IOException {
        String classPath = Path.of("target", "test-classes") + ":" + Child.ASSEMBLY + ":" + Child.sparkClassPath();
        return Child.java(
                name,
                "1g",
                classPath,
                List.of(
                        ShoutMain.class.getName(),
                        input.toString(),
                        output.toString(),
                        log.toString(),
                        Integer.toString(millis),
                        Integer.toString(UNITS)),
                Map.of());
    }

    private List<String> rows(Path output) {
        return spark.read().parquet(output.toString()).toJSON().collectAsList().stream()
                .sorted()
                .toList();
    }

    private static int units(Path output) {
        if (!Files.isDirectory(output)) {
            return 0;
        }
        try (Stream<Path> files = Files.list(output)) {
            return (int) files.filter(file -> file.getFileName().toString().startsWith("unit-"))
                    .count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Map<RunManifest.State, Long> states(Path output) throws IOException {
        try (Stream<Path> files = Files.list(output.resolve("_paloverde"))) {
            return files.filter(file -> file.getFileName().toString().startsWith("run-"))
                    .map(file -> {
                        try {
                            return Json.read(Files.readString(file), RunManifest.class)
                                    .state();
                        } catch (IOException e) {
                            throw new UncheckedIOException(e);
                        }
                    })
                    .collect(Collectors.groupingBy(state -> state, Collectors.counting()));
        }
    }
}
