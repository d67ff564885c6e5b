package dev.paloverde.pipelines.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.paloverde.gpu.image.ImageLimits;
import dev.paloverde.pipelines.LocalSpark;
import dev.paloverde.pipelines.interleaved.Action;
import dev.paloverde.pipelines.interleaved.Segments;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;

/** Frames and actions become documents in turn; what cannot be used divides them and says why. */
class TrajectoriesTest {
    private static final Path DRIVE = Path.of("../data/corpus/video/actions-1-000000");
    private static final Trajectories READER =
            new Trajectories(new ReaderLimits(1 << 20, 200), ImageLimits.STANDARD, 16);

    private static String line(int frame, String action) {
        return "{\"frame\":\"%06d.png\",\"x\":0.0,\"action\":\"%s\"}\n".formatted(frame, action);
    }

    private static String action(double time) {
        return "action: dx=0.10, dy=-0.20, dyaw=1, rel_t=" + time;
    }

    private static Shards.Memory frames(int count) {
        Shards.Memory files = new Shards.Memory();
        for (int i = 0; i < count; i++) {
            files.with("drive/%06d.png".formatted(i), Shards.png(i));
        }
        return files;
    }

    private static List<Row> read(Shards.Memory files, Trajectories reader) {
        List<Row> rows = new ArrayList<>();
        new TrajectoryRows("drive/actions.jsonl", files, reader).forEachRemaining(rows::add);
        return rows;
    }

    /** Of a row as it is made, before Spark has encoded it. */
    private static List<Row> segments(Row row) {
        return Arrays.stream((Object[]) row.get(3)).map(Row.class::cast).toList();
    }

    /** Rows as text: a document by its frames, a rejected step by its reason and where its line begins. */
    private static List<String> outline(List<Row> rows) {
        return rows.stream()
                .map(row -> row.isNullAt(5)
                        ? segments(row).stream()
                                .filter(segment -> segment.getString(0).equals("video"))
                                .map(segment ->
                                        Integer.toString(segment.getStruct(3).getInt(4)))
                                .collect(Collectors.joining(" "))
                        : row.getString(5))
                .toList();
    }

    @Test
    void theFormOfAnActionIsTakenToTheLetter() {
        assertThat(Action.parse("action: dx=0.38, dy=0.32, dyaw=-0.40, rel_t=0.50"))
                .contains(new Action(.38, .32, -.4, .5));
        assertThat(Action.parse("action: dx=1, dy=-2, dyaw=0.0, rel_t=12")).contains(new Action(1, -2, 0, 12));
        for (String text : List.of(
                "",
                "action: dx=0.38, dy=0.32, dyaw=-0.40",
                "action: dx=0.38, dy=0.32, dyaw=-0.40, rel_t=0.50 ",
                "action: dx=NaN, dy=0.32, dyaw=-0.40, rel_t=0.50",
                "action: dx=1e3, dy=0.32, dyaw=-0.40, rel_t=0.50",
                "action: dx=+1, dy=0.32, dyaw=-0.40, rel_t=0.50",
                "action: dy=0.38, dx=0.32, dyaw=-0.40, rel_t=0.50",
                "Action: dx=0.38, dy=0.32, dyaw=-0.40, rel_t=0.50",
                "action: dx=٣, dy=0.32, dyaw=-0.40, rel_t=0.50")) {
            assertThat(Action.parse(text)).as(text).isEmpty();
        }
    }

