package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A real standalone cluster on loopback: a master and two workers as processes of their own, started through Spark's own
 * classes, and the assembly submitted to it.
 */
@Tag("process")
class ClusterProcessTest {
    private static final Duration LONG = Duration.ofMinutes(4);
    private static final Pattern MASTER = Pattern.compile("spark://127\\.0\\.0\\.1:[0-9]+");
    private static final Pattern REGISTERED = Pattern.compile("Successfully registered with master");
    private static final int PROMPTS = 60;

    @TempDir
    static Path directory;

    private static final List<Child> CLUSTER = new ArrayList<>();
    private static String master;
    private static Path prompts;

    private final SparkSession spark = LocalSpark.session();

    @BeforeAll
    static void startCluster() throws Exception {
        // what is a Spark installation to a worker: a directory with its jars
        Path jars = Files.createDirectories(directory.resolve("spark/jars"));
        for (String jar : Child.sparkClassPath().split(":")) {
            try {
                Files.createSymbolicLink(jars.resolve(Path.of(jar).getFileName()), Path.of(jar));
            } catch (FileAlreadyExistsException e) {
                throw new IllegalStateException(
                        "two jars are called " + Path.of(jar).getFileName(), e);
            }
        }
        Map<String, String> home =
                Map.of("SPARK_HOME", directory.resolve("spark").toString(), "SPARK_SCALA_VERSION", "2.13");
        Child running = Child.java(
                "master",
                "512m",
                Child.sparkClassPath(),
                List.of(
                        "org.apache.spark.deploy.master.Master",
                        "--host",
                        "127.0.0.1",
                        "--port",
                        "0",
                        "--webui-port",
                        "0"),
                home);
        CLUSTER.add(running);
        master = running.awaitSaying(MASTER, LONG);
        for (int i = 0; i < 2; i++) {
            CLUSTER.add(Child.java(
                    "worker-" + i,
                    "512m",
                    Child.sparkClassPath(),
                    List.of(
                            "org.apache.spark.deploy.worker.Worker",
                            "--host",
                            "127.0.0.1",
                            "--port",
                            "0",
                            "--webui-port",
                            "0",
                            "--cores",
                            "1",
                            "--memory",
                            "1500m",
                            "--work-dir",
                            directory.resolve("work-" + i).toString(),
                            master),
                    home));
        }
        for (Child worker : CLUSTER.subList(1, 3)) {
            worker.awaitSaying(REGISTERED, LONG);
        }
        prompts = directory.resolve("prompts.jsonl");
        try (var in = ClusterProcessTest.class
                .getClassLoader()
                .getResourceAsStream("dev/paloverde/corpus/prompts/prompts.jsonl")) {
            Files.write(
                    prompts,
                    new String(in.readAllBytes(), StandardCharsets.UTF_8)
                            .lines()
                            .limit(PROMPTS)
                            .toList());
        }
    }

    @AfterAll
    static void stopCluster() {
        CLUSTER.forEach(Child::close);
    }

