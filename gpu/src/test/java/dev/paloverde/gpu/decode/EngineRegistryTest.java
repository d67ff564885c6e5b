package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Devices;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.kernels.Quantization;
import dev.paloverde.gpu.model.ModelConfiguration;
import dev.paloverde.gpu.model.ModelDirectory;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class EngineRegistryTest {
    private static final EngineOptions OPTIONS = new EngineOptions(4, 64, 16, 4 << 20, 1 << 16);

    @TempDir
    private Path temporary;

    private static void copy(String checkpoint, Path to) throws IOException, URISyntaxException {
        Files.createDirectories(to);
        Path from = Path.of(
                EngineRegistryTest.class.getResource("/parity/" + checkpoint).toURI());
        try (Stream<Path> files = Files.list(from)) {
            for (Path file : files.toList()) {
                Files.write(to.resolve(file.getFileName().toString()), Files.readAllBytes(file));
            }
        }
        StringBuilder vocabulary = new StringBuilder("\"<unk>\": 0");
        for (int id = 1; id < 96; id++) {
            vocabulary.append(", \"w").append(id).append("\": ").append(id);
        }
        Files.writeString(to.resolve("tokenizer.json"), """
                {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
                 "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
                 "model": {"type": "WordLevel", "vocab": {%s}, "unk_token": "<unk>"}}
                """.formatted(vocabulary));
    }

    private static EngineSpec spec(Path model) {
        return new EngineSpec(model, "cpu", 1, OPTIONS);
    }

    private static Generation generate(SharedEngine shared) {
        int[] prompt = shared.tokenizer().encode("w5 w6 w7");
        return shared.engine()
                .generate(new GenerationRequest(RowKey.of("row"), prompt, Sampling.greedy(4)))
                .join();
    }

    private static PaloverdeException failure(Throwable e) {
        return (PaloverdeException) (e instanceof ExecutionException ? e.getCause() : e);
    }

    @Test
    void quantizedWeightsAreAnotherEngine() throws Exception {
        Path model = temporary.resolve("model");
        copy("llama", model);
        EngineRegistry registry = new EngineRegistry(Duration.ofMinutes(1));
        ScoringRequest request = new ScoringRequest(new int[] {1, 5, 6, 7, 8, 9, 10}, 7, 6);
        List<double[]> scores = new ArrayList<>();
        for (Quantization quantization : List.of(Quantization.NONE, Quantization.FP8, Quantization.FP8)) {
            try (SharedEngine shared = registry.acquire(spec(model).with(quantization), null)) {
                float[] found = shared.engine().score(request).join().logProbabilities();
                double[] wide = new double[found.length];
                for (int i = 0; i < found.length; i++) {
                    wide[i] = found[i];
                }
                scores.add(wide);
            }
        }
        assertThat(scores.get(1)).isNotEqualTo(scores.get(0)).isEqualTo(scores.get(2));
        assertThat(scores.get(1)).containsExactly(scores.get(0), Offset.offset(1.0));
        try (ModelDirectory directory = ModelDirectory.open(model);
                Kernels kernels = Devices.open("cpu", 1)) {
            ModelConfiguration shape = directory.configuration();
            long projections = shape.projectionWeights();
            // the checkpoint is in fp32: nothing is gained, and nothing lost
            assertThat(directory.weightBytes(kernels, Quantization.FP8)).isEqualTo(directory.weightBytes());
            assertThat(projections).isBetween(1L, directory.weightBytes() / 4);
        }
        registry.closeIdle();
    }

    @Test
    void oneEngineServesAllWhoAskAndIsLoadedOnce() throws Exception {
        copy("llama", temporary.resolve("model"));
        EngineRegistry registry = new EngineRegistry(Duration.ofMinutes(1));
        ExecutorService threads = Executors.newFixedThreadPool(16);
        CountDownLatch start = new CountDownLatch(1);
        List<Future<SharedEngine>> futures = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            // two ways of writing one path
            Path path = temporary.resolve(i % 2 == 0 ? "model" : "model/../model");
            futures.add(threads.submit(() -> {
                start.await();
                SharedEngine shared = registry.acquire(spec(path), null);
                generate(shared);
                return shared;
            }));
        }
        start.countDown();
        Set<Engine> engines = new HashSet<>();
        List<SharedEngine> held = new ArrayList<>();
        for (Future<SharedEngine> future : futures) {
            held.add(future.get());
            engines.add(future.get().engine());
        }
        threads.shutdown();
        assertThat(engines).hasSize(1);
        assertThat(held.get(0).engine().metrics().decodeTokens()).isEqualTo(16 * 4);
        assertThat(held.get(0).fingerprint()).matches("[0-9a-f]{64}");
        assertThat(held.get(0).kernelsVersion()).isNotEmpty();

        held.subList(1, 16).forEach(SharedEngine::close);
        held.get(1).close();
        registry.closeIdle();
        held.get(0).engine().close();
        assertThat(generate(held.get(0)).tokens()).as("one user is left").hasSize(4);
        held.get(0).close();
        registry.closeIdle();
        Engine closed = held.get(0).engine();
        assertThatThrownBy(() -> closed.generate(
                                new GenerationRequest(RowKey.of("row"), new int[] {5}, Sampling.greedy(4)))
                        .join())
                .cause()
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.CANCELLED));
    }

    @Test
    void anEngineWithoutUsersIsKeptForAWhile() throws Exception {
        copy("llama", temporary);
        EngineRegistry registry = new EngineRegistry(Duration.ofSeconds(1));
        SharedEngine first = registry.acquire(spec(temporary), null);
        first.close();
        SharedEngine second = registry.acquire(spec(temporary), null);
        assertThat(second.engine()).as("taken up again").isEqualTo(first.engine());
        Thread.sleep(1200);
        generate(second);
        second.close();
        while (isOpen(second.engine())) {
            Thread.sleep(50);
        }
        SharedEngine third = registry.acquire(spec(temporary), null);
        assertThat(third.engine()).as("loaded anew").isNotEqualTo(first.engine());
        generate(third);
        third.close();
        registry.closeIdle();
    }

    private static boolean isOpen(Engine engine) {
        return !engine.generate(new GenerationRequest(RowKey.of("row"), new int[] {5}, Sampling.greedy(1)))
                .isCompletedExceptionally();
    }

    @Test
    void aLoadThatFailedIsReportedToAllAndTriedAgainByTheNext() throws Exception {
        EngineRegistry registry = new EngineRegistry(Duration.ofMinutes(1));
        Path model = temporary.resolve("late");
        ExecutorService threads = Executors.newFixedThreadPool(4);
        List<Future<SharedEngine>> futures = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            futures.add(threads.submit(() -> registry.acquire(spec(model), null)));
        }
        for (Future<SharedEngine> future : futures) {
            assertThatThrownBy(future::get)
                    .satisfies(e -> assertThat(failure(e).code()).isEqualTo(ErrorCode.MODEL_NOT_FOUND))
                    .hasMessageContaining("late");
        }
        threads.shutdown();
        assertThatThrownBy(() -> registry.acquire(new EngineSpec(temporary, "tpu", 1, OPTIONS), null))
                .isInstanceOf(PaloverdeException.class);
        copy("llama", model);
        try (SharedEngine shared = registry.acquire(spec(model), null)) {
            assertThat(generate(shared).tokens()).hasSize(4);
        }
        assertThatThrownBy(() -> registry.acquire(new EngineSpec(model, "tpu", 1, OPTIONS), null))
                .satisfies(e -> assertThat(failure(e).code()).isEqualTo(ErrorCode.INVALID_OPTION));
        assertThatThrownBy(() -> new EngineSpec(model, "cpu", 0, OPTIONS))
                .satisfies(e -> assertThat(failure(e).code()).isEqualTo(ErrorCode.INVALID_OPTION));
        registry.closeIdle();
    }

    @Test
    void otherFilesThanThosePlannedWithAreRefused() throws Exception {
        copy("llama", temporary);
        EngineRegistry registry = new EngineRegistry(Duration.ofMinutes(1));
        SharedEngine old = registry.acquire(spec(temporary), null);
        assertThatThrownBy(() -> registry.acquire(spec(temporary), "0123"))
                .satisfies(e -> assertThat(failure(e).code()).isEqualTo(ErrorCode.MODEL_CHANGED))
                .hasMessageContainingAll("0123", old.fingerprint());

        // the files are replaced under an engine that is in use: who plans with the new ones gets the new ones
        try (Stream<Path> files = Files.list(temporary)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        copy("llama-bf16", temporary);
        String fingerprint = ModelDirectory.open(temporary).fingerprint();
        try (SharedEngine fresh = registry.acquire(spec(temporary), fingerprint)) {
            assertThat(fresh.fingerprint()).isEqualTo(fingerprint).isNotEqualTo(old.fingerprint());
            assertThat(generate(fresh).tokens()).hasSize(4);
            assertThat(generate(old).tokens()).hasSize(4);
        }
        old.close();
        registry.closeIdle();
    }

    @Test
    void weightsThatCannotFitAreRefusedBeforeTheyAreRead() throws Exception {
        copy("llama-sharded", temporary);
        Path shard = temporary.resolve("model-00002-of-00002.safetensors");
        try (RandomAccessFile file = new RandomAccessFile(shard.toFile(), "rw")) {
            // a hole: takes no space on the disk
            file.setLength(1L << 40);
        }
        EngineRegistry registry = new EngineRegistry(Duration.ofMinutes(1));
        assertThatThrownBy(() -> registry.acquire(spec(temporary), null))
                .satisfies(e -> assertThat(failure(e).code()).isEqualTo(ErrorCode.OUT_OF_MEMORY))
                .hasMessageContainingAll("10995", "key-value cache up to 4194304", "executor or driver memory");
    }

    @Test
    void anInterruptedTaskStopsWaitingAndHarmsNobody() throws Exception {
        copy("llama", temporary);
        EngineRegistry registry = new EngineRegistry(Duration.ofMinutes(1));
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> registry.acquire(spec(temporary), null))
                .satisfies(e -> assertThat(failure(e).code()).isEqualTo(ErrorCode.CANCELLED));
        assertThat(Thread.interrupted()).isTrue();
        try (SharedEngine shared = registry.acquire(spec(temporary), null)) {
            assertThat(generate(shared).tokens()).hasSize(4);
        }
        registry.closeIdle();
    }

    @Test
    void aDraftModelHasToHaveTheSameTokens() throws Exception {
        Path model = temporary.resolve("model");
        Path draft = temporary.resolve("draft");
        copy("llama", model);
        copy("qwen3", draft);
        Speculation speculation = Speculation.of(Speculation.Strategy.SSD, Speculation.Drafting.MODEL)
                .pace(Speculation.Pace.ALWAYS);
        EngineRegistry registry = new EngineRegistry(Duration.ofMinutes(1));
        String plain;
        try (SharedEngine shared = registry.acquire(spec(model), null)) {
            plain = BatchInvarianceTest.bits(generate(shared));
            assertThat(shared.draftFingerprint()).isEmpty();
        }
        try (SharedEngine shared = registry.acquire(spec(model).with(speculation, draft), null)) {
            assertThat(BatchInvarianceTest.bits(generate(shared))).isEqualTo(plain);
            assertThat(shared.draftFingerprint()).hasSize(64).isNotEqualTo(shared.fingerprint());
        }
        Path other = temporary.resolve("other");
        copy("qwen3", other);
        Path tokenizer = other.resolve("tokenizer.json");
        Files.writeString(tokenizer, Files.readString(tokenizer).replace("\"w7\": 7", "\"v7\": 7"));
        assertThatThrownBy(() -> registry.acquire(spec(model).with(speculation, other), null))
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.TOKENIZER_MISMATCH))
                .hasMessageContaining("token 7 is 'v7' there and 'w7' here")
                .hasMessageContaining("drafter=lookup");
        assertThatThrownBy(() -> spec(model).with(speculation)).hasMessageContaining("there is no draft-model");
        Speculation first = Speculation.of(Speculation.Strategy.SPECULATIVE, Speculation.Drafting.MODEL);
        assertThatThrownBy(() -> spec(model).with(first, new DraftSpec(model, "", 8)))
                .hasMessageContaining("set strategy=ssd, or 0");
        assertThatThrownBy(() -> new DraftSpec(model, "cuda:1", 8)).hasMessageContaining("set one of the two");
        Speculation ahead = Speculation.of(Speculation.Strategy.SSD, Speculation.Drafting.MODEL);
        assertThatThrownBy(() -> registry.acquire(spec(model).with(ahead, new DraftSpec(model, "", 8)), null))
                .hasMessageContaining("draft-multiprocessors is 8 and device cpu");
        assertThatThrownBy(() -> registry.acquire(spec(model).with(ahead, new DraftSpec(model, "tpu", 0)), null))
                .hasMessageContaining("device is \"tpu\"");
        registry.closeIdle();
    }
}
