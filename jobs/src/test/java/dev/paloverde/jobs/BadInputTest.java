package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Commands with input that no one would wish to have: what fails, with which words, and that nothing else does. */
class BadInputTest {
    private static final Path DRAFT = Path.of("../data/models/sample-draft");
    private static final StructType PROMPTS = new StructType().add("id", "int").add("prompt", "string");
    private static final ObjectMapper JSON = new ObjectMapper();

    private final SparkSession spark = LocalSpark.session();

    @TempDir
    Path directory;

    private Path input() {
        return directory.resolve("in");
    }

    private Path output() {
        return directory.resolve("out");
    }

    /** Generates; an option given here takes the place of the usual one. */
    private JobRuns.Ended generate(String... options) {
        Map<String, String> all = new LinkedHashMap<>();
        all.put("--input", input().toString());
        all.put("--output", output().toString());
        all.put("--model", "embedded:sample-draft");
        all.put("--max-tokens", "4");
        all.put("--units", "2");
        for (String option : options) {
            int equals = option.indexOf('=');
            all.put(option.substring(0, equals), option.substring(equals + 1));
        }
        return JobRuns.run(Stream.concat(
                        Stream.of("generate"),
                        all.entrySet().stream().map(each -> each.getKey() + "=" + each.getValue()))
                .toArray(String[]::new));
    }

    private void writePrompts(String... prompts) {
        List<Row> rows = new ArrayList<>();
        for (String prompt : prompts) {
            rows.add(RowFactory.create(rows.size(), prompt));
        }
        spark.createDataFrame(rows, PROMPTS).repartition(2).write().parquet(input().toString());
    }

    private List<Row> written(String... columns) {
        Dataset<Row> all = spark.read().parquet(output().toString());
        return all.selectExpr(columns).orderBy(columns[0]).collectAsList();
    }

    private static final String LONG = "A roadrunner ran. ".repeat(600);

    private static String huge() {
        return "The little owl sat still. ".repeat(10 * 1024 * 1024 / 26 + 1);
    }

    @Test
    void rowsFailAlone() throws IOException {
        writePrompts("Maple was", "", null, huge(), LONG, "Clover was");

        JobRuns.Ended ended = generate();

        assertThat(ended.status()).as(ended.said()).isZero();
        assertThat(written("id", "status", "error_code", "text IS NOT NULL"))
                .extracting(Row::toString)
                .containsExactly(
                        "[0,ok,null,true]",
                        "[1,error,EMPTY_INPUT,false]",
                        "[2,error,NULL_INPUT,false]",
                        "[3,error,INPUT_TOO_LONG,false]",
                        "[4,error,INPUT_TOO_LONG,false]",
                        "[5,ok,null,true]");
        assertThat(written("id", "error_message").get(4).getString(1))
                .contains("1,023")
                .contains("on-too-long");
        assertThat(ended.said()).contains("INPUT_TOO_LONG: 2 rows", "EMPTY_INPUT: 1 rows", "NULL_INPUT: 1 rows");
        assertThat(JobRuns.manifests(output()).get(0).results().rowsByStatus())
                .containsEntry("ok", 2L)
                .containsEntry("error", 4L);
    }

    @Test
    void longRowsAreCutWhereThatIsAskedForAndSaySo() {
        writePrompts("Maple was", LONG);

        JobRuns.Ended ended = generate("--on-too-long=truncate");

        assertThat(ended.status()).as(ended.said()).isZero();
        assertThat(written("id", "status", "prompt_tokens < 1024"))
                .extracting(Row::toString)
                .containsExactly("[0,ok,true]", "[1,truncated,true]");
    }

    @Test
    void bytesThatAreNotUtf8FailTheirLineOnly() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.write("Maple was\n".getBytes(StandardCharsets.UTF_8));
        bytes.write(new byte[] {'a', (byte) 0xff, (byte) 0xc3, 'b', '\n'});
        bytes.write("Clover w\u00e4s\n".getBytes(StandardCharsets.UTF_8));
        Path text = Files.write(directory.resolve("in.txt"), bytes.toByteArray());

        JobRuns.Ended ended = generate("--input=" + text);

        assertThat(ended.status()).as(ended.said()).isZero();
        assertThat(written("status", "error_code"))
                .extracting(Row::toString)
                .containsExactly("[error,INVALID_UTF8]", "[ok,null]", "[ok,null]");
        assertThat(written("status", "error_message").get(0).getString(1)).contains("on-invalid-utf8");

