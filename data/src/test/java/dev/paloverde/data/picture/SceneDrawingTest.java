package dev.paloverde.data.picture;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.data.Pixels;
import dev.paloverde.data.SampleCorpus;
import dev.paloverde.data.Shards;
import dev.paloverde.data.text.Scene;
import dev.paloverde.data.text.TextSource;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

final class SceneDrawingTest {
    private static final int SIDE = SceneDrawing.SIDE;

    /** The pixels that a thing changes. */
    private record Seen(List<Integer> at) {
        static Seen difference(Scene with, Scene without, long seed) {
            int[] there = Pixels.rgb(SceneDrawing.draw(with, seed));
            int[] gone = Pixels.rgb(SceneDrawing.draw(without, seed));
            List<Integer> different = new ArrayList<>();
            for (int at = 0; at < there.length; at++) {
                if (there[at] != gone[at]) {
                    different.add(at);
                }
            }
            return new Seen(different);
        }

        double middle() {
            return at.stream().mapToInt(at -> at % SIDE).average().orElseThrow();
        }

        int bottom() {
            return at.stream().mapToInt(at -> at / SIDE).max().orElseThrow();
        }
    }

    /** The color of most pixels that a thing covers wholly: those that look the same before two different backdrops. */
    private static Scene.Color color(Scene.Item item) {
        int[] first =
                Pixels.rgb(SceneDrawing.draw(new Scene(List.of(item), Scene.Ground.YELLOW_SAND, Scene.Sky.BLUE), 1));
        int[] second = Pixels.rgb(
                SceneDrawing.draw(new Scene(List.of(item), Scene.Ground.GRAY_STONES, Scene.Sky.ORANGE_SUNRISE), 1));
        Map<Scene.Color, Integer> counts = new EnumMap<>(Scene.Color.class);
        for (int at = 0; at < first.length; at++) {
            if (first[at] == second[at]) {
                nearest(first[at]).ifPresent(color -> counts.merge(color, 1, Integer::sum));
            }
        }
        return Collections.max(counts.entrySet(), Map.Entry.comparingByValue()).getKey();
    }

    /** The named color that a pixel has, but for a trace of another at an edge. */
    private static Optional<Scene.Color> nearest(int rgb) {
        return Stream.of(Scene.Color.values())
                .filter(color -> distance(rgb, SceneDrawing.rgb(color)) < 50 * 50)
                .min(Comparator.comparingInt(color -> distance(rgb, SceneDrawing.rgb(color))));
    }

    private static int distance(int first, int second) {
        int distance = 0;
        for (int shift = 0; shift <= 16; shift += 8) {
            int difference = (first >> shift & 0xFF) - (second >> shift & 0xFF);
            distance += difference * difference;
        }
        return distance;
    }

    @Test
    void everyThingOfASceneIsSeenInItsPlaceAndColor() {
        for (int index = 0; index < 25; index++) {
            Scene scene = Scene.of(91, index);
            for (Scene.Item item : scene.items()) {
                String what = index + ": " + item;
                Seen alone = Seen.difference(with(scene, List.of(item)), with(scene, List.of()), index);
                List<Scene.Item> others = new ArrayList<>(scene.items());
                others.remove(item);
                Seen seen = Seen.difference(scene, with(scene, others), index);
                assertThat(seen.at().size())
                        .as(what)
                        .isGreaterThan(40)
                        .isGreaterThan(alone.at().size() * 6 / 10);
                assertThat(alone.middle())
                        .as(what)
                        .isBetween(item.column() * SIDE / 3.0, (item.column() + 1) * SIDE / 3.0);
                assertThat(alone.bottom()).as(what).isBetween(96 + 54 * item.row(), 105 + 54 * item.row());
                assertThat(color(item)).as(what).isEqualTo(item.color());
            }
        }
    }

