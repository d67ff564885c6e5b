package dev.paloverde.pipelines.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.paloverde.gpu.image.ImageLimits;
import dev.paloverde.pipelines.LocalSpark;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.Test;

/** From shards to what is kept: every sample once, and the same whatever the order and the partitioning. */
class ImageCorpusTest {
    private static final ImageLimits LIMITS = new ImageLimits(1_000_000, 100);

    @Test
    void accountsForEverySample() {
        Shards.Memory files = new Shards.Memory();
        Map<String, byte[]> one = new LinkedHashMap<>();
        one.put("good.png", Shards.encode(Shards.picture(200, 160, 1), "png"));
        one.put("good.txt", Shards.text("waves"));
        one.put("smaller.jpg", Shards.encode(Shards.picture(100, 80, 1), "jpg"));
        one.put("thin.png", Shards.encode(Shards.picture(400, 70, 2), "png"));
        one.put("tiny.png", Shards.encode(Shards.picture(20, 20, 3), "png"));
        one.put("blank.png", Shards.encode(blank(), "png"));
        one.put("cut.png", Arrays.copyOf(Shards.png(4), 2_000));
        one.put("text.jpg", Shards.text("this is no image at all"));
        Map<String, byte[]> two = new LinkedHashMap<>();
        two.put("again.png", Shards.encode(Shards.picture(200, 160, 1), "png"));
        two.put("other.png", Shards.encode(Shards.picture(200, 160, 9), "png"));
        two.put("vast.png", Shards.encode(new BufferedImage(1_001, 1_000, BufferedImage.TYPE_BYTE_BINARY), "png"));
        files.with("one.tar", Shards.tar(one)).with("two.tar", Shards.tar(two));

        Map<String, String> before = null;
        for (int seed = 0; seed < 3; seed++) {
            List<String> shards = new ArrayList<>(List.of("one.tar", "two.tar", "gone.tar"));
            Collections.shuffle(shards, new Random(seed));
            Dataset<String> paths = LocalSpark.session()
                    .createDataset(shards, Encoders.STRING())
                    .repartition(1 + seed);
            Map<String, String> reasons = reasons(corpus(TarShards.read(paths, files, ReaderLimits.STANDARD)));
            assertThat(before == null ? reasons : before).isEqualTo(reasons);
            before = reasons;
        }
        // of the same bytes the first key stays; of alike ones that of the least digest, which is one of the two
        String png = before.get("again");
        assertThat(before.get("good")).isEqualTo("EXACT_DUPLICATE");
        assertThat(List.of(String.valueOf(png), before.getOrDefault("smaller", "kept")))
                .contains("NEAR_DUPLICATE");
        before.keySet().removeAll(List.of("good", "again", "smaller"));
        Map<String, String> expected = new TreeMap<>();
        expected.put("thin", "ASPECT");
        expected.put("tiny", "TOO_SMALL");
        expected.put("blank", "BLANK");
        expected.put("cut", "INVALID_IMAGE");
        expected.put("text", "INVALID_IMAGE");
        expected.put("vast", "IMAGE_TOO_LARGE");
        expected.put("other", null);
        expected.put("null", "UNREADABLE_SHARD");
        assertThat(before).isEqualTo(expected);
    }

    @Test
    void checksAreFactsThatRulesAreMadeOf() {
        Row checks = ImageChecks.check(Shards.encode(Shards.picture(120, 60, 1), "jpg"), LIMITS);
        assertThat(checks.getBoolean(0)).isTrue();
        assertThat(checks.getString(3)).isEqualTo("jpeg");
        assertThat(checks.getInt(4)).isEqualTo(120);
        assertThat(checks.getInt(5)).isEqualTo(60);
        assertThat(checks.getDouble(6)).isEqualTo(2.0);
        assertThat(checks.getInt(7)).isEqualTo(1);
        assertThat(checks.getDouble(9)).isGreaterThan(100);
        Row blank = ImageChecks.check(Shards.encode(blank(), "png"), LIMITS);
        assertThat(blank.getDouble(8)).isEqualTo(PerceptualHash.luminance(10, 200, 30));
        assertThat(blank.getDouble(9)).isZero();
        // cut behind the head: the sides are known, the pixels are not
        Row cut = ImageChecks.check(Arrays.copyOf(Shards.encode(Shards.picture(300, 300, 1), "jpg"), 3_000), LIMITS);
        assertThat(cut.getBoolean(0)).isFalse();
        assertThat(cut.getString(1)).isEqualTo("INVALID_IMAGE");
        assertThat(cut.getInt(4)).isEqualTo(300);
        assertThat(cut.isNullAt(10)).isTrue();
        Row none = ImageChecks.check(new byte[3], LIMITS);
        assertThat(none.isNullAt(4)).isTrue();
        assertThat(none.getString(11)).hasSize(64);
    }

