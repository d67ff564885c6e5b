package dev.paloverde.pipelines.image;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import javax.imageio.ImageIO;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.spark.sql.Row;

/** Shards and images that tests make. */
final class Shards {
    private Shards() {}

    /** Opens files that are in memory; serialisable, so that tasks can. */
    static final class Memory implements ShardOpener {
        private static final long serialVersionUID = 1L;

        private final LinkedHashMap<String, byte[]> files = new LinkedHashMap<>();

        Memory with(String path, byte[] bytes) {
            files.put(path, bytes);
            return this;
        }

        @Override
        public InputStream open(String path) throws IOException {
            byte[] bytes = files.get(path);
            if (bytes == null) {
                throw new FileNotFoundException(path);
            }
            return new ByteArrayInputStream(bytes);
        }
    }

    static byte[] text(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** A tar file of members in order. */
    static byte[] tar(Map<String, byte[]> members) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(out, "UTF-8")) {
            tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
            for (Map.Entry<String, byte[]> member : members.entrySet()) {
                put(tar, new TarArchiveEntry(member.getKey(), true), member.getValue());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    static void put(TarArchiveOutputStream tar, TarArchiveEntry entry, byte[] bytes) throws IOException {
        entry.setSize(bytes.length);
        tar.putArchiveEntry(entry);
        tar.write(bytes);
        tar.closeArchiveEntry();
    }

    static byte[] gzip(byte[] bytes) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    /** Waves whose lengths come from a seed: pictures of other seeds do not look alike. */
    static BufferedImage picture(int width, int height, long seed) {
        Random random = new Random(seed);
        double[] waves = random.doubles(6, 0.5, 6).toArray();
        BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                double u = (double) x / width;
                double v = (double) y / height;
                int color = 0;
                for (int c = 0; c < 3; c++) {
                    double value = Math.sin(6 * waves[0] * u + c) * Math.cos(6 * waves[1] * v)
                            + Math.sin(6 * waves[2] * (u + v) + waves[3])
                            + Math.cos(6 * waves[4] * (u - v) + waves[5]);
                    color = color << 8 | (int) (127 + 40 * value);
                }
                image.setRGB(x, y, color);
            }
        }
        return image;
    }

    static byte[] encode(BufferedImage image, String format) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try {
            ImageIO.write(image, format, out);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    static byte[] png(long seed) {
        return encode(picture(80, 70, seed), "png");
    }

    static List<Row> read(byte[] shard, ReaderLimits limits) {
        return TarSamples.all("shard.tar", new Memory().with("shard.tar", shard), limits);
    }
}