    @Test
    void theSampleDriveIsOneDocumentWhoseSpansHoldWhatItSays() throws IOException {
        Dataset<Row> read = READER.read(
                LocalSpark.session()
                        .createDataset(List.of(DRIVE.resolve("actions.jsonl").toString()), Encoders.STRING()),
                path -> Files.newInputStream(Path.of(path)));
        List<Row> rows = read.collectAsList();
        assertThat(rows).hasSize(1);
        Row document = rows.get(0);
        assertThat(document.<String>getAs(Segments.OBJECTIVE)).isEqualTo("action");
        assertThat(document.<Integer>getAs(Trajectories.FRAMES)).isEqualTo(7);
        List<Row> segments = document.getList(3);
        assertThat(segments).hasSize(14);
        for (int i = 0; i < segments.size(); i++) {
            Row segment = segments.get(i);
            Row source = segment.getStruct(3);
            byte[] file = Files.readAllBytes(Path.of(source.getString(0)));
            byte[] bytes =
                    Arrays.copyOfRange(file, (int) source.getLong(2), (int) (source.getLong(2) + source.getLong(3)));
            if (i % 2 == 0) {
                assertThat(segment.getString(0)).isEqualTo("video");
                assertThat(segment.getInt(2)).isEqualTo(16);
                assertThat(source.getInt(4)).isEqualTo(i / 2);
                assertThat(bytes).isEqualTo(Files.readAllBytes(DRIVE.resolve("%06d.png".formatted(i / 2))));
            } else {
                assertThat(segment.getString(0)).isEqualTo("action");
                assertThat(segment.getInt(2)).isZero();
                assertThat(new String(bytes, StandardCharsets.UTF_8)).isEqualTo(segment.getString(1));
                assertThat(Action.parse(segment.getString(1))).isPresent();
            }
        }
    }

    @Test
    void aStepThatCannotBeUsedDividesTheTrajectory() {
        String[] lines = {
            line(0, action(0)),
            line(1, action(1)),
            line(2, "action: dx=fast"),
            line(3, action(3)),
            line(4, action(2.5)),
            line(5, action(5)),
            "\r\n",
            "{\"frame\":\"000006.png\"\n",
            line(7, action(7)),
            "{\"frame\":7,\"action\":\"%s\"}\n".formatted(action(8)),
            line(99, action(9)),
            line(8, action(9)),
            "{\"frame\":\"../drive/000008.png\",\"action\":\"%s\"}\n".formatted(action(10)),
            line(9, action(11)).replace("\n", " ".repeat(300) + "\n"),
            line(9, action(11)).replace("dx", "\\u0064x"),
            "{\"frame\":\"actions.jsonl\",\"action\":\"%s\"}".formatted(action(12))
        };
        Shards.Memory files = frames(10).with("drive/actions.jsonl", Shards.text(String.join("", lines)));
        List<Row> rows = read(files, READER);
        assertThat(outline(rows))
                .containsExactly(
                        "0 1",
                        "MALFORMED_ACTION",
                        "3",
                        "TIME_NOT_ASCENDING",
                        "5",
                        "INVALID_RECORD",
                        "7",
                        "INVALID_RECORD",
                        "NO_FRAME",
                        "10",
                        "UNSAFE_FRAME",
                        "LINE_TOO_LONG",
                        "13",
                        "INVALID_FRAME");
        // parts are numbered, and a reject's place is its line
        assertThat(rows.stream().filter(row -> row.isNullAt(5)).map(row -> row.getInt(1)))
                .containsExactly(0, 1, 2, 3, 4, 5);
        Row place = rows.get(1).getStruct(7);
        byte[] all = Shards.text(String.join("", lines));
        assertThat(new String(all, (int) place.getLong(2), (int) place.getLong(3), StandardCharsets.UTF_8))
                .isEqualTo(lines[2]);
        // an action written with an escape is read, and its whole line is its span
        Row escaped = segments(rows.get(12)).get(1);
        assertThat(escaped.getString(1)).isEqualTo(action(11));
        Row span = escaped.getStruct(3);
        assertThat(new String(all, (int) span.getLong(2), (int) span.getLong(3), StandardCharsets.UTF_8) + "\n")
                .isEqualTo(lines[14]);
    }

    @Test
    void filesThatAreGoneOrFramesThatAreTooLargeAreSaid() {
        assertThat(outline(read(frames(0), READER))).containsExactly("UNREADABLE_FILE");
        Trajectories strict = new Trajectories(new ReaderLimits(10, 200), ImageLimits.STANDARD, 16);
        Shards.Memory files = frames(1).with("drive/actions.jsonl", Shards.text(line(0, action(0))));
        assertThat(outline(read(files, strict))).containsExactly("FRAME_TOO_LARGE");
        Trajectories few = new Trajectories(ReaderLimits.STANDARD, new ImageLimits(100, 1), 16);
        assertThat(outline(read(files, few))).containsExactly("INVALID_FRAME");
        assertThat(outline(read(frames(0).with("drive/actions.jsonl", new byte[0]), READER)))
                .isEmpty();
    }
}
