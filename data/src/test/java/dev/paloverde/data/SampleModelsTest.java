package dev.paloverde.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.data.text.Document;
import dev.paloverde.gpu.decode.EngineOptions;
import dev.paloverde.gpu.decode.EngineSpec;
import dev.paloverde.gpu.decode.Engines;
import dev.paloverde.gpu.decode.FinishReason;
import dev.paloverde.gpu.decode.Generation;
import dev.paloverde.gpu.decode.GenerationRequest;
import dev.paloverde.gpu.decode.RowKey;
import dev.paloverde.gpu.decode.Sampling;
import dev.paloverde.gpu.decode.ScoringRequest;
import dev.paloverde.gpu.decode.SharedEngine;
import dev.paloverde.gpu.kernels.Quantization;
import dev.paloverde.gpu.model.ChatMessage;
import dev.paloverde.gpu.model.ModelDirectory;
import dev.paloverde.gpu.model.Tokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class SampleModelsTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Path MODELS = Path.of("models");
    private static final Pattern CHAT = Pattern.compile("<\\|begin\\|><\\|user\\|>(.*)<\\|assistant\\|>");
    private static final long SIZE_LIMIT = 8_000_000;

    @ParameterizedTest
    @ValueSource(strings = {"sample-target", "sample-draft"})
    void theIndexOfAModelIsTrue(String name) throws IOException {
        Path folder = MODELS.resolve(name);
        ContentIndex stored = ContentIndex.parse(Files.readString(folder.resolve(ContentIndex.FILE_NAME)));
        assertThat(stored).isEqualTo(ContentIndex.of(folder));
        assertThat(stored.entries())
                .extracting(ContentIndex.Entry::path)
                .contains(
                        "config.json",
                        "generation_config.json",
                        "model.safetensors",
                        "tokenizer.json",
                        "tokenizer_config.json",
                        "training.jsonl");
    }

    @ParameterizedTest
    @ValueSource(strings = {"models/sample-target", "models/sample-draft", "corpus"})
    void theClassPathHasEveryIndexedFile(String name) throws IOException {
        String root = "/dev/paloverde/" + name + "/";
        String index = new String(resource(root + ContentIndex.FILE_NAME), StandardCharsets.UTF_8);
        assertThat(ContentIndex.parse(index)).isEqualTo(ContentIndex.of(Path.of(name)));
        for (ContentIndex.Entry entry : ContentIndex.parse(index).entries()) {
            assertThat(resource(root + entry.path())).as(entry.path()).hasSize((int) entry.bytes());
        }
    }

    @Test
    void theModelsAreSmallAndShareOneTokenizer() throws IOException {
        long bytes = 0;
        for (String name : List.of("sample-target", "sample-draft")) {
            for (ContentIndex.Entry entry :
                    ContentIndex.of(MODELS.resolve(name)).entries()) {
                bytes += entry.bytes();
            }
        }
        assertThat(bytes).isBetween(1L, SIZE_LIMIT);
        for (String file : List.of("tokenizer.json", "tokenizer_config.json", "generation_config.json")) {
            assertThat(MODELS.resolve("sample-draft").resolve(file))
                    .hasSameBinaryContentAs(MODELS.resolve("sample-target").resolve(file));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"sample-target", "sample-draft"})
    void theWeightsAreThoseOfTheSummary(String name) throws IOException {
        JsonNode summary = summary().get("models").get(name);
        byte[] safetensors = Files.readAllBytes(MODELS.resolve(name).resolve("model.safetensors"));
        long headerBytes =
                ByteBuffer.wrap(safetensors).order(ByteOrder.LITTLE_ENDIAN).getLong();
        long parameters = (safetensors.length - 8 - headerBytes) / 2;
        assertThat(parameters).isEqualTo(summary.get("parameters").asLong());
        List<String> curve = Files.readAllLines(MODELS.resolve(name).resolve("training.jsonl"));
        JsonNode first = JSON.readTree(curve.get(0));
        JsonNode last = JSON.readTree(curve.get(curve.size() - 1));
        assertThat(curve).hasSizeGreaterThan(200);
        assertThat(last.get("step")).isEqualTo(summary.get("steps"));
        assertThat(last.get("tokens")).isEqualTo(summary.get("tokens_seen"));
        assertThat(last.get("held_out_loss").asDouble())
                .isLessThan(first.get("held_out_loss").asDouble() / 10);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sample-target", "sample-draft"})
    void theTokenizerGivesBackEverySampleDocument(String name) {
        try (ModelDirectory directory = ModelDirectory.open(MODELS.resolve(name))) {
            Tokenizer tokenizer = directory.tokenizer();
            assertThat(tokenizer.vocabulary())
                    .isEqualTo(directory.configuration().vocabulary());
            assertThat(tokenizer.prefix()).containsExactly(0);
            for (Document document : new SampleCorpus(4_000, 1).sampleDocuments()) {
                int[] tokens = tokenizer.encode(document.text());
                assertThat(tokenizer.decode(tokens)).isEqualTo(document.text());
            }
        }
    }

    @Test
    void theTargetAnswersInItsTemplateAsItDidAfterTraining() throws Exception {
        try (SharedEngine shared = Engines.acquire(spec("sample-target"))) {
            for (JsonNode sample : summary().get("samples")) {
                Matcher chat = CHAT.matcher(sample.get("prompt").asText());
                if (chat.matches()) {
                    String prompt = shared.directory()
                            .chatTemplate()
                            .orElseThrow()
                            .prompt(List.of(new ChatMessage("user", chat.group(1))));
                    assertThat(prompt).isEqualTo(sample.get("prompt").asText());
                    int[] tokens = shared.tokenizer().encodeTemplate(prompt);
                    Generation answer = shared.engine()
                            .generate(new GenerationRequest(RowKey.of(prompt), tokens, Sampling.greedy(110)))
                            .get();
                    assertThat(answer.text()).isEqualTo(sample.get("greedy").asText());
                    assertThat(answer.finish()).isEqualTo(FinishReason.STOP);
                }
            }
        }
    }

    /** The same weights, another implementation: transformers on a GPU measured what the summary says. */
    @ParameterizedTest
    @ValueSource(strings = {"sample-target", "sample-draft"})
    void heldOutDocumentsCostWhatTheSummarySays(String name) throws Exception {
        JsonNode measured = summary().get("models").get(name).get("held_out");
        try (SharedEngine shared = Engines.acquire(spec(name))) {
            for (String source : List.of("questions", "dialogue")) {
                double nats = 0;
                long tokens = 0;
                for (Document document : new SampleCorpus().heldOutDocuments()) {
                    if (document.source().equals(source)) {
                        int[] ids = IntStream.concat(
                                        IntStream.of(shared.tokenizer().prefix()),
                                        IntStream.of(shared.tokenizer().encode(document.text())))
                                .toArray();
                        int context = shared.engine().context();
                        assertThat(ids.length).isLessThanOrEqualTo(context);
                        nats -= shared.engine()
                                .score(new ScoringRequest(ids, context, context - 1))
                                .get()
                                .sum();
                        tokens += ids.length - 1;
                    }
                }
                assertThat(tokens).isEqualTo(measured.get(source).get("tokens").asLong());
                assertThat(nats / tokens)
                        .isCloseTo(measured.get(source).get("nats_per_token").asDouble(), within(2e-5));
            }
        }
    }

    /** Eight bits a weight change what texts cost, and not by much. */
    @Test
    void quantizedWeightsCostLittle() throws Exception {
        double[] natsPerToken = new double[2];
        for (Quantization quantization : Quantization.values()) {
            try (SharedEngine shared = Engines.acquire(spec("sample-draft").with(quantization))) {
                int context = shared.engine().context();
                double nats = 0;
                long tokens = 0;
                for (Document document : new SampleCorpus().heldOutDocuments()) {
                    if (document.source().equals("questions")) {
                        int[] ids = shared.tokenizer().encode(document.text());
                        nats -= shared.engine()
                                .score(new ScoringRequest(ids, context, context - 1))
                                .get()
                                .sum();
                        tokens += ids.length - 1;
                    }
                }
                natsPerToken[quantization.ordinal()] = nats / tokens;
            }
        }
        assertThat(natsPerToken[Quantization.FP8.ordinal()])
                .isNotEqualTo(natsPerToken[Quantization.NONE.ordinal()])
                .isCloseTo(natsPerToken[Quantization.NONE.ordinal()], within(0.01));
    }

    private static EngineSpec spec(String name) {
        return new EngineSpec(MODELS.resolve(name), "cpu", 2, EngineOptions.defaults());
    }

    @Test
    void theReadmeTellsTheFiguresOfTheSummary() throws IOException {
        String readme = Files.readString(Path.of("README.md"));
        JsonNode summary = summary();
        assertThat(readme).contains(summary.get("device").asText());
        assertThat(readme).contains(grouped(summary.get("corpus").get("tokens")));
        assertThat(readme).contains(grouped(summary.get("model_bytes")));
        for (String name : List.of("sample-target", "sample-draft")) {
            JsonNode model = summary.get("models").get(name);
            assertThat(readme)
                    .as(name)
                    .contains(grouped(model.get("parameters")))
                    .contains(grouped(model.get("tokens_seen")))
                    .contains(fixed(model.get("held_out_nats_per_token")))
                    .contains("%.2e".formatted(model.get("training_flops").asDouble()));
        }
        JsonNode target = summary.get("models").get("sample-target").get("held_out");
        JsonNode draft = summary.get("models").get("sample-draft").get("held_out");
        JsonNode agreement = summary.get("agreement");
        for (String source : (Iterable<String>) target::fieldNames) {
            assertThat(readme)
                    .contains("| %s | %s | %s | %s | %s |"
                            .formatted(
                                    "`" + source + "`",
                                    fixed(target.get(source).get("bits_per_byte")),
                                    fixed(draft.get(source).get("bits_per_byte")),
                                    fixed(agreement.get(source).get("greedy_agreement")),
                                    fixed(agreement.get(source).get("expected_acceptance"))));
        }
    }

    private static JsonNode summary() throws IOException {
        return JSON.readTree(MODELS.resolve("training-summary.json").toFile());
    }

    private static String grouped(JsonNode number) {
        return String.format(Locale.ROOT, "%,d", number.asLong());
    }

    private static String fixed(JsonNode number) {
        return String.format(Locale.ROOT, "%.3f", number.asDouble());
    }

    private static byte[] resource(String path) throws IOException {
        try (InputStream stream = SampleModelsTest.class.getResourceAsStream(path)) {
            assertThat(stream).as("class path resource " + path).isNotNull();
            return stream.readAllBytes();
        }
    }
}
