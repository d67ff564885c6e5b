package dev.paloverde.gpu.image;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Base64;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

/** Resizing against Pillow itself, which {@code src/test/recipes/vision.py} asked, and by what must hold of any filter. */
class ResizerTest {
    @Test
    void givesPillowsBits() throws IOException {
        JsonNode cases;
        try (InputStream in = ResizerTest.class.getResourceAsStream("/resampling.json")) {
            cases = new ObjectMapper().readTree(in).path("cases");
        }
        assertThat(cases.size()).isEqualTo(36);
        for (JsonNode one : cases) {
            Picture picture =
                    new Picture(one.path("width").intValue(), one.path("height").intValue(), bytes(one, "rgb"));
            Resampling filter = Resampling.of(one.path("filter").intValue()).orElseThrow();
            Picture resized = Resizer.resize(
                    picture,
                    one.path("to_width").intValue(),
                    one.path("to_height").intValue(),
                    filter);
            assertThat(Arrays.equals(resized.rgb(), bytes(one, "expected")))
                    .as(
                            "%s from %d x %d to %d x %d",
                            filter, picture.width(), picture.height(), resized.width(), resized.height())
                    .isTrue();
        }
    }

    @Property(tries = 100)
    void keepsOneColour(
            @ForAll @IntRange(min = 1, max = 60) int width,
            @ForAll @IntRange(min = 1, max = 60) int height,
            @ForAll @IntRange(min = 1, max = 60) int toWidth,
            @ForAll @IntRange(min = 1, max = 60) int toHeight,
            @ForAll Resampling filter,
            @ForAll byte sample) {
        byte[] rgb = new byte[3 * width * height];
        Arrays.fill(rgb, sample);
        Picture resized = Resizer.resize(new Picture(width, height, rgb), toWidth, toHeight, filter);
        byte[] expected = new byte[3 * toWidth * toHeight];
        Arrays.fill(expected, sample);
        assertThat(resized.rgb()).isEqualTo(expected);
    }

    @Property(tries = 60)
    void treatsChannelsAlikeAndKeepsThemApart(@ForAll Random random, @ForAll Resampling filter) {
        int width = 1 + random.nextInt(30);
        int height = 1 + random.nextInt(30);
        byte[] rgb = new byte[3 * width * height];
        for (int i = 0; i < width * height; i++) {
            rgb[3 * i] = (byte) random.nextInt(256);
            rgb[3 * i + 2] = rgb[3 * i];
        }
        Picture resized =
                Resizer.resize(new Picture(width, height, rgb), 1 + random.nextInt(40), 1 + random.nextInt(40), filter);
        for (int y = 0; y < resized.height(); y++) {
            for (int x = 0; x < resized.width(); x++) {
                assertThat(resized.sample(x, y, 2)).isEqualTo(resized.sample(x, y, 0));
                assertThat(resized.sample(x, y, 1)).isZero();
            }
        }
    }

    private static byte[] bytes(JsonNode node, String field) {
        return Base64.getDecoder().decode(node.path(field).textValue());
    }
}