        JobRuns.Ended replacing =
                generate("--input=" + text, "--output=" + directory.resolve("replaced"), "--on-invalid-utf8=replace");
        assertThat(replacing.status()).as(replacing.said()).isZero();
        assertThat(spark.read()
                        .parquet(directory.resolve("replaced").toString())
                        .where("status = 'ok'")
                        .count())
                .isEqualTo(3);
    }

    @Test
    void inputThatIsNotThere() {
        JobRuns.Ended ended = generate();
        assertThat(ended.status()).isEqualTo(ExitCode.INPUT.status());
        assertThat(ended.said()).contains("INPUT_UNREADABLE", input().toString());
    }

    @Test
    void corruptFilesAreNamedAndTheOthersDone() throws IOException {
        writePrompts("Maple was", "Clover was", "Sage was", "Kit was");
        Path whole;
        try (Stream<Path> files = Files.list(input())) {
            whole = files.filter(file -> file.toString().endsWith(".parquet"))
                    .findFirst()
                    .orElseThrow();
        }
        byte[] half = java.util.Arrays.copyOf(Files.readAllBytes(whole), (int) (Files.size(whole) / 2));
        Path corrupt = Files.write(input().resolve("part-cut.parquet"), half);

        JobRuns.Ended ended = generate();

        assertThat(ended.status()).isEqualTo(ExitCode.INPUT_INCOMPLETE.status());
        assertThat(ended.said()).contains(corrupt.getFileName().toString());
        assertThat(written("id", "status"))
                .extracting(Row::toString)
                .containsExactly("[0,ok]", "[1,ok]", "[2,ok]", "[3,ok]");
    }

    // Models

    private Path model() throws IOException {
        Path model = Files.createDirectory(directory.resolve("model"));
        try (Stream<Path> files = Files.list(DRAFT)) {
            for (Path file : files.toList()) {
                Files.copy(file, model.resolve(file.getFileName()));
            }
        }
        return model;
    }

    private void assertModelRefused(Path model, String... words) {
        writePrompts("Maple was");
        JobRuns.Ended ended = generate("--model=" + model);
        assertThat(ended.status()).as(ended.said()).isEqualTo(ExitCode.MODEL.status());
        assertThat(ended.said()).contains(words).doesNotContain("\tat ");
        assertThat(JobRuns.units(output())).isEmpty();
    }

    @Test
    void modelWhoseWeightsAreCutShort() throws IOException {
        Path model = model();
        Path weights = model.resolve("model.safetensors");
        byte[] all = Files.readAllBytes(weights);
        Files.write(weights, java.util.Arrays.copyOf(all, all.length - 1000));
        assertModelRefused(model, "MODEL_CORRUPT", weights.toString());
    }

    @Test
    void modelThatLacksATensor() throws IOException {
        Path model = model();
        Path weights = model.resolve("model.safetensors");
        ByteBuffer all = ByteBuffer.wrap(Files.readAllBytes(weights)).order(ByteOrder.LITTLE_ENDIAN);
        int length = (int) all.getLong(0);
        ObjectNode header = (ObjectNode) JSON.readTree(all.array(), 8, length);
        String norm = "model.norm.weight";
        header.set("model.other.weight", header.remove(norm));
        byte[] changed = JSON.writeValueAsBytes(header);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(changed.length)
                .array());
        out.write(changed);
        out.write(all.array(), 8 + length, all.capacity() - 8 - length);
        Files.write(weights, out.toByteArray());
        assertModelRefused(model, "TENSOR_MISSING", norm, model.toString());

        JobRuns.Ended mended = generate("--model=" + DRAFT);
        assertThat(mended.status()).as(mended.said()).isZero();
        assertThat(written("id", "status")).extracting(Row::toString).containsExactly("[0,ok]");
    }

    @Test
    void modelOfAnUnknownArchitecture() throws IOException {
        Path model = model();
        change(model.resolve("config.json"), config -> {
            ((ArrayNode) config.get("architectures")).removeAll().add("MambaForCausalLM");
            config.put("model_type", "mamba");
        });
        assertModelRefused(model, "UNSUPPORTED_MODEL", "MambaForCausalLM", "LlamaForCausalLM");
    }

    @Test
    void modelWithTheTokenizerOfAnother() throws IOException {
        Path model = model();
        change(model.resolve("tokenizer.json"), tokenizer -> {
            ArrayNode added = (ArrayNode) tokenizer.get("added_tokens");
            ObjectNode token = added.get(0).deepCopy();
            added.add(token.put("id", 5000).put("content", "<|another|>"));
        });
        assertModelRefused(model, "TOKENIZER_MISMATCH", "2,048");
    }

    @Test
    void modelThatIsNotThere() {
        assertModelRefused(directory.resolve("no-model"), "MODEL_NOT_FOUND", "no-model");
    }

    private static void change(Path file, java.util.function.Consumer<ObjectNode> change) throws IOException {
        JsonNode tree = JSON.readTree(Files.readString(file));
        change.accept((ObjectNode) tree);
        Files.writeString(file, JSON.writeValueAsString(tree));
    }

    // Outputs

    @Test
    void outputThatHoldsSomethingElse() throws IOException {
        writePrompts("Maple was");
        Files.writeString(Files.createDirectory(output()).resolve("thesis.parquet"), "years of work");

        JobRuns.Ended ended = generate("--on-existing=overwrite");

        assertThat(ended.status()).isEqualTo(ExitCode.OUTPUT.status());
        assertThat(ended.said()).contains("OUTPUT_EXISTS", "thesis.parquet", "another --output");
        assertThat(output().resolve("thesis.parquet")).hasContent("years of work");
    }

    @Test
    void outputThatCannotBeWritten() throws IOException {
        writePrompts("Maple was");
        Path file = Files.writeString(directory.resolve("file"), "in the way");
        for (String place : List.of("/proc/paloverde", file.resolve("below").toString(), "nowhere://host/out")) {
            JobRuns.Ended ended = generate("--output=" + place);
            assertThat(ended.status()).as(place + ": " + ended.said()).isEqualTo(ExitCode.OUTPUT.status());
            assertThat(ended.said()).contains("OUTPUT_UNWRITABLE", place).doesNotContain("\tat ");
        }
        assertThat(file).hasContent("in the way");
    }
}
