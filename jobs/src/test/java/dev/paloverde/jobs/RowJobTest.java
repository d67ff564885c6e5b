package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RowJobTest {
    private final SparkSession spark = LocalSpark.session();
    private final ByteArrayOutputStream said = new ByteArrayOutputStream();

    @TempDir
    Path directory;

    private InputOptions input;
    private OutputOptions output;

    @BeforeEach
    void options() {
        input = new InputOptions();
        output = new OutputOptions();
        output.output = directory.resolve("out").toString();
    }

    private ExitCode run(ShoutSteps steps) {
        PrintStream out = new PrintStream(said, true, StandardCharsets.UTF_8);
        return new RowJob(spark, steps, input, output, List.of("shout"), new Terminal(out, out, false)).run();
    }

    private ExitCode run() {
        return run(new ShoutSteps(1, 0, ""));
    }

    private Dataset<Row> rows(int count) {
        return spark.range(0, count, 1, 3)
                .select(
                        functions.col("id"),
                        functions
                                .concat(
                                        functions.lit("text "),
                                        functions.col("id").mod(7))
                                .as("prompt"));
    }

    private void writeInput(Dataset<Row> rows) {
        String path = directory.resolve("in").toString();
        rows.write().mode(SaveMode.Overwrite).parquet(path);
        input.input = List.of(path);
    }

    private List<String> written() {
        return spark.read().parquet(output.output).toJSON().collectAsList().stream()
                .sorted()
                .toList();
    }

    private List<Path> units() throws IOException {
        try (Stream<Path> files = Files.list(Path.of(output.output))) {
            return files.filter(file -> file.getFileName().toString().startsWith("unit-"))
                    .sorted()
                    .toList();
        }
    }

    private RunManifest lastManifest() throws IOException {
        try (Stream<Path> files = Files.list(Path.of(output.output, "_paloverde"))) {
            Path last = files.filter(file -> file.getFileName().toString().startsWith("run-"))
                    .max(java.util.Comparator.comparing(file -> file.toFile().lastModified()))
                    .orElseThrow();
            return Json.read(Files.readString(last), RunManifest.class);
        }
    }

    @Test
    void writesEveryRowOnceWithItsResults() throws IOException {
        writeInput(rows(100));
        output.units = 5;

        assertThat(run()).isEqualTo(ExitCode.OK);

        Dataset<Row> written = spark.read().parquet(output.output);
        assertThat(written.columns())
                .containsExactly(
                        "id",
                        "prompt",
                        "text",
                        "tokens",
                        "row_key",
                        "receipt",
                        "status",
                        "error_code",
                        "error_message");
        assertThat(written.select("id").as(Encoders.LONG()).collectAsList())
                .containsExactlyInAnyOrderElementsOf(
                        IntStream.range(0, 100).mapToObj(i -> (long) i).toList());
        assertThat(written.where("text <> concat(upper(prompt), '!')").count()).isZero();
        RunManifest manifest = lastManifest();
        assertThat(manifest.state()).isEqualTo(RunManifest.State.ENDED);
        assertThat(manifest.exitStatus()).isZero();
        assertThat(manifest.results().rows()).isEqualTo(100);
        assertThat(manifest.results().rowsByStatus()).containsEntry("ok", 100L);
        assertThat(manifest.results().tokensIn()).isEqualTo(600);
        assertThat(manifest.plan().units()).isEqualTo(5);
        assertThat(Path.of(output.output, "_paloverde", "staging")).isEmptyDirectory();
    }

    @Test
    void doesNothingAgainThatIsDone() throws IOException {
        writeInput(rows(60));
        run();
        List<String> before = written();
        List<Path> units = units();

        assertThat(run()).isEqualTo(ExitCode.OK);

        assertThat(written()).isEqualTo(before);
        assertThat(units()).isEqualTo(units);
        assertThat(lastManifest().plan().rowsDoneBefore()).isEqualTo(60);
        assertThat(lastManifest().results().rows()).isZero();
    }

    @Test
    void completesAnOutputThatLostAnyOfItsUnits() throws IOException {
        // what a kill leaves: some units and no others; then the input comes in another order and other files
        Dataset<Row> withDuplicates = rows(40).union(rows(20)).union(rows(10));
        writeInput(withDuplicates);
        output.units = 8;
        run();
        List<String> undisturbed = written();
        Random random = new Random(11);
        for (int round = 0; round < 3; round++) {
            int removed = 0;
            for (Path unit : units()) {
                if (random.nextBoolean()) {
                    Files.delete(unit);
                    removed++;
                }
            }
            writeInput(withDuplicates.repartition(1 + round).orderBy(functions.rand(round)));
            output.units = 3 + round;
            assertThat(run()).isEqualTo(ExitCode.OK);
            assertThat(written()).as("after losing %d units", removed).isEqualTo(undisturbed);
        }
    }

    @Test
    void addsTheRowsByWhichAnInputGrew() throws IOException {
        writeInput(rows(30));
        run();
        writeInput(rows(45).repartition(2));

        run();

        assertThat(spark.read()
                        .parquet(output.output)
                        .select("id")
                        .as(Encoders.LONG())
                        .collectAsList())
                .containsExactlyInAnyOrderElementsOf(
                        IntStream.range(0, 45).mapToObj(i -> (long) i).toList());
        assertThat(lastManifest().plan().rowsDoneBefore()).isEqualTo(30);
        assertThat(lastManifest().results().rows()).isEqualTo(15);
    }

    @Test
    void refusesRowsOfAnotherJobAndSaysWhatDiffers() {
        writeInput(rows(10));
        run();

        assertThatThrownBy(() -> run(new ShoutSteps(3, 0, "")))
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.OUTPUT_EXISTS))
                .hasMessageContaining("loudness: 1 -> 3")
                .hasMessageContaining("--on-existing=append");
    }

    @Test
    void keepsRowsOfAnotherJobWhenTold() {
        writeInput(rows(10));
        run();
        output.onExisting = OnExisting.APPEND;

        run(new ShoutSteps(3, 0, ""));
        run(new ShoutSteps(3, 0, ""));
        output.onExisting = OnExisting.RESUME;
        run(new ShoutSteps(1, 0, ""));

        assertThat(spark.read().parquet(output.output).groupBy("receipt").count().collectAsList().stream()
                        .map(row -> row.getString(0) + " " + row.getLong(1)))
                .containsExactlyInAnyOrder("loudness-1 10", "loudness-3 10");
    }

    @Test
    void overwritesOnlyWhatItWroteItself() throws IOException {
        writeInput(rows(10));
        run();
        output.onExisting = OnExisting.OVERWRITE;
        run(new ShoutSteps(2, 0, ""));
        assertThat(spark.read()
                        .parquet(output.output)
                        .select("receipt")
                        .distinct()
                        .as(Encoders.STRING())
                        .collectAsList())
                .containsExactly("loudness-2");

        Files.writeString(Path.of(output.output, "thesis.txt"), "years of work");

        assertThatThrownBy(this::run).hasMessageContaining("thesis.txt").hasMessageContaining("move it away");
        assertThat(Path.of(output.output, "thesis.txt")).exists();
    }

    @Test
    void refusesADirectoryThatIsNotItsOwn() throws IOException {
        writeInput(rows(3));
        Files.createDirectories(Path.of(output.output));
        Files.writeString(Path.of(output.output, "part-00000.parquet"), "someone's");

        assertThatThrownBy(this::run)
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.OUTPUT_EXISTS))
                .hasMessageContaining("part-00000.parquet");
    }

    @Test
    void saysWhenAnOutputCannotBeWritten() throws IOException {
        writeInput(rows(3));
        Path file = Files.writeString(directory.resolve("file"), "not a directory");
        output.output = file.resolve("below").toString();

        assertThatThrownBy(this::run)
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.OUTPUT_UNWRITABLE));
    }

    @Test
    void processesGoodFilesAndNamesTheCorruptOnes() throws IOException {
        writeInput(rows(90));
        List<Path> files = parquetFiles(directory.resolve("in"));
        Path noParquet = Files.writeString(directory.resolve("in").resolve("part-bad.parquet"), "PAR1 it is not");
        Path damaged = files.get(0);
        try (RandomAccessFile file = new RandomAccessFile(damaged.toFile(), "rw")) {
            file.seek(4);
            file.write(new byte[40]);
        }
        Files.deleteIfExists(damaged.resolveSibling("." + damaged.getFileName() + ".crc"));

        assertThat(run()).isEqualTo(ExitCode.INPUT_INCOMPLETE);

        RunManifest manifest = lastManifest();
        assertThat(manifest.input().corruptFiles())
                .extracting(file -> Path.of(file.path().replace("file:", "")).getFileName())
                .containsExactlyInAnyOrder(noParquet.getFileName(), damaged.getFileName());
        long readable = manifest.input().rowsRead();
        assertThat(readable).isEqualTo(60);
        assertThat(spark.read().parquet(output.output).count()).isEqualTo(readable);
        assertThat(manifest.exitStatus()).isEqualTo(ExitCode.INPUT_INCOMPLETE.status());

        input.onCorruptFile = InputOptions.OnCorruptFile.SKIP;
        assertThat(run()).isEqualTo(ExitCode.OK);
        input.onCorruptFile = InputOptions.OnCorruptFile.FAIL;
        assertThatThrownBy(this::run)
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INPUT_UNREADABLE))
                .hasMessageContaining("part-bad.parquet")
                .hasMessageContaining(damaged.getFileName().toString());
    }

    private static List<Path> parquetFiles(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.filter(file -> file.getFileName().toString().endsWith(".parquet"))
                    .sorted()
                    .collect(Collectors.toCollection(ArrayList::new));
        }
    }

    @Test
    void countsRowsThatFailAndEndsByTheirShare() throws IOException {
        writeInput(rows(8).union(spark.sql("SELECT 8L, ''")).union(spark.sql("SELECT 9L, NULL")));
        output.maxErrorRate = 0.1;

        assertThat(run()).isEqualTo(ExitCode.ROWS_FAILED);

        RunManifest.Results results = lastManifest().results();
        assertThat(results.rowsByStatus()).containsEntry("ok", 8L).containsEntry("error", 2L);
        assertThat(results.errors()).singleElement().satisfies(error -> {
            assertThat(error.code()).isEqualTo("EMPTY_INPUT");
            assertThat(error.rows()).isEqualTo(2);
            assertThat(error.exampleMessage()).isEqualTo("the prompt has no characters");
        });
        assertThat(said.toString(StandardCharsets.UTF_8)).contains("EMPTY_INPUT: 2 rows");
        assertThat(spark.read().parquet(output.output).count()).isEqualTo(10);
    }

    @Test
    void readsJsonLinesCsvAndText() throws IOException {
        Path jsonl = Files.writeString(
                directory.resolve("a.jsonl"), "{\"prompt\":\"one\",\"tags\":[\"x\",null]}\n{\"prompt\":\"two\"}\n");
        Path csv = Files.writeString(directory.resolve("a.csv"), "prompt,n\nthree,3\n\"fo,ur\",4\n");
        Path tsv = Files.writeString(directory.resolve("a.tsv"), "prompt\tn\nfive\t5\n");
        for (Path file : List.of(jsonl, csv, tsv)) {
            output.output = directory.resolve("out-" + file.getFileName()).toString();
            input.input = List.of(file.toString());
            assertThat(run()).isEqualTo(ExitCode.OK);
            assertThat(run()).isEqualTo(ExitCode.OK);
        }
        assertThat(texts("out-a.jsonl")).containsExactlyInAnyOrder("ONE!", "TWO!");
        assertThat(texts("out-a.csv")).containsExactlyInAnyOrder("THREE!", "FO,UR!");
        assertThat(texts("out-a.tsv")).containsExactlyInAnyOrder("FIVE!");

        Path text = Files.writeString(directory.resolve("a.txt"), "line one\nline two\n");
        input.input = List.of(text.toString());
        assertThat(Input.open(spark, input).schema().fieldNames()).containsExactly("text");
        input.textRow = InputOptions.TextRow.FILE;
        assertThat(Input.open(spark, input)
                        .selected(dev.paloverde.pipelines.CarriedColumns.of(
                                Input.open(spark, input).schema(), List.of()))
                        .as(Encoders.STRING())
                        .collectAsList())
                .containsExactly("line one\nline two\n");
    }

    /** As long as Spark's reader can make rows of it, a line that is none in its format is a row, and is counted. */
    @Test
    void countsRowsThatAreMalformed() throws IOException {
        Path jsonl = Files.writeString(
                directory.resolve("a.jsonl"),
                "{\"prompt\":\"one\",\"n\":1}\n{\"prompt\":\"cut sho\nnothing like it\n{\"prompt\":\"two\",\"n\":2}\n");
        input.input = List.of(jsonl.toString());
        assertThat(run()).isEqualTo(ExitCode.OK);
        assertThat(lastManifest().input().rowsRead()).isEqualTo(4);
        assertThat(lastManifest().input().rowsMalformed()).isEqualTo(2);
        assertThat(lastManifest().results().rowsByStatus())
                .containsEntry("ok", 2L)
                .containsEntry("error", 2L);
        assertThat(said.toString(StandardCharsets.UTF_8)).contains("2 of those rows are malformed");
        assertThat(spark.read().parquet(output.output).columns()).contains("_corrupt_record");

        // a schema that says nothing of malformed rows, and a value that is not of its type
        output.output = directory.resolve("typed").toString();
        input.schema = "prompt STRING, n INT";
        Files.writeString(jsonl, "{\"prompt\":\"one\",\"n\":1}\n{\"prompt\":\"two\",\"n\":\"many\"}\n[\n");
        assertThat(run()).isEqualTo(ExitCode.OK);
        assertThat(lastManifest().input().rowsMalformed()).isEqualTo(2);
        assertThat(spark.read().parquet(output.output).columns()).doesNotContain("_corrupt_record");

        output.output = directory.resolve("csv").toString();
        input.schema = null;
        Path csv =
                Files.writeString(directory.resolve("a.csv"), "prompt,n\nthree,3\nfour\nfive,5,and more\n\"six\",6\n");
        input.input = List.of(csv.toString());
        assertThat(run()).isEqualTo(ExitCode.OK);
        assertThat(lastManifest().input().rowsRead()).isEqualTo(4);
        assertThat(lastManifest().input().rowsMalformed()).isEqualTo(2);
        assertThat(texts("csv")).containsExactlyInAnyOrder("THREE!", "FOUR!", "FIVE!", "SIX!");
        assertThat(run()).isEqualTo(ExitCode.OK);
        assertThat(lastManifest().plan().rowsDoneBefore()).isEqualTo(4);
    }

    private List<String> texts(String output) {
        return spark.read()
                .parquet(directory.resolve(output).toString())
                .select("text")
                .as(Encoders.STRING())
                .collectAsList();
    }

    @Test
    void takesTheSameRowsOfAnyOrder() throws IOException {
        writeInput(rows(50));
        input.limit = 7;
        input.where = "id % 2 = 0";
        run();
        List<String> first = written();
        writeInput(rows(50).repartition(5).orderBy(functions.desc("id")));

        run();

        assertThat(written()).hasSize(7).isEqualTo(first);
        assertThat(spark.read().parquet(output.output).where("id % 2 = 1").count())
                .isZero();
        input.limit = null;
        input.sample = 0.5;
        output.output = directory.resolve("sampled").toString();
        run();
        run();
        assertThat(written().size()).isBetween(5, 20);
    }

    @Test
    void carriesColumnsWhoseNamesAreTakenUnderOthers() throws IOException {
        writeInput(rows(5).withColumn("Status", functions.lit("draft")).withColumn("input_status", functions.lit(1)));

        run();
        run();

        Dataset<Row> written = spark.read().parquet(output.output);
        assertThat(written.columns())
                .startsWith("id", "prompt", "input_input_Status", "input_status")
                .contains("status");
        assertThat(written.count()).isEqualTo(5);
        assertThat(lastManifest().input().renamedColumns()).containsEntry("Status", "input_input_Status");
    }

    @Test
    void aDryRunWritesNothing() {
        writeInput(rows(12));
        output.dryRun = true;

        assertThat(run()).isEqualTo(ExitCode.OK);

        assertThat(Path.of(output.output)).doesNotExist();
        assertThat(said.toString(StandardCharsets.UTF_8)).contains("12 rows (0 done before)");
    }

    @Test
    void namesWhatIsWrongWithTheInput() {
        input.input = List.of(directory.resolve("nowhere").toString());
        assertThatThrownBy(this::run)
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INPUT_UNREADABLE))
                .hasMessageContaining("nowhere");
        writeInput(rows(3));
        input.where = "colour = 'red'";
        assertThatThrownBy(this::run)
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_OPTION))
                .hasMessageContaining("id bigint, prompt string");
    }
}
