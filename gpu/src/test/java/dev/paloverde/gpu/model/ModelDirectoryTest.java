package dev.paloverde.gpu.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Devices;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.kernels.KvCache;
import dev.paloverde.gpu.kernels.StepBatch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelDirectoryTest {
    @TempDir
    Path directory;

    @Test
    void opensAndRuns() {
        new TestModel().write(directory);
        try (ModelDirectory model = ModelDirectory.open(directory);
                Kernels kernels = Devices.open("cpu", 1);
                LanguageModel loaded = model.load(kernels);
                KvCache cache = kernels.cache(loaded.kvLayout(16), 1)) {
            assertThat(model.configuration().family()).isEqualTo(ModelFamily.LLAMA);
            assertThat(model.tokenizer()).isSameAs(model.tokenizer());
            assertThat(model.chatTemplate()).isEmpty();
            assertThat(model.generationDefaults().begin()).hasValue(256);
            assertThat(model.generationDefaults().ends()).containsExactly(257);
            loaded.reserve(2);
            int[] tokens = model.tokenizer().encode("ab");
            float[] logits = new float[2 * loaded.vocabulary()];
            kernels.logits(
                    loaded.forward(new StepBatch(tokens, new int[] {0, 1}, new int[] {0, 2}, new int[][] {{0}}), cache),
                    loaded.head(),
                    logits);
            assertThat(logits).hasSize(520).doesNotContain(Float.NaN);
            assertThatThrownBy(() -> loaded.forward(
                            new StepBatch(new int[3], new int[] {0, 1, 2}, new int[] {0, 3}, new int[][] {{0}}), cache))
                    .hasMessageContaining("3 rows");
        }
    }

    @Test
    void runsTheSameFromShards() {
        TestModel model = new TestModel().write(directory);
        float[] whole = logits();
        shard(model);
        assertThat(logits()).isEqualTo(whole);
    }

    @Test
    void saysWhatIsMissing() throws IOException {
        assertFails(
                ErrorCode.MODEL_NOT_FOUND, "no model directory", () -> ModelDirectory.open(directory.resolve("none")));
        assertFails(ErrorCode.MODEL_NOT_FOUND, "config.json", () -> ModelDirectory.open(directory));
        new TestModel().write(directory);
        Files.delete(directory.resolve("tokenizer.json"));
        try (ModelDirectory model = ModelDirectory.open(directory)) {
            assertFails(ErrorCode.MODEL_NOT_FOUND, "tokenizer.json", model::tokenizer);
        }
        Files.delete(directory.resolve("model.safetensors"));
        assertFails(ErrorCode.MODEL_NOT_FOUND, "save_pretrained", () -> ModelDirectory.open(directory));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../secret.safetensors",
                "/etc/passwd",
                "/etc/x.safetensors",
                "a/b.safetensors",
                "a\\b.safetensors",
                "..safetensors",
                ".safetensors",
                "",
                "weights.bin",
                "a b.safetensors",
                "c:x.safetensors"
            })
    void readsNoFileOutsideTheDirectory(String name) throws IOException {
        TestModel model = new TestModel().write(directory);
        shard(model);
        Path index = directory.resolve("model.safetensors.index.json");
        ObjectNode tree = (ObjectNode) TestTokenizer.JSON.readTree(index.toFile());
        tree.withObject("weight_map").put("lm_head.weight", name);
        TestTokenizer.write(index, tree);
        assertFails(ErrorCode.MODEL_CORRUPT, "lm_head.weight", () -> ModelDirectory.open(directory));
    }

    @Test
    void refusesAnIndexThatLies() throws IOException {
        TestModel model = new TestModel().write(directory);
        shard(model);
        Path index = directory.resolve("model.safetensors.index.json");
        ObjectNode tree = (ObjectNode) TestTokenizer.JSON.readTree(index.toFile());
        tree.withObject("weight_map").put("lm_head.weight", "model-1.safetensors");
        TestTokenizer.write(index, tree);
        assertFails(ErrorCode.MODEL_CORRUPT, "'lm_head.weight' is in model-1.safetensors", this::logits);
        Files.delete(directory.resolve("model-2.safetensors"));
        assertFails(ErrorCode.MODEL_NOT_FOUND, "model-2.safetensors", () -> ModelDirectory.open(directory));
        tree.putNull("weight_map");
        TestTokenizer.write(index, tree);
        assertFails(ErrorCode.MODEL_CORRUPT, "weight_map", () -> ModelDirectory.open(directory));
    }

    @Test
    void followsSymbolicLinks() throws IOException {
        Path store = Files.createDirectory(directory.resolve("store"));
        new TestModel().write(store);
        Path linked = Files.createDirectory(directory.resolve("linked"));
        try (Stream<Path> files = Files.list(store)) {
            for (Path file : files.toList()) {
                Files.createSymbolicLink(linked.resolve(file.getFileName()), file);
            }
        }
        try (ModelDirectory one = ModelDirectory.open(store);
                ModelDirectory other = ModelDirectory.open(linked)) {
            assertThat(other.fingerprint()).isEqualTo(one.fingerprint());
        }
    }

    @Test
    void saysWhichTensorIsMissingOrMisshapen() {
        TestModel missing = new TestModel();
        missing.weights.removeIf(weight -> weight.name().equals("model.norm.weight"));
        missing.write(directory);
        assertFails(ErrorCode.TENSOR_MISSING, "'model.norm.weight'", this::logits);
        TestModel headless = new TestModel();
        headless.weights.removeIf(weight -> weight.name().equals("lm_head.weight"));
        headless.write(directory);
        assertFails(ErrorCode.TENSOR_MISSING, "'lm_head.weight'", this::logits);
        headless.configuration.put("tie_word_embeddings", true);
        headless.write(directory);
        assertThat(logits()).doesNotContain(Float.NaN);
        TestModel misshapen = new TestModel();
        misshapen.configuration.put("intermediate_size", 25);
        misshapen.write(directory);
        assertFails(ErrorCode.TENSOR_MISSING, "24 by 16; config.json makes it 25 by 16", this::logits);
    }

    @Test
    void refusesWeightsThatAreNoNumbers() {
        for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
            TestModel model = new TestModel();
            model.weight("model.layers.0.mlp.down_proj.weight").values()[2 * TestModel.INTERMEDIATE + 5] = bad;
            model.write(directory);
            assertFails(
                    ErrorCode.MODEL_CORRUPT,
                    "down_proj.weight' has a number that is infinite or not a number at row 2, column 5",
                    this::logits);
        }
    }

    @Test
    void refusesATokenizerOfAnotherModel() {
        TestModel model = new TestModel();
        model.configuration.put("vocab_size", 258);
        model.write(directory);
        try (ModelDirectory opened = ModelDirectory.open(directory)) {
            assertFails(
                    ErrorCode.TOKENIZER_MISMATCH,
                    "ids up to 258, and the model's embedding has 258 rows",
                    opened::tokenizer);
        }
    }

    @Test
    void fingerprintsNamesAndContentsAndNothingElse() throws IOException {
        new TestModel().write(directory);
        String before = fingerprint(directory);
        assertThat(before).matches("[0-9a-f]{64}");
        Files.writeString(directory.resolve("README.md"), "unrelated");
        Path copy = Files.createDirectory(directory.resolve("copy"));
        new TestModel().write(copy);
        Files.setLastModifiedTime(copy.resolve("config.json"), FileTime.fromMillis(0));
        assertThat(fingerprint(directory)).isEqualTo(before);
        assertThat(fingerprint(copy)).isEqualTo(before);

        TestModel changed = new TestModel();
        changed.weight("lm_head.weight").values()[0] += 1;
        changed.write(copy);
        assertThat(fingerprint(copy)).isNotEqualTo(before);

        for (String name : List.of(
                "generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")) {
            new TestModel().write(copy);
            Files.writeString(copy.resolve(name), "{}");
            assertThat(fingerprint(copy)).as(name).isNotEqualTo(before);
            Files.delete(copy.resolve(name));
        }
        Files.writeString(copy.resolve("tokenizer.json"), Files.readString(copy.resolve("tokenizer.json")) + "\n");
        assertThat(fingerprint(copy)).isNotEqualTo(before);
    }

    @Test
    void readsGenerationDefaults() throws IOException {
        new TestModel().write(directory);
        Files.writeString(
                directory.resolve("generation_config.json"),
                "{\"eos_token_id\": [257, 0, 257, 99999], \"pad_token_id\": -1, \"do_sample\": true, \"temperature\": 0.6,"
                        + " \"top_p\": 0.9, \"repetition_penalty\": 1.1}");
        try (ModelDirectory model = ModelDirectory.open(directory)) {
            GenerationDefaults defaults = model.generationDefaults();
            assertThat(defaults.begin()).hasValue(256);
            assertThat(defaults.ends()).containsExactly(257, 0);
            assertThat(defaults.padding()).isEmpty();
            assertThat(defaults.temperature()).isEqualTo(0.6f);
            assertThat(defaults.topK()).isEqualTo(50);
            assertThat(defaults.topP()).isEqualTo(0.9f);
            assertThat(defaults.minP()).isZero();
            assertThat(defaults.repetitionPenalty()).isEqualTo(1.1f);
        }
        Files.writeString(directory.resolve("generation_config.json"), "{\"temperature\": 0.6}");
        try (ModelDirectory model = ModelDirectory.open(directory)) {
            assertThat(model.generationDefaults().temperature()).isZero();
        }
        for (String bad : List.of(
                "[]",
                "{\"eos_token_id\": \"x\"}",
                "{\"do_sample\": true, \"top_p\": 2}",
                "{\"a\":1,\"a\":2}",
                "{} {}")) {
            Files.writeString(directory.resolve("generation_config.json"), bad);
            assertFails(ErrorCode.MODEL_CORRUPT, "generation_config.json", () -> ModelDirectory.open(directory));
        }
    }

    private float[] logits() {
        try (ModelDirectory model = ModelDirectory.open(directory);
                Kernels kernels = Devices.open("cpu", 1);
                LanguageModel loaded = model.load(kernels);
                KvCache cache = kernels.cache(loaded.kvLayout(16), 1)) {
            loaded.reserve(1);
            float[] logits = new float[loaded.vocabulary()];
            kernels.logits(
                    loaded.forward(
                            new StepBatch(new int[] {7}, new int[1], new int[] {0, 1}, new int[][] {{0}}), cache),
                    loaded.head(),
                    logits);
            return logits;
        }
    }

    private void shard(TestModel model) {
        int half = model.weights.size() / 2;
        ObjectNode index = TestTokenizer.JSON.createObjectNode();
        ObjectNode map = index.putObject("weight_map");
        List<TestModel.Weight> first = model.weights.subList(0, half);
        List<TestModel.Weight> second = model.weights.subList(half, model.weights.size());
        first.forEach(weight -> map.put(weight.name(), "model-1.safetensors"));
        second.forEach(weight -> map.put(weight.name(), "model-2.safetensors"));
        TestModel.file(first).write(directory.resolve("model-1.safetensors"));
        TestModel.file(second).write(directory.resolve("model-2.safetensors"));
        TestTokenizer.write(directory.resolve("model.safetensors.index.json"), index);
        try {
            Files.delete(directory.resolve("model.safetensors"));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String fingerprint(Path directory) {
        try (ModelDirectory model = ModelDirectory.open(directory)) {
            assertThat(model.fingerprint()).isSameAs(model.fingerprint());
            return model.fingerprint();
        }
    }

    private static void assertFails(
            ErrorCode code, String message, org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        PaloverdeException.class,
                        e -> assertThat(e.code()).as(e.getMessage()).isEqualTo(code))
                .hasMessageContaining(message);
    }
}
