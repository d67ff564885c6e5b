package dev.paloverde.pipelines.image;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.image.ImageFile;
import dev.paloverde.pipelines.interleaved.Action;
import dev.paloverde.pipelines.interleaved.Objective;
import dev.paloverde.pipelines.interleaved.SegmentKind;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;

/** The documents and rejected steps of one trajectory, in order. Holds one document, one line and one frame. */
final class TrajectoryRows implements Iterator<Row>, AutoCloseable {
    private static final ObjectMapper MAPPER =
            new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
    private static final int DETAIL_CHARACTERS = 300;

    private final String path;
    private final String folder;
    private final ShardOpener opener;
    private final Trajectories reader;
    private final ArrayDeque<Row> ready = new ArrayDeque<>();
    private final List<Row> segments = new ArrayList<>();
    private InputStream in;
    private long offset;
    private int step;
    private int part;
    private double time = Double.NEGATIVE_INFINITY;

    TrajectoryRows(String path, ShardOpener opener, Trajectories reader) {
        this.path = path;
        this.opener = opener;
        this.reader = reader;
        int slash = path.lastIndexOf('/');
        folder = slash < 0 ? "" : path.substring(0, slash);
        try {
            in = new BufferedInputStream(opener.open(path));
        } catch (IOException | RuntimeException e) {
            reject(TrajectoryRejectReason.UNREADABLE_FILE, String.valueOf(e), place(0L, null));
        }
    }

    /** A step that cannot be used. */
    private static final class Unusable extends Exception {
        private static final long serialVersionUID = 1L;
        private final TrajectoryRejectReason reason;

        Unusable(TrajectoryRejectReason reason, String detail) {
            super(detail);
            this.reason = reason;
        }
    }

    @Override
    public boolean hasNext() {
        while (ready.isEmpty() && in != null) {
            advance();
        }
        return !ready.isEmpty();
    }

    @Override
    public Row next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        return ready.remove();
    }

    /** Reads one line. */
    private void advance() {
        long begin = offset;
        try {
            byte[] line = line();
            if (line == null) {
                endDocument();
                close();
            } else if (!new String(line, StandardCharsets.UTF_8).isBlank()) {
                use(line, begin);
            }
        } catch (Unusable e) {
            reject(e.reason, e.getMessage(), place(begin, offset - begin));
        } catch (IOException | RuntimeException e) {
            reject(TrajectoryRejectReason.UNREADABLE_FILE, "the rest cannot be read: " + e, place(begin, null));
            close();
        }
    }

    private void use(byte[] line, long begin) throws Unusable {
        int number = step++;
        JsonNode record;
        try {
            record = MAPPER.readTree(line);
        } catch (IOException e) {
            String problem = e instanceof JsonProcessingException json ? json.getOriginalMessage() : e.getMessage();
            throw new Unusable(TrajectoryRejectReason.INVALID_RECORD, "no JSON: " + problem);
        }
        JsonNode frame = record.path("frame");
        JsonNode action = record.path("action");
        if (!frame.isTextual() || !action.isTextual()) {
            throw new Unusable(
                    TrajectoryRejectReason.INVALID_RECORD, "a line is an object with the strings frame and action");
        }
        Action parsed = Action.parse(action.textValue())
                .orElseThrow(() -> new Unusable(TrajectoryRejectReason.MALFORMED_ACTION, action.textValue()));
        if (parsed.relativeTime() <= time) {
            throw new Unusable(
                    TrajectoryRejectReason.TIME_NOT_ASCENDING,
                    "rel_t=%s after rel_t=%s".formatted(parsed.relativeTime(), time));
        }
        long length = frame(frame.textValue());
        time = parsed.relativeTime();
        segments.add(RowFactory.create(
                SegmentKind.VIDEO.toString(),
                null,
                reader.visualTokens(),
                RowFactory.create(folder + "/" + frame.textValue(), null, 0L, length, number)));
        byte[] text = action.textValue().getBytes(StandardCharsets.UTF_8);
        int at = indexOf(line, text);
        // an action that is written with escapes has no bytes of its own: its line stands for it
        segments.add(RowFactory.create(
                SegmentKind.ACTION.toString(),
                action.textValue(),
                0,
                at < 0 ? place(begin, (long) line.length) : place(begin + at, (long) text.length)));
        if (segments.size() >= 2 * Trajectories.MOST_FRAMES) {
            endDocument();
        }
    }

    /** {@return the length of a frame's file, which has been opened} */
    private long frame(String name) throws Unusable {
        if (name.isEmpty()
                || name.equals("..")
                || name.equals(".")
                || name.indexOf('/') >= 0
                || name.indexOf('\\') >= 0
                || name.indexOf('\0') >= 0) {
            throw new Unusable(TrajectoryRejectReason.UNSAFE_FRAME, "a frame is a file of the same folder: " + name);
        }
        int most = reader.limits().imageBytes();
        byte[] bytes;
        try (InputStream file = opener.open(folder + "/" + name)) {
            bytes = file.readNBytes(most == Integer.MAX_VALUE ? most : most + 1);
        } catch (IOException | RuntimeException e) {
            throw new Unusable(TrajectoryRejectReason.NO_FRAME, String.valueOf(e));
        }
        if (bytes.length > most) {
            throw new Unusable(
                    TrajectoryRejectReason.FRAME_TOO_LARGE,
                    "%s has more than the %,d bytes allowed".formatted(name, most));
        }
        try {
            ImageFile.open(bytes, reader.images());
        } catch (PaloverdeException e) {
            throw new Unusable(TrajectoryRejectReason.INVALID_FRAME, name + ": " + e.getMessage());
        }
        return bytes.length;
    }

    /** {@return the next line without its end; null at the end of the file} */
    private byte[] line() throws IOException, Unusable {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        int most = reader.limits().captionBytes();
        long length = 0;
        int read = in.read();
        if (read < 0) {
            return null;
        }
        for (; read >= 0; read = in.read()) {
            offset++;
            if (read == '\n') {
                break;
            }
            if (++length <= most) {
                line.write(read);
            }
        }
        if (length > most) {
            step++;
            throw new Unusable(
                    TrajectoryRejectReason.LINE_TOO_LONG,
                    "a line of %,d bytes, more than the %,d allowed".formatted(length, most));
        }
        return line.toByteArray();
    }

    private void endDocument() {
        if (segments.isEmpty()) {
            return;
        }
        ready.add(RowFactory.create(
                folder,
                part++,
                Objective.ACTION.toString(),
                segments.toArray(),
                segments.size() / 2,
                null,
                null,
                null));
        segments.clear();
    }

    private void reject(TrajectoryRejectReason reason, String detail, Row place) {
        endDocument();
        time = Double.NEGATIVE_INFINITY;
        String bounded = detail.length() > DETAIL_CHARACTERS ? detail.substring(0, DETAIL_CHARACTERS) + "..." : detail;
        ready.add(RowFactory.create(folder, part, null, null, 0, reason.name(), bounded, place));
    }

    private Row place(Long begin, Long length) {
        return RowFactory.create(path, null, begin, length, null);
    }

    private static int indexOf(byte[] line, byte[] text) {
        for (int at = 0; at + text.length <= line.length; at++) {
            int i = 0;
            while (i < text.length && line[at + i] == text[i]) {
                i++;
            }
            if (i == text.length) {
                return at;
            }
        }
        return -1;
    }

    @Override
    public void close() {
        try {
            if (in != null) {
                in.close();
            }
        } catch (IOException e) {
            // it was only read
        } finally {
            in = null;
        }
    }
}
