package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import net.jqwik.api.constraints.IntRange;

/** A device that chooses tokens itself chooses what the host chooses from its logits, also among proposed tokens. */
class TokenChooserTest {
    private static final int CONTEXT = 200;

    @Property(tries = 120, shrinking = ShrinkingMode.OFF)
    void choosesWhatTheHostChooses(
            @ForAll @IntRange(min = 1, max = 20) int sequences,
            @ForAll @IntRange(max = 4) int strategy,
            @ForAll long seed) {
        Random random = new Random(seed);
        List<GenerationRequest> requests = new ArrayList<>();
        for (int i = 0; i < 25; i++) {
            int[] prompt =
                    random.ints(1 + random.nextInt(40), 1, HashModel.POISON).toArray();
            Sampling sampling = new Sampling(
                    1 + random.nextInt(60),
                    random.nextInt(3) * 0.6f,
                    random.nextInt(4) == 0 ? 3 : 0,
                    1,
                    0,
                    random.nextInt(5) == 0 ? 1.2f : 1,
                    List.of(),
                    false,
                    random.nextLong());
            requests.add(new GenerationRequest(RowKey.of(prompt), prompt, sampling));
        }
        // few tokens of memory: the texts repeat themselves, and a lookup foresees them
        int memory = random.nextBoolean() ? 2 : CONTEXT;
        EngineOptions options = new EngineOptions(sequences, 64, 16, 1 << 18, 1 << 20);
        Speculation speculation =
                speculation(strategy).pace(random.nextBoolean() ? Speculation.Pace.ALWAYS : Speculation.Pace.MEASURED);
        List<Generation> host =
                run(HashModel::loaded, new HashModel(CONTEXT, memory), options, Speculation.none(), requests);
        List<Generation> device = run(
                model -> speculation.needsDraftModel()
                        ? HashModel.proposing(HashModel.choosing(model), new HashModel(CONTEXT, memory), 1)
                        : HashModel.choosing(model),
                new HashModel(CONTEXT, memory),
                options,
                speculation,
                requests);
        for (int i = 0; i < requests.size(); i++) {
            assertThat(device.get(i).tokens()).isEqualTo(host.get(i).tokens());
            assertThat(device.get(i).finish()).isEqualTo(host.get(i).finish());
            assertThat(device.get(i).logProbability()).isCloseTo(host.get(i).logProbability(), within(1e-4));
        }
    }

    private static Speculation speculation(int strategy) {
        return switch (strategy) {
            case 0 -> Speculation.none();
            case 1 -> Speculation.of(Speculation.Strategy.SPECULATIVE, Speculation.Drafting.LOOKUP);
            case 2 -> Speculation.of(Speculation.Strategy.SPECULATIVE, Speculation.Drafting.MODEL);
            case 3 -> Speculation.of(Speculation.Strategy.SSD, Speculation.Drafting.MODEL);
            default -> Speculation.of(Speculation.Strategy.SSD, Speculation.Drafting.BOTH);
        };
    }

    private static List<Generation> run(
            Function<HashModel, LoadedModel> loading,
            HashModel model,
            EngineOptions options,
            Speculation speculation,
            List<GenerationRequest> requests) {
        try (BatchingEngine engine = BatchingEngine.start("chooser", () -> loading.apply(model), options, speculation)
                .join()) {
            return requests.stream().map(engine::generate).toList().stream()
                    .map(CompletableFuture::join)
                    .toList();
        }
    }

    @Example
    void aRowWithoutASoftmaxFailsAlone() {
        EngineOptions options = new EngineOptions(4, 64, 16, 1 << 18, 1 << 20);
        try (BatchingEngine engine = BatchingEngine.start(
                        "chooser", () -> HashModel.choosing(new HashModel(CONTEXT)), options)
                .join()) {
            int[] poisoned = {3, HashModel.POISON};
            int[] sound = {3, 4};
            CompletableFuture<Generation> bad =
                    engine.generate(new GenerationRequest(RowKey.of(poisoned), poisoned, Sampling.greedy(4)));
            CompletableFuture<Generation> good =
                    engine.generate(new GenerationRequest(RowKey.of(sound), sound, Sampling.greedy(4)));
            assertThat(good.join().tokens()).isNotEmpty();
            assertThat(bad.handle((made, error) -> error).join())
                    .isInstanceOfSatisfying(
                            PaloverdeException.class,
                            error -> assertThat(error.code()).isEqualTo(ErrorCode.NOT_A_NUMBER));
        }
    }
}
