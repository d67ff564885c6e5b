package dev.paloverde.pipelines.image;

import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.image.ImageFile;
import dev.paloverde.gpu.image.ImageFormat;
import dev.paloverde.gpu.image.ImageLimits;
import dev.paloverde.gpu.image.Picture;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import javax.imageio.ImageIO;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructType;

/**
 * Reads images that are files by themselves, and videos that are folders of frames or animated GIFs. What is read is listed
 * beforehand: {@link #LISTING}.
 */
public final class ImageFiles {
    /** A sample's key, the path of its image, that of its caption or null, and its place among the frames of a key. */
    public static final StructType LISTING = new StructType()
            .add("key", "string", false)
            .add("path", "string", false)
            .add("caption_path", "string", true)
            .add("position", "int", false)
            .add("frame_index", "int", true);

    private static final int MILLIS = 1_000;

    private ImageFiles() {}

    /** {@return the samples of listed files, {@link Samples#SCHEMA}, one of each} */
    public static Dataset<Row> read(Dataset<Row> listing, ShardOpener opener, ReaderLimits limits) {
        FlatMapFunction<Row, Row> one =
                row -> List.of(read(row, opener, limits)).iterator();
        return listing.flatMap(one, Encoders.row(Samples.SCHEMA));
    }

    private static Row read(Row listed, ShardOpener opener, ReaderLimits limits) {
        String key = listed.getString(0);
        String path = listed.getString(1);
        Integer frame = listed.isNullAt(4) ? null : listed.getInt(4);
        byte[] image;
        byte[] caption;
        try {
            image = bytes(path, opener, limits.imageBytes());
            caption = listed.isNullAt(2) ? null : bytes(listed.getString(2), opener, limits.captionBytes());
        } catch (IOException | RuntimeException e) {
            return Samples.rejected(
                    key,
                    Samples.source(path, null, null, null, frame),
                    ImageRejectReason.UNREADABLE_SHARD,
                    (e instanceof FileNotFoundException ? "the file is gone: " : "the file cannot be read: ") + e);
        }
        Row source = Samples.source(path, null, 0L, (long) image.length, frame);
        if (image.length > limits.imageBytes()) {
            return Samples.rejected(
                    key,
                    source,
                    ImageRejectReason.MEMBER_TOO_LARGE,
                    "more than the %,d bytes allowed".formatted(limits.imageBytes()));
        }
        if (caption != null && caption.length > limits.captionBytes()) {
            return Samples.rejected(
                    key,
                    source,
                    ImageRejectReason.CAPTION_TOO_LARGE,
                    "more than the %,d bytes allowed".formatted(limits.captionBytes()));
        }
        String text = caption == null ? null : Samples.text(caption);
        if (caption != null && text == null) {
            return Samples.rejected(key, source, ImageRejectReason.INVALID_CAPTION, "not UTF-8");
        }
        return Samples.read(key, listed.getInt(3), image, text, null, source);
    }

    /** One byte more than the limit says that there is more. */
    private static byte[] bytes(String path, ShardOpener opener, int limit) throws IOException {
        try (InputStream in = opener.open(path)) {
            return in.readNBytes(limit == Integer.MAX_VALUE ? limit : limit + 1);
        }
    }

    /**
     * {@return the samples with each animated GIF replaced by the frames that are shown at a rate, as PNG files} A key's
     * positions are its frames in order; all else stays as it is.
     *
     * @param framesPerSecond above 0
     */
    public static Dataset<Row> frames(Dataset<Row> samples, double framesPerSecond, ImageLimits limits) {
        int step = (int) Math.max(1, Math.round(MILLIS / framesPerSecond));
        FlatMapFunction<Row, Row> expand = row -> frames(row, step, limits);
        return samples.flatMap(expand, Encoders.row(Samples.SCHEMA));
    }

    private static Iterator<Row> frames(Row row, int step, ImageLimits limits) {
        byte[] bytes = row.getAs(Samples.IMAGE);
        if (bytes == null
                || ImageFormat.of(bytes).filter(ImageFormat.GIF::equals).isEmpty()) {
            return List.of(row).iterator();
        }
        Row source = row.getAs(Samples.SOURCE);
        List<Row> frames = new ArrayList<>();
        try {
            ImageFile file = ImageFile.open(bytes, limits);
            if (file.frames() == 1) {
                return List.of(row).iterator();
            }
            int[] numbers = file.sampledFrames(step);
            for (Picture picture : file.sample(step)) {
                frames.add(Samples.read(
                        row.getAs(Samples.KEY),
                        frames.size(),
                        png(picture),
                        row.getAs(Samples.CAPTION),
                        row.getAs(Samples.METADATA),
                        Samples.source(
                                source.getAs("path"),
                                source.getAs("member"),
                                source.getAs("byte_offset"),
                                source.getAs("byte_size"),
                                numbers[frames.size()])));
            }
        } catch (PaloverdeException e) {
            return List.of(Samples.rejected(
                            row.getAs(Samples.KEY),
                            source,
                            ImageRejectReason.valueOf(e.code().name()),
                            e.getMessage()))
                    .iterator();
        }
        return frames.iterator();
    }

    static byte[] png(Picture picture) {
        BufferedImage image = new BufferedImage(picture.width(), picture.height(), BufferedImage.TYPE_INT_RGB);
        for (int y = 0; y < picture.height(); y++) {
            for (int x = 0; x < picture.width(); x++) {
                image.setRGB(
                        x, y, picture.sample(x, y, 0) << 16 | picture.sample(x, y, 1) << 8 | picture.sample(x, y, 2));
            }
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try {
            ImageIO.write(image, "png", out);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }
}
