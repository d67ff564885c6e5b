package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.paloverde.gpu.kernels.Devices;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.model.ModelDirectory;
import dev.paloverde.gpu.model.Pooling;
import dev.paloverde.gpu.model.Tokenizer;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Same row, same bits, with the CPU kernels and checkpoints of random weights of several families. */
class CheckpointTest {
    private static final int VOCABULARY = 96;

    private static BatchingEngine start(String checkpoint, int threads, EngineOptions options)
            throws URISyntaxException {
        Path path = Path.of(
                CheckpointTest.class.getResource("/parity/" + checkpoint).toURI());
        return BatchingEngine.start(
                        "test",
                        () -> {
                            Kernels kernels = Devices.open("cpu", threads);
                            ModelDirectory directory = ModelDirectory.open(path);
                            int[] ends = directory.generationDefaults().ends().stream()
                                    .mapToInt(Integer::intValue)
                                    .toArray();
                            return new LoadedModel(kernels, directory.load(kernels), new NumberTokenizer(), ends);
                        },
                        options)
                .join();
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama-bf16", "mistral-sliding-window", "qwen3"})
    void limitsChangeNoBit(String checkpoint) throws Exception {
        List<Object> requests = requests(new Random(5));
        List<String> alone = run(checkpoint, 1, new EngineOptions(1, 512, 16, 64 << 20, 1 << 20), requests, false);
        assertThat(alone).doesNotHaveDuplicates();
        for (EngineOptions options : List.of(
                new EngineOptions(4, 1, 16, 64 << 20, 1 << 20),
                new EngineOptions(4, 3, 16, 64 << 20, 1 << 20),
                new EngineOptions(64, 512, 16, 64 << 20, 1 << 20),
                new EngineOptions(64, 16, 5, 64 << 20, 1 << 20),
                // room for little more than one of them
                new EngineOptions(64, 48, 4, 64 << 10, 1 << 20))) {
            assertThat(run(checkpoint, 2, options, requests, true))
                    .as("%s", options)
                    .isEqualTo(alone);
        }
    }

    @Test
    void scoresOfGeneratedTokensAddUpToWhatTheGenerationSays() throws Exception {
        int[] prompt = {1, 20, 30, 40};
        try (Engine engine = start("llama", 1, EngineOptions.defaults())) {
            Generation generation = engine.generate(new GenerationRequest(
                            RowKey.of("x"), prompt, new Sampling(24, 1, 0, 1, 0, 1, List.of(), true, 9)))
                    .join();
            Choices choices = engine.choose(new ChoicesRequest(prompt, List.of(generation.tokens())))
                    .join();
            assertThat(choices.choices().get(0).sum()).isCloseTo(generation.logProbability(), within(1e-4));
            int[] text = Arrays.copyOf(prompt, prompt.length + 24);
            System.arraycopy(generation.tokens(), 0, text, prompt.length, 24);
            float[] scored =
                    engine.score(new ScoringRequest(text, 64, 32)).join().logProbabilities();
            assertThat(Arrays.copyOfRange(scored, prompt.length - 1, scored.length))
                    .as("a shared context gives the bits of a plain one")
                    .isEqualTo(choices.choices().get(0).logProbabilities());
        }
    }

    private static List<String> run(
            String checkpoint, int threads, EngineOptions options, List<Object> requests, boolean shuffled)
            throws Exception {
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < requests.size(); i++) {
            order.add(i);
        }
        if (shuffled) {
            Collections.shuffle(order, new Random(options.stepTokens()));
        }
        String[] results = new String[requests.size()];
        try (Engine engine = start(checkpoint, threads, options)) {
            List<CompletableFuture<?>> futures = new ArrayList<>();
            for (int i : order) {
                futures.add(submit(engine, requests.get(i)));
            }
            for (int i = 0; i < order.size(); i++) {
                results[order.get(i)] = BatchInvarianceTest.bits(futures.get(i).join());
            }
        }
        return List.of(results);
    }

    private static CompletableFuture<?> submit(Engine engine, Object request) {
        if (request instanceof GenerationRequest generation) {
            return engine.generate(generation);
        } else if (request instanceof ScoringRequest scoring) {
            return engine.score(scoring);
        } else if (request instanceof ChoicesRequest choices) {
            return engine.choose(choices);
        }
        return engine.embed((EmbeddingRequest) request);
    }

    private static List<Object> requests(Random random) {
        List<Object> requests = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            requests.add(new GenerationRequest(
                    RowKey.of(i),
                    tokens(random, 3 + 9 * i),
                    new Sampling(20, 0.4f * i, i == 3 ? 10 : 0, i == 4 ? 0.9f : 1, 0, 1.1f, List.of(), i < 3, 1)));
            requests.add(new ScoringRequest(tokens(random, 20 + 40 * i), 64, 40));
            requests.add(new ChoicesRequest(
                    tokens(random, 7 + 12 * i), List.of(tokens(random, 1), tokens(random, 5), tokens(random, 9))));
            requests.add(new EmbeddingRequest(tokens(random, 30 + i), i % 2 == 0 ? Pooling.MEAN : Pooling.LAST));
        }
        return requests;
    }

    private static int[] tokens(Random random, int count) {
        return random.ints(count, 3, VOCABULARY).toArray();
    }

    /** The checkpoints have no tokenizers. */
    private static final class NumberTokenizer implements Tokenizer {
        @Override
        public int[] encode(String text) {
            return Stream.of(text.split(" ")).mapToInt(Integer::parseInt).toArray();
        }

        @Override
        public int[] encodeTemplate(String rendered) {
            return encode(rendered);
        }

        @Override
        public int[] prefix() {
            return new int[0];
        }

        @Override
        public String decode(int[] tokens) {
            return Arrays.toString(tokens);
        }

        @Override
        public int vocabulary() {
            return VOCABULARY;
        }

        @Override
        public boolean isSpecial(int token) {
            return false;
        }

        @Override
        public void close() {}
    }
}
