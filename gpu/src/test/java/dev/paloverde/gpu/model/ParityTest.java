package dev.paloverde.gpu.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.gpu.kernels.Devices;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.kernels.KvCache;
import dev.paloverde.gpu.kernels.StepBatch;
import dev.paloverde.gpu.kernels.Tensor;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The model code against Hugging Face transformers, on checkpoints of random weights that
 * {@code src/test/recipes/parity.py} made: every family, every feature, every type of weights.
 */
class ParityTest {
    private static final int PAGE_TOKENS = 16;

    /** What the largest logit of a position may be off by, relative to itself. */
    private static final double TOLERANCE = 1e-4;

    static Stream<Path> cases() throws IOException, URISyntaxException {
        Path parity = Path.of(ParityTest.class.getResource("/parity").toURI());
        try (Stream<Path> folders = Files.list(parity)) {
            return folders.filter(Files::isDirectory).sorted().toList().stream();
        }
    }

    @Test
    void everyCaseIsThere() throws Exception {
        assertThat(cases().map(path -> path.getFileName().toString()))
                .contains(
                        "llama",
                        "llama-bf16",
                        "llama-biases",
                        "llama-fp16",
                        "llama-rope-scaling",
                        "llama-sharded",
                        "mistral-head-dim",
                        "mistral-sliding-window",
                        "qwen2",
                        "qwen2-sliding-window",
                        "qwen3");
    }

    @ParameterizedTest
    @MethodSource("cases")
    void logitsAgree(Path folder) throws IOException {
        JsonNode expected = expected(folder);
        try (Run run = new Run(folder)) {
            for (JsonNode prompt : expected.path("prompts")) {
                int[] tokens = integers(prompt.path("tokens"));
                int[] positions = integers(prompt.path("positions"));
                FloatBuffer logits = floats(prompt.path("logits").textValue());
                assertThat(logits.remaining()).isEqualTo(positions.length * run.model.vocabulary());
                List<float[]> ours = run.logits(tokens, tokens.length);
                for (int position : positions) {
                    float[] theirs = new float[run.model.vocabulary()];
                    logits.get(theirs);
                    assertClose(
                            ours.get(position), theirs, "%d tokens, position %d".formatted(tokens.length, position));
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void greedyTokensAreEqual(Path folder) throws IOException {
        JsonNode expected = expected(folder);
        try (Run run = new Run(folder)) {
            for (JsonNode prompt : expected.path("prompts")) {
                int[] tokens = integers(prompt.path("tokens"));
                int[] greedy = integers(prompt.path("greedy"));
                assertThat(greedy).isNotEmpty();
                assertThat(run.greedy(tokens, greedy.length))
                        .as("after %d tokens", tokens.length)
                        .containsExactly(greedy);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void stepsOfAnyLengthGiveTheSameBits(Path folder) throws IOException {
        JsonNode prompts = expected(folder).path("prompts");
        int[] tokens = integers(prompts.get(prompts.size() - 1).path("tokens"));
        try (Run run = new Run(folder)) {
            List<float[]> atOnce = run.logits(tokens, tokens.length);
            for (int step : new int[] {1, 5, 16, 33}) {
                List<float[]> cut = run.logits(tokens, step);
                for (int position = 0; position < tokens.length; position++) {
                    assertThat(cut.get(position))
                            .as("steps of %d, position %d", step, position)
                            .containsExactly(atOnce.get(position));
                }
            }
        }
    }

    private static void assertClose(float[] ours, float[] theirs, String where) {
        double difference = 0;
        double largest = 0;
        for (int token = 0; token < theirs.length; token++) {
            difference = Math.max(difference, Math.abs((double) ours[token] - theirs[token]));
            largest = Math.max(largest, Math.abs(theirs[token]));
        }
        assertThat(difference / largest).as(where).isCloseTo(0, within(TOLERANCE));
    }

    private static JsonNode expected(Path folder) throws IOException {
        return new ObjectMapper().readTree(folder.resolve("expected.json").toFile());
    }

    private static int[] integers(JsonNode list) {
        return StreamSupport.stream(list.spliterator(), false)
                .mapToInt(JsonNode::intValue)
                .toArray();
    }

    private static FloatBuffer floats(String base64) {
        return ByteBuffer.wrap(Base64.getDecoder().decode(base64))
                .order(ByteOrder.LITTLE_ENDIAN)
                .asFloatBuffer();
    }

    /** A model on the CPU with room for one sequence. */
    private static final class Run implements AutoCloseable {
        private static final int POSITIONS = 128;

        private final Kernels kernels = Devices.open("cpu", 2);
        private final LanguageModel model;
        private final KvCache cache;
        private final int[] pages = IntStream.range(0, POSITIONS / PAGE_TOKENS)
                .map(page -> POSITIONS / PAGE_TOKENS - 1 - page)
                .toArray();

        Run(Path folder) {
            try (ModelDirectory directory = ModelDirectory.open(folder)) {
                model = directory.load(kernels);
            }
            cache = kernels.cache(model.kvLayout(PAGE_TOKENS), pages.length);
            model.reserve(POSITIONS);
        }

        /** Logits of all positions, the sequence given in steps of so many tokens. */
        List<float[]> logits(int[] tokens, int step) {
            List<float[]> rows = new ArrayList<>();
            for (int first = 0; first < tokens.length; first += step) {
                rows.addAll(step(Arrays.copyOfRange(tokens, first, Math.min(first + step, tokens.length)), first));
            }
            return rows;
        }

        int[] greedy(int[] prompt, int count) {
            List<float[]> rows = step(prompt, 0);
            int[] chosen = new int[count];
            for (int i = 0; i < count; i++) {
                float[] last = rows.get(rows.size() - 1);
                chosen[i] = IntStream.range(0, last.length)
                        .reduce((best, token) -> last[token] > last[best] ? token : best)
                        .orElseThrow();
                rows = step(new int[] {chosen[i]}, prompt.length + i);
            }
            return chosen;
        }

        private List<float[]> step(int[] tokens, int first) {
            int[] positions = IntStream.range(first, first + tokens.length).toArray();
            Tensor hidden = model.forward(
                    new StepBatch(tokens, positions, new int[] {0, tokens.length}, new int[][] {pages}), cache);
            float[] logits = new float[tokens.length * model.vocabulary()];
            kernels.logits(hidden, model.head(), logits);
            return IntStream.range(0, tokens.length)
                    .mapToObj(
                            row -> Arrays.copyOfRange(logits, row * model.vocabulary(), (row + 1) * model.vocabulary()))
                    .toList();
        }

        @Override
        public void close() {
            cache.close();
            model.close();
            kernels.close();
        }
    }
}
