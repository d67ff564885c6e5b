package dev.paloverde.gpu.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.gpu.image.ImageFile;
import dev.paloverde.gpu.image.ImageLimits;
import dev.paloverde.gpu.image.Picture;
import dev.paloverde.gpu.kernels.CpuKernels;
import dev.paloverde.gpu.kernels.Devices;
import dev.paloverde.gpu.kernels.Kernels;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Vision models against transformers, on checkpoints of random weights that {@code src/test/recipes/vision.py} made: every
 * family, odd heads, every type of weights, grids of another size.
 */
class VisionParityTest {
    /** What any number may be off by, relative to the largest. */
    private static final double TOLERANCE = 2e-6;

    static Stream<Path> cases() throws IOException, URISyntaxException {
        Path folder = Path.of(VisionParityTest.class.getResource("/vision").toURI());
        try (Stream<Path> folders = Files.list(folder)) {
            return folders.filter(Files::isDirectory).sorted().toList().stream();
        }
    }

    @Test
    void everyCaseIsThere() throws Exception {
        assertThat(cases().map(path -> path.getFileName().toString()))
                .containsExactly(
                        "dinov2",
                        "dinov2-own-size-fp16",
                        "dinov2-with-registers",
                        "siglip",
                        "siglip-odd-heads",
                        "siglip-pair-bf16",
                        "siglip2");
    }

    @ParameterizedTest
    @MethodSource("cases")
    void pixelsAndLatentsAgree(Path folder) throws IOException {
        JsonNode images = images(folder);
        assertThat(images.size()).isEqualTo(4);
        for (VisionModel.Latents latents : VisionModel.Latents.values()) {
            try (Run run = new Run(folder, latents)) {
                for (JsonNode image : images) {
                    Picture picture = run.picture(image);
                    assertThat(run.directory.processor().process(picture)).isEqualTo(floats(image, "pixels"));
                    float[] found = run.encode(run.model.prepare(picture)).get(0);
                    float[] expected = floats(image, latents == VisionModel.Latents.HIDDEN ? "hidden" : "normalized");
                    assertThat(found.length).isEqualTo(run.model.tokens() * run.model.width());
                    assertThat(difference(found, expected)).isLessThan(TOLERANCE);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void companyChangesNoBit(Path folder) throws IOException {
        try (Run run = new Run(folder, VisionModel.Latents.HIDDEN)) {
            List<Picture> pictures = new ArrayList<>();
            for (JsonNode image : images(folder)) {
                pictures.add(run.model.prepare(run.picture(image)));
            }
            List<float[]> together = run.encode(pictures.toArray(Picture[]::new));
            for (int i = 0; i < pictures.size(); i++) {
                assertThat(run.encode(pictures.get(i)).get(0)).isEqualTo(together.get(i));
                assertThat(run.encode(pictures.get(3 - i), pictures.get(i)).get(1))
                        .isEqualTo(together.get(i));
            }
        }
    }

    private static double difference(float[] ours, float[] theirs) {
        assertThat(ours).hasSameSizeAs(theirs);
        double difference = 0;
        double largest = 0;
        for (int i = 0; i < ours.length; i++) {
            difference = Math.max(difference, Math.abs((double) ours[i] - theirs[i]));
            largest = Math.max(largest, Math.abs(theirs[i]));
        }
        return difference / largest;
    }

    private static JsonNode images(Path folder) throws IOException {
        return new ObjectMapper()
                .readTree(folder.resolve("expected.json").toFile())
                .path("images");
    }

    private static float[] floats(JsonNode image, String field) {
        ByteBuffer bytes =
                ByteBuffer.wrap(Base64.getDecoder().decode(image.path(field).textValue()));
        float[] values = new float[bytes.remaining() / Float.BYTES];
        bytes.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
        return values;
    }

    /** A model on the CPU with room for a few images. */
    private static final class Run implements AutoCloseable {
        private final Kernels kernels = Devices.open("cpu", 2);
        private final VisionDirectory directory;
        private final VisionModel model;

        Run(Path folder, VisionModel.Latents latents) {
            directory = VisionDirectory.open(folder);
            model = directory.load(kernels, latents);
            model.reserve(4);
        }

        Picture picture(JsonNode image) {
            byte[] png = Base64.getDecoder().decode(image.path("png").textValue());
            return ImageFile.open(png, ImageLimits.STANDARD).decode();
        }

        List<float[]> encode(Picture... pictures) {
            List<float[]> all = new ArrayList<>();
            try (LateLatents latents = model.encode(List.of(pictures))) {
                latents.await();
                for (int image = 0; image < pictures.length; image++) {
                    float[] numbers = new float[model.tokens() * model.width()];
                    assertThat(latents.read(image, numbers)).isTrue();
                    all.add(numbers);
                }
            }
            return all;
        }

        @Override
        public void close() {
            model.close();
            assertThat(((CpuKernels) kernels).unclosed()).isEmpty();
            kernels.close();
        }
    }
}
