package dev.paloverde.data.picture;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.paloverde.data.text.Document;
import dev.paloverde.data.text.Drive;
import dev.paloverde.data.text.TextSource;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * Drives of a rover as video: a folder for each, with its frames as PNG, all of them as an animated GIF, and
 * {@code actions.jsonl}, which has a line for each frame: the picture, where the rover is, and what it does next. At the
 * last frame it does nothing, which is an action of zeros. {@code drives.jsonl} lists the folders.
 */
public final class Videos {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int FEWEST_ACTIONS = 6;

    private Videos() {}

    /**
     * Writes, for each goal that a rover may have, the first drive of a corpus that arrives there, unless it is very
     * short.
     *
     * @param folder the folder to write to
     * @param seed of the traces
     */
    public static void write(Path folder, long seed) throws IOException {
        Files.createDirectories(folder);
        Set<Drive.Goal> missing = EnumSet.allOf(Drive.Goal.class);
        StringBuilder drives = new StringBuilder();
        for (int index = 0; !missing.isEmpty(); index++) {
            Drive drive = Drive.of(seed, index);
            if (drive.arrives() && drive.actions().size() >= FEWEST_ACTIONS && missing.remove(drive.goal())) {
                Document trace = TextSource.ACTIONS.document(seed, index);
                write(folder.resolve(trace.id()), drive, new DriveDrawing(drive, index).frames());
                ObjectNode line = JSON.createObjectNode()
                        .put("id", trace.id())
                        .put("source", trace.source())
                        .put("goal", drive.goal().words())
                        .put("frames", drive.poses().size())
                        .put("seconds_per_frame", Drive.STEP_SECONDS)
                        .put("text", trace.text());
                drives.append(JSON.writeValueAsString(line)).append('\n');
            }
        }
        Files.writeString(folder.resolve("drives.jsonl"), drives);
    }

    private static void write(Path folder, Drive drive, List<BufferedImage> frames) throws IOException {
        Files.createDirectories(folder);
        List<Drive.Action> actions = new ArrayList<>(drive.actions());
        actions.add(new Drive.Action(0, 0, 0, actions.size() * Drive.STEP_SECONDS));
        StringBuilder lines = new StringBuilder();
        for (int at = 0; at < frames.size(); at++) {
            String name = "%06d.png".formatted(at);
            Files.write(folder.resolve(name), Encoding.png(frames.get(at)));
            Drive.Pose pose = drive.poses().get(at);
            ObjectNode line = JSON.createObjectNode()
                    .put("frame", name)
                    .put("x", hundredths(pose.x()))
                    .put("y", hundredths(pose.y()))
                    .put("yaw", hundredths(pose.yaw()))
                    .put("action", actions.get(at).line());
            lines.append(JSON.writeValueAsString(line)).append('\n');
        }
        Files.writeString(folder.resolve("actions.jsonl"), lines);
        Files.write(folder.resolve("drive.gif"), Encoding.gif(frames, (int) (Drive.STEP_SECONDS * 100)));
    }

    private static double hundredths(double value) {
        double rounded = Math.rint(value * 100) / 100;
        return rounded == 0 ? 0 : rounded;
    }
}