    private static Child submit(String name, String masterUrl, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                "org.apache.spark.deploy.SparkSubmit",
                "--master",
                masterUrl,
                "--executor-memory",
                "1g",
                "--conf",
                "spark.driver.host=127.0.0.1",
                "--conf",
                "spark.driver.bindAddress=127.0.0.1",
                "--conf",
                "spark.ui.enabled=false",
                "--conf",
                "spark.sql.shuffle.partitions=2",
                "--conf",
                "spark.paloverde.kv-memory=32m",
                "--conf",
                "spark.sql.extensions=dev.paloverde.udfs.sql.PaloverdeExtensions",
                "--class",
                "dev.paloverde.jobs.Main",
                Child.ASSEMBLY.toString()));
        command.addAll(List.of(arguments));
        return Child.java(name, "1g", Child.sparkClassPath(), command, Map.of());
    }

    private static String[] generate(Path output) {
        return new String[] {
            "generate",
            "--input",
            prompts.toString(),
            "--output",
            output.toString(),
            "--max-tokens",
            "64",
            "--temperature",
            "0.8",
            "--seed",
            "7",
            "--units",
            "12"
        };
    }

    private List<String> rows(Path output) {
        return spark.read().parquet(output.toString()).toJSON().collectAsList().stream()
                .sorted()
                .toList();
    }

    private static RunManifest manifest(Path output) throws IOException {
        try (Stream<Path> files = Files.list(output.resolve("_paloverde"))) {
            Path file = files.filter(each -> each.getFileName().toString().startsWith("run-"))
                    .findFirst()
                    .orElseThrow();
            return Json.read(Files.readString(file), RunManifest.class);
        }
    }

    /** One driver on a local Spark, the same job on the cluster, and again with an executor that dies. */
    @Test
    void aClusterGivesTheRowsOfOneMachineWhateverDies() throws Exception {
        Path alone = directory.resolve("alone");
        try (Child job = submit("submit-local", "local[2]", generate(alone))) {
            assertThat(job.await(LONG)).as(job.said()).isZero();
        }
        List<String> expected = rows(alone);
        assertThat(expected).hasSize(PROMPTS).allMatch(row -> row.contains("\"status\":\"ok\""));

        Path together = directory.resolve("together");
        try (Child job = submit("submit-cluster", master, generate(together))) {
            assertThat(job.await(LONG)).as(job.said()).isZero();
        }
        assertThat(rows(together)).isEqualTo(expected);
        assertThat(manifest(together).master()).isEqualTo(master);

        Path wounded = directory.resolve("wounded");
        try (Child job = submit("submit-wounded", master, generate(wounded))) {
            job.await(() -> units(wounded) >= 2, LONG);
            executor()
                    .orElseThrow(() -> new AssertionError("no executor runs:\n" + job.said()))
                    .destroyForcibly();
            assertThat(job.await(LONG)).as(job.said()).isZero();
            assertThat(job.said()).contains("Lost executor");
        }
        assertThat(rows(wounded)).isEqualTo(expected);
        assertThat(manifest(wounded).taskAttemptsFailed()).isPositive();
        System.out.printf(
                "an executor killed in mid-run: %d task attempts tried again, %d rows, none lost or doubled%n",
                manifest(wounded).taskAttemptsFailed(), expected.size());
    }

    @Test
    void sqlFunctionsWorkWithTheJarAndTheExtensionAlone() throws Exception {
        String view = "CREATE TEMPORARY VIEW prompts USING json OPTIONS (path '%s')".formatted(prompts.toUri());
        String query = "SELECT count(*) AS n, count(DISTINCT r.row_key) AS k, sum(r.generated_tokens) AS t FROM"
                + " (SELECT llm_generate(prompt, map('max-tokens', '5')) AS r FROM prompts) WHERE r.status = 'ok'";
        try (Child job = submit(
                "submit-sql",
                master,
                "sql",
                "-e",
                view,
                "-e",
                query,
                "-e",
                "SELECT round(llm_score('A saguaro is a cactus.').bits_per_byte, 1) > 0 AS scored")) {
            assertThat(job.await(LONG)).as(job.said()).isZero();
            assertThat(job.said()).containsPattern("60 +60 +300").containsPattern("scored\\s+-+\\s+true");
        }
    }

    private static int units(Path output) {
        if (!Files.isDirectory(output)) {
            return 0;
        }
        try (Stream<Path> files = Files.list(output)) {
            return (int) files.filter(file -> file.getFileName().toString().startsWith("unit-"))
                    .count();
        } catch (IOException e) {
            return 0;
        }
    }

    /** {@return an executor of the cluster, as the system sees it} */
    private static Optional<ProcessHandle> executor() {
        return CLUSTER.stream()
                .flatMap(child -> child.handle().descendants())
                .filter(handle -> handle.info().arguments().stream()
                        .flatMap(Stream::of)
                        .anyMatch(argument -> argument.contains("CoarseGrainedExecutorBackend")))
                .findFirst();
    }
}
