package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import elsewhere.ForeignProgram;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.jar.JarOutputStream;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
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
    private static final Duration LONG = Duration.ofMinutes(10);
    private static final Pattern MASTER = Pattern.compile("spark://127\\.0\\.0\\.1:[0-9]+");
    private static final Pattern REGISTERED = Pattern.compile("Successfully registered with master");
    private static final Pattern COMPUTED = Pattern.compile("TextRun: computed [0-9a-f]+");
    private static final String EXTENSION = "spark.sql.extensions=dev.paloverde.udfs.sql.PaloverdeExtensions";
    private static final int PROMPTS = 60;
    private static final int UNITS = 12;

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
                "spark.executor.extraJavaOptions=" + Child.logging(),
                "--conf",
                EXTENSION,
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
            Integer.toString(UNITS)
        };
    }

    private List<String> rows(Path output) {
        return spark.read().parquet(output.toString()).toJSON().collectAsList().stream()
                .sorted()
                .toList();
    }

    private static RunManifest manifest(Path output) throws IOException {
        List<RunManifest> manifests = JobRuns.manifests(output);
        return manifests.get(manifests.size() - 1);
    }

    /** {@return how many rows the engines of all runs over an output have computed, by what the executors said} */
    private static long computed(Path output) throws IOException {
        long rows = 0;
        for (RunManifest run : JobRuns.manifests(output)) {
            for (int worker = 0; worker < 2; worker++) {
                Path application = directory.resolve("work-" + worker).resolve(run.application());
                if (!Files.isDirectory(application)) {
                    continue;
                }
                try (Stream<Path> files = Files.walk(application)) {
                    for (Path log :
                            files.filter(file -> file.endsWith("stderr")).toList()) {
                        rows += COMPUTED.matcher(Files.readString(log))
                                .results()
                                .count();
                    }
                }
            }
        }
        return rows;
    }

    /** {@return the most rows that two tasks can have had in hand: those of the two largest units} */
    private long rowsInFlight(Path output) {
        return spark
                .read()
                .parquet(output.toString())
                .groupBy(functions.input_file_name())
                .count()
                .orderBy(functions.desc("count"))
                .limit(2)
                .collectAsList()
                .stream()
                .mapToLong(row -> row.getLong(1))
                .sum();
    }

    /** Lets a job go on to a moment of chance, some units done and some not. */
    private static void awaitMidRun(Child job, Path output) throws InterruptedException {
        Random random = new Random();
        int wanted = 2 + random.nextInt(UNITS / 2 - 2);
        job.await(() -> units(output) >= wanted, LONG);
        Thread.sleep(random.nextInt(200));
    }

    /** One driver on a local Spark, the same job on the cluster, and again with processes that die. */
    @Test
    void aClusterGivesTheRowsOfOneMachineWhateverDies() throws Exception {
        Path alone = directory.resolve("alone");
        try (Child job = submit("submit-local", "local[2]", generate(alone))) {
            assertThat(job.await(LONG)).as(job.said()).isZero();
            assertThat(COMPUTED.matcher(job.said()).results().count())
                    .as("rows computed where nothing dies")
                    .isEqualTo(PROMPTS);
        }
        List<String> expected = rows(alone);
        assertThat(expected).hasSize(PROMPTS).allMatch(row -> row.contains("\"status\":\"ok\""));

        long inFlight = rowsInFlight(alone);

        Path wounded = directory.resolve("wounded");
        try (Child job = submit("submit-wounded", master, generate(wounded))) {
            awaitMidRun(job, wounded);
            executor()
                    .orElseThrow(() -> new AssertionError("no executor runs:\n" + job.said()))
                    .destroyForcibly();
            assertThat(units(wounded)).as("units done when the executor died").isLessThan(UNITS);
            assertThat(job.await(LONG)).as(job.said()).isZero();
            assertThat(job.said()).contains("Lost executor");
        }
        assertThat(rows(wounded)).isEqualTo(expected);
        assertThat(manifest(wounded).master()).isEqualTo(master);
        assertThat(manifest(wounded).taskAttemptsFailed()).isPositive();
        long twice = computed(wounded) - PROMPTS;
        assertThat(twice).as("rows computed twice").isBetween(0L, inFlight);
        assertThat(manifest(wounded).rowsLost()).isBetween(0L, twice);
        System.out.printf(
                "an executor killed in mid-run: %d rows, none lost or doubled, %d computed twice (%.1f%%); %d task attempts"
                        + " tried again%n",
                PROMPTS, twice, 100.0 * twice / PROMPTS, manifest(wounded).taskAttemptsFailed());

        Path orphaned = directory.resolve("orphaned");
        try (Child job = submit("submit-orphaned", master, generate(orphaned))) {
            awaitMidRun(job, orphaned);
            job.kill();
            assertThat(units(orphaned)).as("units done when the driver died").isLessThan(UNITS);
        }
        int left = units(orphaned);
        try (Child job = submit("submit-again", master, generate(orphaned))) {
            assertThat(job.await(LONG)).as(job.said()).isZero();
        }
        assertThat(rows(orphaned)).isEqualTo(expected);
        assertThat(JobRuns.manifests(orphaned))
                .extracting(RunManifest::state)
                .containsExactly(RunManifest.State.INTERRUPTED, RunManifest.State.ENDED);
        assertThat(manifest(orphaned).plan().rowsDoneBefore()).isPositive();
        twice = computed(orphaned) - PROMPTS;
        assertThat(twice).as("rows computed twice").isBetween(0L, inFlight);
        System.out.printf(
                "the driver killed in mid-run with %d units done: %d rows, none lost or doubled, %d computed twice"
                        + " (%.1f%%)%n",
                left, PROMPTS, twice, 100.0 * twice / PROMPTS);
    }

    /** A program of someone else's, with the jar and the extension and nothing else: no option, no flag of the JVM. */
    @Test
    void sqlFunctionsWorkWithTheJarAndTheExtensionAlone() throws Exception {
        Path program = directory.resolve("foreign.jar");
        String entry = ForeignProgram.class.getName().replace('.', '/') + ".class";
        try (JarOutputStream jar = new JarOutputStream(Files.newOutputStream(program));
                InputStream code = ForeignProgram.class.getClassLoader().getResourceAsStream(entry)) {
            jar.putNextEntry(new ZipEntry(entry));
            code.transferTo(jar);
        }
        List<String> command = List.of(
                "org.apache.spark.deploy.SparkSubmit",
                "--master",
                master,
                "--jars",
                Child.ASSEMBLY.toString(),
                "--conf",
                EXTENSION,
                "--class",
                ForeignProgram.class.getName(),
                program.toString(),
                "CREATE TEMPORARY VIEW prompts USING json OPTIONS (path '%s')".formatted(prompts.toUri()),
                "SELECT count(*), count(DISTINCT r.row_key), sum(r.generated_tokens) FROM"
                        + " (SELECT llm_generate(prompt, map('max-tokens', '5')) AS r FROM prompts) WHERE r.status = 'ok'",
                "SELECT count(*) FROM prompts WHERE llm_score(prompt).bits_per_byte > 0 AND id IN"
                        + " (SELECT id FROM prompts ORDER BY id LIMIT 7)",
                "SELECT size(llm_embed('A saguaro is a cactus.').embedding) > 0");
        try (Child job = Child.java("submit-foreign", "1g", Child.sparkClassPath(), command, Map.of())) {
            assertThat(job.await(LONG)).as(job.said()).isZero();
            assertThat(job.said()).contains("row: 60 | 60 | 300", "row: 7", "row: true");
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
