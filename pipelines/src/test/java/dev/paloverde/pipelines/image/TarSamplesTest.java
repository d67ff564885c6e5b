package dev.paloverde.pipelines.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.paloverde.gpu.image.ImageFile;
import dev.paloverde.gpu.image.ImageLimits;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;

/** Shards, whole and damaged: every sample is read or rejected with a code, and nothing is lost in between. */
class TarSamplesTest {
    private static final ReaderLimits SMALL = new ReaderLimits(50_000, 100);

    @Test
    void readsTheSampleShard() throws IOException {
        Path shard = Path.of("../data/corpus/image-text/000000.tar");
        List<Row> rows = TarSamples.all("sample", path -> Files.newInputStream(shard), ReaderLimits.STANDARD);
        assertThat(rows).hasSize(48);
        byte[] file = Files.readAllBytes(shard);
        for (Row row : rows) {
            assertThat(reason(row)).isNull();
            byte[] image = row.getAs(Samples.IMAGE);
            assertThat(ImageFile.open(image, ImageLimits.STANDARD).decode().width())
                    .isPositive();
            assertThat(row.<String>getAs(Samples.CAPTION)).isNotBlank();
            assertThat(row.<String>getAs(Samples.METADATA)).startsWith("{");
            // the span is where the image's bytes stand in the shard
            Row source = row.getAs(Samples.SOURCE);
            int offset = Math.toIntExact(source.<Long>getAs("byte_offset"));
            int size = Math.toIntExact(source.<Long>getAs("byte_size"));
            assertThat(Arrays.copyOfRange(file, offset, offset + size)).isEqualTo(image);
            assertThat(source.<String>getAs("member")).isEqualTo(row.getAs(Samples.KEY) + ".png");
        }
    }

    @Test
    void groupsNeighboursByTheNameBeforeTheFirstDot() {
        Map<String, byte[]> members = new LinkedHashMap<>();
        members.put("a/one.png", Shards.png(1));
        members.put("a/one.txt", Shards.text("first, ü"));
        members.put("a/one.seg.npy", new byte[10]);
        members.put("b/one.v1.jpg", Shards.png(2));
        members.put("b/one.json", Shards.text("{}"));
        members.put("README", Shards.text("no sample"));
        members.put("c/.hidden", Shards.text("no sample"));
        members.put("two.txt", Shards.text("no image"));
        for (byte[] shard : List.of(Shards.tar(members))) {
            List<Row> rows = Shards.read(shard, SMALL);
            assertThat(rows.stream().map(row -> row.<String>getAs(Samples.KEY)))
                    .containsExactly("a/one", "b/one", "two");
            assertThat(rows.get(0).<String>getAs(Samples.CAPTION)).isEqualTo("first, ü");
            assertThat(rows.get(1).<String>getAs(Samples.METADATA)).isEqualTo("{}");
            assertThat(reason(rows.get(2))).isEqualTo("NO_IMAGE");
        }
        List<Row> zipped = TarSamples.all(
                "s.tar.gz", new Shards.Memory().with("s.tar.gz", Shards.gzip(Shards.tar(members))), SMALL);
        assertThat(zipped).hasSize(3);
        assertThat((byte[]) zipped.get(0).getAs(Samples.IMAGE)).isEqualTo(Shards.png(1));
    }

