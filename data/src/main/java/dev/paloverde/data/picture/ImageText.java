package dev.paloverde.data.picture;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.paloverde.data.text.Document;
import dev.paloverde.data.text.Scene;
import dev.paloverde.data.text.TextSource;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;

/**
 * Captions with the pictures that they describe, as a webdataset shard: a tar with {@code <id>.json}, {@code <id>.png}
 * and {@code <id>.txt} for each pair. The JSON says what is in the picture, and where.
 */
public final class ImageText {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<String> COLUMNS = List.of("left", "middle", "right");
    private static final List<String> ROWS = List.of("far away", "halfway", "in front");
    private static final long EPOCH_SECONDS = 1_767_225_600L; // 2026-01-01, since a tar must say some time

    private ImageText() {}

    /**
     * Writes the first captions of a corpus and their pictures.
     *
     * @param shard the tar file to write
     * @param seed of the captions
     * @param pairs how many
     */
    public static void write(Path shard, long seed, int pairs) throws IOException {
        Files.createDirectories(shard.toAbsolutePath().getParent());
        try (OutputStream file = Files.newOutputStream(shard);
                TarArchiveOutputStream tar = new TarArchiveOutputStream(file, StandardCharsets.UTF_8.name())) {
            for (int index = 0; index < pairs; index++) {
                Document caption = TextSource.CAPTIONS.document(seed, index);
                Scene scene = Scene.of(seed, index);
                add(tar, caption.id() + ".json", JSON.writeValueAsBytes(description(caption, scene)));
                add(tar, caption.id() + ".png", Encoding.png(SceneDrawing.draw(scene, index)));
                add(tar, caption.id() + ".txt", caption.text().getBytes(StandardCharsets.UTF_8));
            }
        }
    }

    private static ObjectNode description(Document caption, Scene scene) {
        ObjectNode node = JSON.createObjectNode()
                .put("id", caption.id())
                .put("source", caption.source())
                .put("width", SceneDrawing.SIDE)
                .put("height", SceneDrawing.SIDE)
                .put("ground", scene.ground().words())
                .put("sky", scene.sky().words());
        ArrayNode items = node.putArray("items");
        for (Scene.Item item : scene.items()) {
            SceneDrawing.Box box = SceneDrawing.box(item);
            items.addObject()
                    .put("shape", item.shape().word())
                    .put("color", item.color().word())
                    .put("size", item.size().word())
                    .put("column", COLUMNS.get(item.column()))
                    .put("row", ROWS.get(item.row()))
                    .putArray("box")
                    .add(box.left())
                    .add(box.top())
                    .add(box.right())
                    .add(box.bottom());
        }
        return node;
    }

    private static void add(TarArchiveOutputStream tar, String name, byte[] content) throws IOException {
        TarArchiveEntry entry = new TarArchiveEntry(name);
        entry.setSize(content.length);
        entry.setModTime(EPOCH_SECONDS * 1000);
        entry.setIds(0, 0);
        entry.setNames("", "");
        tar.putArchiveEntry(entry);
        tar.write(content);
        tar.closeArchiveEntry();
    }
}
