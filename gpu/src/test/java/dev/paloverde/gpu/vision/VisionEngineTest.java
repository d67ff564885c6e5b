package dev.paloverde.gpu.vision;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.image.Picture;
import dev.paloverde.gpu.model.VisionModel;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Many threads share one engine; each image gets what it would get alone. */
class VisionEngineTest {
    @Test
    void companyThreadsAndStepsChangeNoBit() throws Exception {
        List<Picture> pictures = new ArrayList<>();
        Random random = new Random(1);
        for (int i = 0; i < 60; i++) {
            byte[] rgb = new byte[3 * (8 + i) * 21];
            random.nextBytes(rgb);
            pictures.add(new Picture(8 + i, 21, rgb));
        }
        List<float[]> alone = new ArrayList<>();
        try (VisionEngines.Held held = VisionEngines.acquire(spec("dinov2", 1), "")) {
            for (Picture picture : pictures) {
                alone.add(held.engine().encode(picture).join());
            }
            assertThat(held.engine().images()).isEqualTo(60);
            assertThat(held.engine().stepNanos()).isPositive();
        }
        ExecutorService tasks = Executors.newFixedThreadPool(6);
        try (VisionEngines.Held held = VisionEngines.acquire(spec("dinov2", 5), "")) {
            List<Future<CompletableFuture<float[]>>> answers = new ArrayList<>();
            for (Picture picture : pictures) {
                answers.add(tasks.submit(() -> held.engine().encode(picture)));
            }
            for (int i = 0; i < pictures.size(); i++) {
                assertThat(answers.get(i).get().join()).isEqualTo(alone.get(i));
            }
        } finally {
            tasks.shutdownNow();
        }
        VisionEngines.closeIdle();
    }

    @Test
    void isSharedByWhoAsksForTheSame() throws Exception {
        try (VisionEngines.Held one = VisionEngines.acquire(spec("siglip", 2), "");
                VisionEngines.Held two =
                        VisionEngines.acquire(spec("siglip", 2), one.engine().fingerprint())) {
            assertThat(two.engine()).isSameAs(one.engine());
            assertThat(one.engine().tokens()).isEqualTo(16);
            assertThat(one.engine().width()).isEqualTo(32);
            assertThat(one.engine().kernelsVersion()).isEqualTo("cpu-fp32-1");
            assertThatThrownBy(() -> VisionEngines.acquire(spec("siglip", 2), "0".repeat(64)))
                    .isInstanceOfSatisfying(
                            PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_CHANGED));
        }
        VisionEngines.closeIdle();
    }

    @Test
    void saysWhatIsWrongWithAModel(@TempDir Path directory) throws Exception {
        assertCode(directory.resolve("none"), ErrorCode.MODEL_NOT_FOUND, "no model directory");
        copy("siglip", directory);
        Path processor = directory.resolve("preprocessor_config.json");
        String text = Files.readString(processor);
        Files.delete(processor);
        assertCode(directory, ErrorCode.MODEL_NOT_FOUND, "preprocessor_config.json");
        Files.writeString(processor, text.replace("\"height\": 16", "\"height\": 18"));
        assertCode(directory, ErrorCode.UNSUPPORTED_MODEL, "whole patches");
        Files.writeString(processor, text.replace("0.5", "\"a half\""));
        assertCode(directory, ErrorCode.MODEL_CORRUPT, "image_mean");
        Files.writeString(processor, text);
        Path configuration = directory.resolve("config.json");
        String config = Files.readString(configuration);
        Files.writeString(configuration, config.replace("siglip_vision_model", "clip_vision_model"));
        assertCode(directory, ErrorCode.UNSUPPORTED_MODEL, "clip_vision_model");
        Files.writeString(configuration, config.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"));
        assertCode(directory, ErrorCode.TENSOR_MISSING, "layers.2");
        Files.writeString(configuration, config.replace("\"hidden_size\": 32", "\"hidden_size\": 64"));
        assertCode(directory, ErrorCode.TENSOR_MISSING, "patch_embedding.weight");
        Files.writeString(configuration, config.replace("\"patch_size\": 4", "\"patch_size\": 2"));
        assertCode(directory, ErrorCode.TENSOR_MISSING, "patch_embedding.weight");
        // and is there again once it is right
        Files.writeString(configuration, config);
        VisionEngines.acquire(spec(directory, 1), "").close();
        VisionEngines.closeIdle();
    }

    private static void assertCode(Path model, ErrorCode code, String message) {
        assertThatThrownBy(() -> VisionEngines.acquire(spec(model, 1), ""))
                .hasMessageContaining(message)
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(code));
    }

    private static void copy(String model, Path to) throws Exception {
        try (Stream<Path> files = Files.list(path(model))) {
            for (Path file : files.toList()) {
                Files.copy(file, to.resolve(file.getFileName()));
            }
        }
    }

    private static Path path(String model) throws URISyntaxException {
        return Path.of(VisionEngineTest.class.getResource("/vision/" + model).toURI());
    }

    private static VisionSpec spec(String model, int images) throws URISyntaxException {
        return spec(path(model), images);
    }

    private static VisionSpec spec(Path model, int images) {
        return new VisionSpec(model, "cpu", 2, images, VisionModel.Latents.NORMALIZED);
    }
}
