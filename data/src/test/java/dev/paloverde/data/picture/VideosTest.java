package dev.paloverde.data.picture;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.data.Pixels;
import dev.paloverde.data.text.Drive;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.metadata.IIOMetadataNode;
import javax.imageio.stream.MemoryCacheImageInputStream;
import org.junit.jupiter.api.Test;

final class VideosTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Path VIDEO = Path.of("corpus", "video");
    private static final Pattern ACTION = Pattern.compile(
            "action: dx=(-?\\d\\.\\d\\d), dy=(-?\\d\\.\\d\\d), dyaw=(-?\\d\\.\\d\\d), rel_t=(\\d\\.\\d\\d)");
    private static final long SIZE_LIMIT = 1_500_000;

    @Test
    void thereIsADriveToEachGoal() throws IOException {
        List<String> goals = new ArrayList<>();
        for (JsonNode drive : lines(VIDEO.resolve("drives.jsonl"))) {
            goals.add(drive.get("goal").asText());
            assertThat(drive.get("text").asText()).contains(drive.get("goal").asText());
        }
        assertThat(goals)
                .containsExactlyInAnyOrder(
                        Stream.of(Drive.Goal.values()).map(Drive.Goal::words).toArray(String[]::new));
    }

    @Test
    void theActionsLeadFromEachFrameToTheNext() throws IOException {
        for (JsonNode drive : lines(VIDEO.resolve("drives.jsonl"))) {
            List<JsonNode> frames =
                    lines(VIDEO.resolve(drive.get("id").asText()).resolve("actions.jsonl"));
            assertThat(frames).hasSize(drive.get("frames").asInt());
            String trace = drive.get("text").asText();
            for (int at = 0; at < frames.size(); at++) {
                JsonNode frame = frames.get(at);
                assertThat(frame.get("frame").asText()).isEqualTo("%06d.png".formatted(at));
                String action = frame.get("action").asText();
                Matcher matcher = ACTION.matcher(action);
                assertThat(matcher.matches()).as(action).isTrue();
                assertThat(Double.parseDouble(matcher.group(4))).isEqualTo(at * Drive.STEP_SECONDS);
                if (at == frames.size() - 1) {
                    assertThat(action).contains("dx=0.00, dy=0.00, dyaw=0.00");
                    continue;
                }
                assertThat(trace).contains(action);
                JsonNode next = frames.get(at + 1);
                assertThat(hundredths(next, "x") - hundredths(frame, "x")).isEqualTo(hundredths(matcher.group(1)));
                assertThat(hundredths(next, "y") - hundredths(frame, "y")).isEqualTo(hundredths(matcher.group(2)));
                assertThat(hundredths(next, "yaw") - hundredths(frame, "yaw")).isEqualTo(hundredths(matcher.group(3)));
            }
        }
    }

    /** Where the stone must be by the geometry that {@link DriveDrawing} promises, worked out once more. */
    @Test
    void theRedStoneIsSeenWhereItIsAndGrows() throws IOException {
        JsonNode drive = lines(VIDEO.resolve("drives.jsonl")).stream()
                .filter(line -> line.get("goal").asText().equals(Drive.Goal.RED_STONE.words()))
                .findFirst()
                .orElseThrow();
        Matcher goal = Pattern.compile("red stone at x=(\\S+), y=(\\S+)\\. ")
                .matcher(drive.get("text").asText());
        assertThat(goal.find()).isTrue();
        Path folder = VIDEO.resolve(drive.get("id").asText());
        int visible = 0;
        int first = 0;
        int last = 0;
        for (JsonNode frame : lines(folder.resolve("actions.jsonl"))) {
            double yaw = frame.get("yaw").asDouble();
            double eastward = Double.parseDouble(goal.group(1)) - frame.get("x").asDouble();
            double northward =
                    Double.parseDouble(goal.group(2)) - frame.get("y").asDouble();
            double ahead = eastward * Math.cos(yaw) + northward * Math.sin(yaw) + 0.8;
            double left = northward * Math.cos(yaw) - eastward * Math.sin(yaw);
            double expected = 112 - 112 * left / ahead;
            BufferedImage picture = Pixels.decode(
                            Files.readAllBytes(folder.resolve(frame.get("frame").asText())))
                    .get(0);
            long sum = 0;
            int count = 0;
            for (int y = 0; y < picture.getHeight(); y++) {
                for (int x = 0; x < picture.getWidth(); x++) {
                    if (reddish(picture.getRGB(x, y))) {
                        sum += x;
                        count++;
                    }
                }
            }
            if (ahead > 0.3 && expected > 20 && expected < 204) {
                assertThat(sum / (double) count).as(frame.toString()).isBetween(expected - 4, expected + 4);
                first = first == 0 ? count : first;
                last = count;
                visible++;
            } else if (ahead <= 0 || Math.abs(expected - 112) > 150) {
                assertThat(count).as(frame.toString()).isZero();
            }
        }
        assertThat(visible).isGreaterThan(4);
        assertThat(last).isGreaterThan(4 * first);
    }

    private static boolean reddish(int rgb) {
        int red = rgb >> 16 & 0xFF;
        int green = rgb >> 8 & 0xFF;
        int blue = rgb & 0xFF;
        return red > 120 && green < red / 2 && blue < red / 2;
    }

    @Test
    void theAnimationShowsTheFrames() throws IOException {
        for (JsonNode drive : lines(VIDEO.resolve("drives.jsonl"))) {
            Path folder = VIDEO.resolve(drive.get("id").asText());
            byte[] gif = Files.readAllBytes(folder.resolve("drive.gif"));
            List<BufferedImage> animated = Pixels.decode(gif);
            assertThat(animated).hasSize(drive.get("frames").asInt());
            for (int at = 0; at < animated.size(); at++) {
                int[] shown = Pixels.rgb(animated.get(at));
                int[] frame = Pixels.rgb(Pixels.decode(Files.readAllBytes(folder.resolve("%06d.png".formatted(at))))
                        .get(0));
                long error = 0;
                for (int pixel = 0; pixel < frame.length; pixel++) {
                    for (int shift = 0; shift <= 16; shift += 8) {
                        error += Math.abs((shown[pixel] >> shift & 0xFF) - (frame[pixel] >> shift & 0xFF));
                    }
                }
                assertThat(error / (3.0 * frame.length)).as(folder + " " + at).isLessThan(0.5);
            }
            assertThat(hundredthsOfFirstFrame(gif)).isEqualTo((int) (100 * Drive.STEP_SECONDS));
        }
    }

    private static int hundredthsOfFirstFrame(byte[] gif) throws IOException {
        ImageReader reader = ImageIO.getImageReadersByFormatName("gif").next();
        try (MemoryCacheImageInputStream stream = new MemoryCacheImageInputStream(new ByteArrayInputStream(gif))) {
            reader.setInput(stream);
            IIOMetadata metadata = reader.getImageMetadata(0);
            IIOMetadataNode root = (IIOMetadataNode) metadata.getAsTree(metadata.getNativeMetadataFormatName());
            IIOMetadataNode control = (IIOMetadataNode)
                    root.getElementsByTagName("GraphicControlExtension").item(0);
            return Integer.parseInt(control.getAttribute("delayTime"));
        } finally {
            reader.dispose();
        }
    }

    @Test
    void picturesAndVideoAreSmall() throws IOException {
        long bytes = 0;
        for (Path folder : List.of(VIDEO, Path.of("corpus", "image-text"))) {
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path file : files.filter(Files::isRegularFile).toList()) {
                    bytes += Files.size(file);
                }
            }
        }
        assertThat(bytes).isBetween(1L, SIZE_LIMIT);
    }

    private static List<JsonNode> lines(Path file) throws IOException {
        List<JsonNode> lines = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            lines.add(JSON.readTree(line));
        }
        return lines;
    }

    private static long hundredths(JsonNode node, String field) {
        return Math.round(node.get(field).asDouble() * 100);
    }

    private static long hundredths(String decimal) {
        return Math.round(Double.parseDouble(decimal) * 100);
    }
}