    @Test
    void rejectsByCodeAndGoesOn() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(out)) {
            tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
            Shards.put(tar, new TarArchiveEntry("../../etc/evil.png", true), Shards.png(1));
            Shards.put(tar, new TarArchiveEntry("/etc/evil.png", true), Shards.png(1));
            TarArchiveEntry link = new TarArchiveEntry("link.png", TarConstants.LF_SYMLINK);
            link.setLinkName("/etc/passwd");
            tar.putArchiveEntry(link);
            tar.closeArchiveEntry();
            Shards.put(tar, new TarArchiveEntry("good.png"), Shards.png(2));
            Shards.put(tar, new TarArchiveEntry("large.png"), new byte[SMALL.imageBytes() + 1]);
            Shards.put(tar, new TarArchiveEntry("long.png"), Shards.png(3));
            Shards.put(tar, new TarArchiveEntry("long.txt"), new byte[10 << 20]);
            Shards.put(tar, new TarArchiveEntry("latin.png"), Shards.png(3));
            Shards.put(tar, new TarArchiveEntry("latin.txt"), new byte[] {'a', (byte) 0xe4});
            Shards.put(tar, new TarArchiveEntry("twice.png"), Shards.png(4));
            Shards.put(tar, new TarArchiveEntry("twice.jpg"), Shards.png(5));
            Shards.put(tar, new TarArchiveEntry("good.png"), Shards.png(6));
            Shards.put(tar, new TarArchiveEntry("last.png"), Shards.png(7));
        }
        List<Row> rows = Shards.read(out.toByteArray(), SMALL);
        assertThat(rows.stream().map(TarSamplesTest::reason))
                .containsExactly(
                        "UNSAFE_MEMBER",
                        "UNSAFE_MEMBER",
                        "UNSAFE_MEMBER",
                        null,
                        "MEMBER_TOO_LARGE",
                        "CAPTION_TOO_LARGE",
                        "INVALID_CAPTION",
                        "DUPLICATE_KEY",
                        "DUPLICATE_KEY",
                        null);
        Row long1 = rows.get(5).getAs(Samples.SOURCE);
        assertThat(long1.<String>getAs("member")).isEqualTo("long.txt");
        assertThat(long1.<Long>getAs("byte_size")).isEqualTo(10L << 20);
    }

    /** Cut at every 97th byte: the samples before the cut are as they were, and one row says where it is. */
    @Test
    void readsATruncatedShardUpToWhereItEnds() {
        Map<String, byte[]> members = new LinkedHashMap<>();
        for (int i = 0; i < 5; i++) {
            members.put("s" + i + ".png", Shards.encode(Shards.picture(9, 9, i), "png"));
            members.put("s" + i + ".txt", Shards.text("caption " + i));
        }
        byte[] shard = Shards.tar(members);
        List<Row> whole = Shards.read(shard, SMALL);
        int end = shard.length;
        while (shard[end - 1] == 0) {
            end--;
        }
        end = (end + 511) / 512 * 512;
        int fewest = 5;
        int[] lengths = IntStream.concat(
                        IntStream.iterate(shard.length, n -> n >= 0, n -> n - 97),
                        IntStream.iterate(shard.length, n -> n >= 0, n -> n - 512))
                .toArray();
        for (int length : lengths) {
            List<Row> rows = Shards.read(Arrays.copyOf(shard, length), SMALL);
            List<Row> read = rows.stream().filter(row -> reason(row) == null).toList();
            for (int i = 0; i < read.size(); i++) {
                assertThat((byte[]) read.get(i).getAs(Samples.IMAGE))
                        .as("%d of %d bytes", length, shard.length)
                        .isEqualTo(whole.get(i).getAs(Samples.IMAGE));
            }
            // of the end a reader needs one record of zeros; without it, a cut between two members would not show
            int marked = length >= end + 512 ? 0 : 1;
            assertThat(rows.size() - read.size())
                    .as("%d of %d bytes", length, shard.length)
                    .isEqualTo(marked);
            fewest = Math.min(fewest, read.size());
        }
        assertThat(fewest).isZero();
        // within the data of the third sample's image
        int cut = Math.toIntExact(((Row) whole.get(2).getAs(Samples.SOURCE)).<Long>getAs("byte_offset")) + 20;
        List<Row> rows = Shards.read(Arrays.copyOf(shard, cut), SMALL);
        assertThat(rows.stream().map(TarSamplesTest::reason)).containsExactly(null, null, "TRUNCATED_SHARD");
        Row source = rows.get(2).getAs(Samples.SOURCE);
        assertThat(source.<String>getAs("member")).isEqualTo("s2.png");
        assertThat(source.<Long>getAs("byte_offset")).isEqualTo(cut - 20);
    }

    @Property(tries = 300, shrinking = ShrinkingMode.OFF)
    void survivesDamage(@ForAll Random random) {
        Map<String, byte[]> members = new LinkedHashMap<>();
        for (int i = 0; i < 4; i++) {
            members.put("s" + i + ".png", Shards.encode(Shards.picture(9, 9, i), "png"));
            members.put("s" + i + ".txt", Shards.text("caption"));
        }
        byte[] shard = random.nextInt(4) == 0 ? Shards.gzip(Shards.tar(members)) : Shards.tar(members);
        for (int i = 0; i <= random.nextInt(40); i++) {
            shard[random.nextInt(shard.length)] = (byte) random.nextInt(256);
        }
        String name = shard[0] == 0x1f ? "s.tgz" : "s.tar";
        for (Row row : TarSamples.all(name, new Shards.Memory().with(name, shard), SMALL)) {
            byte[] image = row.getAs(Samples.IMAGE);
            assertThat(reason(row) == null).isEqualTo(image != null);
            assertThat(image == null || image.length <= SMALL.imageBytes()).isTrue();
            String caption = row.getAs(Samples.CAPTION);
            assertThat(Objects.requireNonNullElse(caption, "").length()).isLessThanOrEqualTo(SMALL.captionBytes());
        }
    }

    /** A header that says that a name of two gigabytes follows is not believed. */
    @Test
    void boundsWhatHeadersTake() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(out)) {
            Shards.put(tar, new TarArchiveEntry("good.png"), Shards.png(2));
            // whose caption might be what the damage hides
            Shards.put(tar, new TarArchiveEntry("open.png"), Shards.png(3));
            TarArchiveEntry longName = new TarArchiveEntry("././@LongLink", TarConstants.LF_GNUTYPE_LONGNAME);
            longName.setSize(3 << 20);
            tar.putArchiveEntry(longName);
            tar.write(new byte[3 << 20]);
            tar.closeArchiveEntry();
            Shards.put(tar, new TarArchiveEntry("after.png"), Shards.png(2));
        }
        List<Row> rows = Shards.read(out.toByteArray(), SMALL);
        assertThat(rows.stream().map(TarSamplesTest::reason)).containsExactly(null, "TRUNCATED_SHARD");
        assertThat(rows.get(1).<String>getAs(Samples.KEY)).isEqualTo("open");
        assertThat(rows.get(1).<String>getAs(Samples.DETAIL)).contains("1,048,576");
    }

    @Test
    void saysThatAShardIsGoneOrBreaksOff() {
        List<Row> gone = TarSamples.all("gone.tar", new Shards.Memory(), SMALL);
        assertThat(gone).hasSize(1);
        assertThat(reason(gone.get(0))).isEqualTo("UNREADABLE_SHARD");
        byte[] shard = Shards.tar(Map.of("a.png", Shards.png(1)));
        List<Row> broken = TarSamples.all(
                "broken.tar",
                path -> new FilterInputStream(InputStream.nullInputStream()) {
                    private int left = 900;

                    @Override
                    public int read(byte[] bytes, int offset, int length) throws IOException {
                        if (left == 0) {
                            throw new IOException("connection reset");
                        }
                        int count = Math.min(left, length);
                        System.arraycopy(shard, 900 - left, bytes, offset, count);
                        left -= count;
                        return count;
                    }
                },
                SMALL);
        assertThat(broken).hasSize(1);
        assertThat(broken.get(0).<String>getAs(Samples.DETAIL)).contains("connection reset");
    }

    /** A shard of any size goes through a bounded window: no more is asked of it than what was given out. */
    @Test
    void readsNoFurtherThanItIsAsked() {
        Map<String, byte[]> members = new LinkedHashMap<>();
        for (int i = 0; i < 200; i++) {
            members.put("s" + i + ".png", new byte[40_000]);
        }
        byte[] shard = Shards.tar(members);
        List<Long> asked = new ArrayList<>(List.of(0L));
        TarSamples samples = new TarSamples(
                "s.tar",
                path -> new FilterInputStream(new ByteArrayInputStream(shard)) {
                    @Override
                    public int read(byte[] bytes, int offset, int length) throws IOException {
                        int read = super.read(bytes, offset, length);
                        asked.set(0, asked.get(0) + Math.max(0, read));
                        return read;
                    }
                },
                SMALL);
        for (int i = 0; i < 10; i++) {
            samples.next();
        }
        assertThat(asked.get(0)).isLessThan(12 * 41_000 + 2 * 65_536);
        samples.close();
    }

    private static String reason(Row row) {
        return row.getAs(Samples.REASON);
    }

    @Test
    void aCompressedShardThatExpandsBeyondAllMeasureIsLeftAtThat() {
        Map<String, byte[]> members = new LinkedHashMap<>();
        members.put("a.png", Shards.png(1));
        members.put("b.bin", new byte[80 << 20]);
        members.put("c.png", Shards.png(2));
        byte[] shard = Shards.gzip(Shards.tar(members));
        List<Row> rows =
                TarSamples.all("bomb.tar.gz", new Shards.Memory().with("bomb.tar.gz", shard), ReaderLimits.STANDARD);
        assertThat(rows.stream().map(row -> String.valueOf(row.<Object>getAs(Samples.REASON))))
                .containsExactly("null", "TRUNCATED_SHARD");
        assertThat(rows.get(1).<String>getAs(Samples.DETAIL)).contains("expands to more than 250 times");
    }
}
