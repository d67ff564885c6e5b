package dev.paloverde.gpu.image;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.List;
import javax.imageio.ImageReader;
import javax.imageio.stream.MemoryCacheImageInputStream;

/**
 * A file that should be an image: JPEG, PNG, GIF, WebP or BMP by its first bytes. Its sides are read and held against the
 * limits before anything is decoded. Whatever is wrong with it is a {@link PaloverdeException} of row scope.
 */
public final class ImageFile {
    /** Changes whenever the picture of any file does; part of every receipt. */
    public static final String VERSION = "images-2";

    private final byte[] bytes;
    private final ImageFormat format;
    private final ImageLimits limits;
    private final int width;
    private final int height;
    private final Orientation orientation;
    private final GifFrames gif;

    private ImageFile(byte[] bytes, ImageLimits limits) {
        this.bytes = bytes;
        this.limits = limits;
        format = ImageFormat.of(bytes)
                .orElseThrow(() -> new PaloverdeException(
                        ErrorCode.INVALID_IMAGE,
                        "the %,d bytes are not a JPEG, PNG, GIF, WebP or BMP file".formatted(bytes.length)));
        if (format == ImageFormat.PNG) {
            PngChunks.requireWhole(bytes);
        }
        gif = format == ImageFormat.GIF ? GifFrames.scan(bytes, limits) : null;
        orientation = Orientation.of(format, bytes);
        if (gif != null) {
            width = gif.width();
            height = gif.height();
        } else {
            int[] sides = read(reader -> new int[] {reader.getWidth(0), reader.getHeight(0)});
            width = sides[orientation.swapsSides() ? 1 : 0];
            height = sides[orientation.swapsSides() ? 0 : 1];
        }
        if (width < 1 || height < 1) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_IMAGE, "the image has %d x %d pixels".formatted(width, height));
        }
        limits.check(width, height);
    }

    /**
     * Reads the head of a file.
     *
     * @param bytes the file; not copied
     * @throws PaloverdeException {@code INVALID_IMAGE}, or {@code IMAGE_TOO_LARGE} before a pixel is decoded
     */
    public static ImageFile open(byte[] bytes, ImageLimits limits) {
        return new ImageFile(bytes, limits);
    }

    /** {@return the format} */
    public ImageFormat format() {
        return format;
    }

    /** {@return pixels in a row of what {@link #decode} gives} */
    public int width() {
        return width;
    }

    /** {@return rows of pixels} */
    public int height() {
        return height;
    }

    /** {@return images that follow one another in time; 1 for all but an animated GIF} */
    public int frames() {
        return gif == null ? 1 : gif.count();
    }

    /**
     * Decodes it, or the first frame of it. Samples are taken as they stand: no colour profile is applied and transparency
     * is dropped, as by Pillow's {@code convert("RGB")}; of samples of 16 bits the upper 8 count. It is turned upright where
     * its Exif data say how the camera was held, as by Pillow's {@code exif_transpose}.
     *
     * @throws PaloverdeException {@code INVALID_IMAGE}, also for a file that ends too early
     */
    public Picture decode() {
        return gif == null ? orientation.apply(read(reader -> Rasters.rgb(Readers.whole(reader)))) : gif.first();
    }

    /**
     * Decodes the frames that are shown at whole multiples of a step of time.
     *
     * @param stepMillis at least 1
     * @return one picture for each step that begins before the end, at least one
     */
    public List<Picture> sample(int stepMillis) {
        if (gif == null) {
            return List.of(decode());
        }
        return gif.decode(gif.shownAt(stepMillis));
    }

    /** {@return which frame each picture of {@link #sample} is, from 0} */
    public int[] sampledFrames(int stepMillis) {
        return gif == null ? new int[1] : gif.shownAt(stepMillis);
    }

    /** What is asked of a reader. */
    private interface Reading<T> {
        T of(ImageReader reader) throws IOException;
    }

    private <T> T read(Reading<T> reading) {
        ImageReader reader = Readers.of(format);
        try (MemoryCacheImageInputStream stream = new MemoryCacheImageInputStream(new ByteArrayInputStream(bytes))) {
            reader.setInput(stream, true, true);
            return reading.of(reader);
        } catch (PaloverdeException e) {
            throw e;
        } catch (IOException | RuntimeException | OutOfMemoryError e) {
            // readers meet what damaged files tell them with every exception there is; sides are bounded, so that
            // memory
            // runs out only where a file's inner lengths lie
            throw new PaloverdeException(
                    ErrorCode.INVALID_IMAGE, "the %s file cannot be decoded: %s".formatted(format, e), e);
        } catch (LinkageError e) {
            throw Readers.unlinked(e);
        } finally {
            reader.dispose();
        }
    }
}