    @Test
    void sizesAreToldApart() {
        for (Scene.Shape shape : Scene.Shape.values()) {
            for (int row = 0; row < 3; row++) {
                Map<Scene.Size, SceneDrawing.Box> boxes = new HashMap<>();
                for (Scene.Size size : Scene.Size.values()) {
                    boxes.put(size, SceneDrawing.box(new Scene.Item(shape, Scene.Color.RED, size, 1, row)));
                }
                assertThat(height(boxes.get(Scene.Size.TALL))).isGreaterThan(height(boxes.get(Scene.Size.LARGE)));
                assertThat(width(boxes.get(Scene.Size.TALL))).isLessThan(width(boxes.get(Scene.Size.LARGE)));
                assertThat(height(boxes.get(Scene.Size.SMALL))).isLessThan(height(boxes.get(Scene.Size.LARGE)));
                assertThat(height(boxes.get(Scene.Size.TINY))).isLessThan(height(boxes.get(Scene.Size.SMALL)));
            }
        }
    }

    @Test
    void groundAndSkyLookDifferent() {
        Set<List<Integer>> pictures = new HashSet<>();
        for (Scene.Ground ground : Scene.Ground.values()) {
            for (Scene.Sky sky : Scene.Sky.values()) {
                BufferedImage picture = SceneDrawing.draw(new Scene(List.of(), ground, sky), 1);
                pictures.add(List.of(picture.getRGB(2, 60), picture.getRGB(111, 223)));
            }
        }
        assertThat(pictures).hasSize(Scene.Ground.values().length * Scene.Sky.values().length);
    }

    @Test
    void theShardHoldsCaptionsOfTheCorpusWithTheirPictures() throws IOException {
        Map<String, byte[]> members = Shards.read(Path.of("corpus", "image-text", "000000.tar"));
        assertThat(members).hasSize(3 * 48);
        for (int index = 0; index < 48; index++) {
            String id = "captions-%d-%06d".formatted(SampleCorpus.SAMPLE_SEED, index);
            String caption = new String(members.get(id + ".txt"), StandardCharsets.UTF_8);
            assertThat(caption)
                    .isEqualTo(TextSource.CAPTIONS
                            .document(SampleCorpus.SAMPLE_SEED, index)
                            .text());
            BufferedImage picture = Pixels.decode(members.get(id + ".png")).get(0);
            assertThat(picture.getWidth()).isEqualTo(SIDE);
            assertThat(picture.getHeight()).isEqualTo(SIDE);
            JsonNode description = new ObjectMapper().readTree(members.get(id + ".json"));
            assertThat(caption)
                    .contains(description.get("ground").asText())
                    .contains(description.get("sky").asText());
            for (JsonNode item : description.get("items")) {
                assertThat(caption)
                        .contains(item.get("size").asText() + " "
                                + item.get("color").asText() + " "
                                + item.get("shape").asText());
                assertThat(pixelsOf(picture, item)).as(id + item).isGreaterThan(8);
            }
        }
    }

    /** How many pixels of a thing's box are nearest to its color. */
    private static int pixelsOf(BufferedImage picture, JsonNode item) {
        Scene.Color color = Scene.Color.valueOf(item.get("color").asText().toUpperCase(Locale.ROOT));
        JsonNode box = item.get("box");
        int count = 0;
        for (int y = box.get(1).asInt(); y < box.get(3).asInt(); y++) {
            for (int x = box.get(0).asInt(); x < box.get(2).asInt(); x++) {
                count += nearest(picture.getRGB(x, y) & 0xFFFFFF).equals(Optional.of(color)) ? 1 : 0;
            }
        }
        return count;
    }

    private static int width(SceneDrawing.Box box) {
        return box.right() - box.left();
    }

    private static int height(SceneDrawing.Box box) {
        return box.bottom() - box.top();
    }

    private static Scene with(Scene scene, List<Scene.Item> items) {
        return new Scene(items, scene.ground(), scene.sky());
    }
}
