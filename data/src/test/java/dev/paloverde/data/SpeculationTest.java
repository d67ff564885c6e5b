package dev.paloverde.data;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.gpu.decode.Engine;
import dev.paloverde.gpu.decode.EngineOptions;
import dev.paloverde.gpu.decode.EngineSpec;
import dev.paloverde.gpu.decode.Engines;
import dev.paloverde.gpu.decode.Generation;
import dev.paloverde.gpu.decode.GenerationRequest;
import dev.paloverde.gpu.decode.RowKey;
import dev.paloverde.gpu.decode.Sampling;
import dev.paloverde.gpu.decode.SharedEngine;
import dev.paloverde.gpu.decode.Speculation;
import dev.paloverde.gpu.decode.SpeculationMetrics;
import dev.paloverde.gpu.model.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Guessing ahead with a pair of models that was really trained: the same texts, sooner. */
@Timeout(300)
final class SpeculationTest {
    private static final Path MODELS = Path.of("models");
    private static final int PROMPTS = 16;
    private static final float[] TEMPERATURES = {0, 0.7f, 1};

    private static final List<GenerationRequest> REQUESTS = new ArrayList<>();
    private static List<String> plain;

    @BeforeAll
    static void decodeWithoutGuessing() throws IOException {
        try (SharedEngine shared = Engines.acquire(spec(16))) {
            Tokenizer tokenizer = shared.tokenizer();
            List<String> lines = Files.readAllLines(Path.of("corpus/prompts/prompts.jsonl"));
            for (int i = 0; i < PROMPTS; i++) {
                String prompt = new ObjectMapper()
                        .readTree(lines.get(i * lines.size() / PROMPTS))
                        .get("prompt")
                        .asText();
                for (float temperature : TEMPERATURES) {
                    REQUESTS.add(new GenerationRequest(
                            RowKey.of(i, temperature),
                            tokenizer.encode(prompt),
                            new Sampling(32, temperature, 0, 1, 0, i % 4 == 0 ? 1.1f : 1, List.of(), false, 1)));
                }
            }
            plain = texts(shared.engine());
        }
    }

    @AfterAll
    static void unload() {
        Engines.closeIdle();
    }

    private static EngineSpec spec(int sequences) {
        return new EngineSpec(
                MODELS.resolve("sample-target"), "cpu", 2, new EngineOptions(sequences, 512, 16, 64L << 20, 1 << 20));
    }

    private static EngineSpec spec(int sequences, Speculation speculation) {
        return speculation.needsDraftModel()
                ? spec(sequences).with(speculation, MODELS.resolve("sample-draft"))
                : spec(sequences).with(speculation);
    }

    private static List<String> texts(Engine engine) {
        List<CompletableFuture<Generation>> futures =
                REQUESTS.stream().map(engine::generate).toList();
        return futures.stream()
                .map(CompletableFuture::join)
                .map(result -> "%s %s %s %s"
                        .formatted(
                                Arrays.toString(result.tokens()),
                                result.text(),
                                Double.toHexString(result.logProbability()),
                                result.finish()))
                .toList();
    }

    static Stream<Arguments> strategies() {
        List<Arguments> cases = new ArrayList<>();
        for (Speculation.Drafting drafter : Speculation.Drafting.values()) {
            cases.add(Arguments.of(4, Speculation.of(Speculation.Strategy.SPECULATIVE, drafter)));
        }
        Speculation ssd = Speculation.of(Speculation.Strategy.SSD, Speculation.Drafting.MODEL);
        for (int fanOut : new int[] {0, 1, 3, 8}) {
            cases.add(Arguments.of(
                    4, ssd.fanOut(fanOut, Speculation.Spread.GEOMETRIC).fallback(Speculation.Fallback.DRAFT)));
        }
        cases.add(Arguments.of(1, ssd.fallback(Speculation.Fallback.LOOKUP)));
        cases.add(Arguments.of(32, ssd));
        cases.add(Arguments.of(32, Speculation.of(Speculation.Strategy.SSD, Speculation.Drafting.BOTH)));
        return cases.stream();
    }

    @ParameterizedTest
    @MethodSource("strategies")
    void textsAreTheSame(int sequences, Speculation speculation) {
        Speculation always = speculation.pace(Speculation.Pace.ALWAYS);
        try (SharedEngine shared = Engines.acquire(spec(sequences, always))) {
            assertThat(texts(shared.engine())).isEqualTo(plain);
            SpeculationMetrics metrics = shared.engine().speculation();
            assertThat(metrics.accepted()).isPositive();
            boolean ahead = always.strategy() == Speculation.Strategy.SSD && always.fanOut() > 0;
            assertThat(metrics.hits() > 0).isEqualTo(ahead);
            // a lookup is right less often, and when it is asked is a matter of time
            boolean model = always.strategy() == Speculation.Strategy.SPECULATIVE
                    || always.fallback() == Speculation.Fallback.DRAFT;
            if (model && always.drafter() == Speculation.Drafting.MODEL) {
                assertThat(metrics.acceptedShare()).isGreaterThan(0.6);
            }
            if (ahead && always.fanOut() >= 3) {
                assertThat(metrics.hitRate()).isGreaterThan(0.6);
            }
        }
    }
}