    @Test
    void readsFilesAndTheFramesOfVideos() throws Exception {
        Shards.Memory files = new Shards.Memory()
                .with("a/one.png", Shards.png(1))
                .with("a/one.txt", Shards.text("a caption"))
                .with("b/drive.gif", Files.readAllBytes(Path.of("../data/corpus/video/actions-1-000000/drive.gif")));
        List<Row> listing = List.of(
                RowFactory.create("a/one", "a/one.png", "a/one.txt", 0, null),
                RowFactory.create("b/drive", "b/drive.gif", null, 0, null),
                RowFactory.create("c/gone", "c/gone.png", null, 0, null));
        Dataset<Row> samples = ImageFiles.read(
                LocalSpark.session().createDataFrame(listing, ImageFiles.LISTING), files, ReaderLimits.STANDARD);
        List<Row> frames = ImageFiles.frames(samples, 1, LIMITS)
                .orderBy(Samples.KEY, Samples.POSITION)
                .collectAsList();
        // 7 frames of half a second are shown at 0, 1, 2 and 3 seconds
        assertThat(frames.stream().map(row -> row.getString(0) + " " + row.getInt(1)))
                .containsExactly("a/one 0", "b/drive 0", "b/drive 1", "b/drive 2", "b/drive 3", "c/gone 0");
        assertThat(frames.get(0).<String>getAs(Samples.CAPTION)).isEqualTo("a caption");
        assertThat(frames.get(5).<String>getAs(Samples.REASON)).isEqualTo("UNREADABLE_SHARD");
        for (int i = 1; i < 5; i++) {
            assertThat(ImageChecks.check(frames.get(i).getAs(Samples.IMAGE), LIMITS)
                            .getString(3))
                    .isEqualTo("png");
            assertThat(((Row) frames.get(i).getAs(Samples.SOURCE)).<Integer>getAs("frame_index"))
                    .isEqualTo(2 * (i - 1));
        }
        // frames are alike by nature: none is a duplicate of another
        assertThat(reasons(corpus(ImageFiles.frames(samples, 1, LIMITS)))).containsEntry("b/drive", null);
    }

    @Test
    void rowsOfTablesAreHeldToTheLimits() {
        ReaderLimits limits = new ReaderLimits(50_000, 100);
        byte[] image = Shards.png(1);
        Row whole = Samples.of("table", "a", image, Shards.text("caption"), limits);
        assertThat(whole.<String>getAs(Samples.REASON)).isNull();
        assertThat(whole.<String>getAs(Samples.CAPTION)).isEqualTo("caption");
        assertThat(((Row) whole.getAs(Samples.SOURCE)).<Long>getAs("byte_size")).isEqualTo(image.length);
        assertThat(Samples.of("table", null, image, null, limits).<String>getAs(Samples.KEY))
                .isEqualTo(ImageChecks.digest(image));
        List<Row> rejected = List.of(
                Samples.of("table", "b", null, Shards.text("caption"), limits),
                Samples.of("table", "c", image, Shards.text("c".repeat(200)), limits),
                Samples.of("table", "d", new byte[60_000], null, limits),
                Samples.of("table", "e", image, new byte[] {(byte) 0xFF}, limits));
        assertThat(rejected.stream().map(row -> row.<String>getAs(Samples.REASON)))
                .containsExactly("NO_IMAGE", "CAPTION_TOO_LARGE", "MEMBER_TOO_LARGE", "INVALID_CAPTION");
    }

    private static Dataset<Row> corpus(Dataset<Row> samples) {
        Dataset<Row> checked = ImageRules.STANDARD
                .apply(ImageChecks.add(samples, functions.col(Samples.IMAGE), LIMITS))
                .persist();
        return ImageCorpus.marked(checked, ImageDuplicates.STANDARD.clusters(ImageCorpus.candidates(checked)));
    }

    private static Map<String, String> reasons(Dataset<Row> corpus) {
        List<Row> rows = corpus.select(Samples.KEY, Samples.REASON).collectAsList();
        Map<String, List<Row>> byKey =
                rows.stream().collect(Collectors.groupingBy(row -> String.valueOf(row.getString(0))));
        Map<String, String> reasons = new TreeMap<>();
        byKey.forEach((key, all) -> reasons.put(key, all.get(0).getString(1)));
        return reasons;
    }

    private static BufferedImage blank() {
        BufferedImage image = new BufferedImage(90, 90, BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = image.createGraphics();
        graphics.setColor(new Color(10, 200, 30));
        graphics.fillRect(0, 0, 90, 90);
        graphics.dispose();
        return image;
    }
}
