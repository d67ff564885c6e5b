package dev.paloverde.gpu.image;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import javax.imageio.ImageReader;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.metadata.IIOMetadataNode;
import javax.imageio.stream.MemoryCacheImageInputStream;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** The frames of a GIF file: where each lies on the canvas, for how long, and what it looks like over those before it. */
final class GifFrames {
    private static final String STREAM_FORMAT = "javax_imageio_gif_stream_1.0";
    private static final String IMAGE_FORMAT = "javax_imageio_gif_image_1.0";
    private static final byte TRAILER = 0x3b;

    /** Delays up to this are shown as {@link #UNTIMED_MILLIS}, as browsers do. */
    private static final int FASTEST_MILLIS = 10;

    private static final int UNTIMED_MILLIS = 100;

    /** How a frame leaves the canvas. */
    private enum Disposal {
        KEEP,
        CLEAR,
        RESTORE
    }

    private record Frame(int left, int top, int width, int height, int millis, Disposal disposal) {}

    private final byte[] bytes;
    private final ImageLimits limits;
    private final int width;
    private final int height;
    private final List<Frame> frames;

    private GifFrames(byte[] bytes, ImageLimits limits, int width, int height, List<Frame> frames) {
        this.bytes = bytes;
        this.limits = limits;
        this.width = width;
        this.height = height;
        this.frames = frames;
    }

    /** Reads all descriptors and no pixels. */
    static GifFrames scan(byte[] bytes, ImageLimits limits) {
        return read(bytes, reader -> {
            Element screen = child(reader.getStreamMetadata(), STREAM_FORMAT, "LogicalScreenDescriptor");
            int width = number(screen, "logicalScreenWidth");
            int height = number(screen, "logicalScreenHeight");
            List<Frame> frames = new ArrayList<>();
            try {
                for (int i = 0; ; i++) {
                    IIOMetadata metadata = reader.getImageMetadata(i);
                    Element place = child(metadata, IMAGE_FORMAT, "ImageDescriptor");
                    Element control = child(metadata, IMAGE_FORMAT, "GraphicControlExtension");
                    Frame frame = frame(place, control);
                    limits.check(frame.width, frame.height);
                    frames.add(frame);
                    if (frames.size() > limits.maxFrames()) {
                        throw new PaloverdeException(
                                ErrorCode.IMAGE_TOO_LARGE,
                                "the GIF file has more than the %,d frames allowed".formatted(limits.maxFrames()));
                    }
                }
            } catch (IndexOutOfBoundsException e) {
                // what the reader says where there is no further frame
            }
            if (frames.isEmpty()) {
                throw new IOException("there is no frame in it");
            }
            if (width == 0 || height == 0) {
                width = frames.get(0).width;
                height = frames.get(0).height;
            }
            if (bytes[bytes.length - 1] != TRAILER && !endsWithTrailer(bytes)) {
                throw new EOFException("it ends before its trailer");
            }
            return new GifFrames(bytes, limits, width, height, frames);
        });
    }

    /** Padding with zeros behind the trailer is common and harmless. */
    private static boolean endsWithTrailer(byte[] bytes) {
        int end = bytes.length;
        while (end > 0 && bytes[end - 1] == 0) {
            end--;
        }
        return end > 0 && bytes[end - 1] == TRAILER;
    }

    private static Frame frame(Element place, Element control) {
        int millis = control == null ? 0 : 10 * number(control, "delayTime");
        String disposal = control == null ? "" : control.getAttribute("disposalMethod");
        return new Frame(
                number(place, "imageLeftPosition"),
                number(place, "imageTopPosition"),
                number(place, "imageWidth"),
                number(place, "imageHeight"),
                millis <= FASTEST_MILLIS ? UNTIMED_MILLIS : millis,
                switch (disposal) {
                    case "restoreToBackgroundColor" -> Disposal.CLEAR;
                    case "restoreToPrevious" -> Disposal.RESTORE;
                    default -> Disposal.KEEP;
                });
    }

    private static Element child(IIOMetadata metadata, String format, String name) {
        NodeList found = ((IIOMetadataNode) metadata.getAsTree(format)).getElementsByTagName(name);
        return found.getLength() == 0 ? null : (Element) found.item(0);
    }

    private static int number(Element element, String attribute) {
        return Integer.parseInt(element.getAttribute(attribute));
    }

    int width() {
        return width;
    }

    int height() {
        return height;
    }

    int count() {
        return frames.size();
    }

    /** {@return for each multiple of a step of time before the end, which frame is shown then} */
    int[] shownAt(int stepMillis) {
        List<Integer> shown = new ArrayList<>();
        long end = 0;
        for (int i = 0; i < frames.size(); i++) {
            end += frames.get(i).millis;
            while ((long) shown.size() * stepMillis < end) {
                shown.add(i);
                if (shown.size() > limits.maxFrames()) {
                    throw new PaloverdeException(
                            ErrorCode.IMAGE_TOO_LARGE,
                            "the GIF file lasts for more than the %,d sampled frames allowed"
                                    .formatted(limits.maxFrames()));
                }
            }
        }
        return shown.stream().mapToInt(Integer::intValue).toArray();
    }

    /** {@return the first frame} */
    Picture first() {
        return decode(frame -> frame == 0, 0).get(0);
    }

    /** {@return what the canvas looks like while the given frames are shown; one picture for each, in order} */
    List<Picture> decode(int[] shown) {
        int last = shown[shown.length - 1];
        boolean[] wanted = new boolean[last + 1];
        int distinct = 0;
        for (int frame : shown) {
            distinct += wanted[frame] ? 0 : 1;
            wanted[frame] = true;
        }
        // together they stay within what one image may have
        limits.check((long) distinct * width, height);
        List<Picture> pictures = decode(frame -> wanted[frame], last);
        List<Picture> all = new ArrayList<>();
        int at = -1;
        int before = -1;
        for (int frame : shown) {
            at += frame == before ? 0 : 1;
            before = frame;
            all.add(pictures.get(at));
        }
        return all;
    }

    private List<Picture> decode(IntPredicate wanted, int last) {
        return read(bytes, reader -> {
            List<Picture> pictures = new ArrayList<>();
            byte[] canvas = new byte[3 * width * height];
            for (int i = 0; i <= last; i++) {
                Frame frame = frames.get(i);
                byte[] before = frame.disposal == Disposal.RESTORE ? canvas.clone() : null;
                draw(reader.read(i), frame, i == 0, canvas);
                if (wanted.test(i)) {
                    pictures.add(new Picture(width, height, canvas.clone()));
                }
                if (frame.disposal == Disposal.CLEAR) {
                    clear(frame, canvas);
                } else if (before != null) {
                    canvas = before;
                }
            }
            return pictures;
        });
    }

    /** The first frame's transparent pixels have the colour that the palette gives them; later ones' show what is below. */
    private void draw(BufferedImage image, Frame frame, boolean first, byte[] canvas) {
        if (!(image.getColorModel() instanceof IndexColorModel palette)) {
            throw new IllegalStateException("a frame without a palette");
        }
        int[] row = new int[image.getWidth()];
        int right = Math.min(image.getWidth(), width - frame.left);
        for (int y = 0; y < Math.min(image.getHeight(), height - frame.top); y++) {
            image.getRaster().getSamples(0, y, image.getWidth(), 1, 0, row);
            for (int x = 0; x < right; x++) {
                int index = Math.min(row[x], palette.getMapSize() - 1);
                if (first || palette.getAlpha(index) != 0) {
                    Rasters.put(canvas, (frame.top + y) * width + frame.left + x, palette.getRGB(index));
                }
            }
        }
    }

    private void clear(Frame frame, byte[] canvas) {
        int right = Math.min(frame.left + frame.width, width);
        for (int y = frame.top; y < Math.min(frame.top + frame.height, height); y++) {
            for (int x = frame.left; x < right; x++) {
                Rasters.put(canvas, y * width + x, 0);
            }
        }
    }

    private interface Reading<T> {
        T of(ImageReader reader) throws IOException;
    }

    private static <T> T read(byte[] bytes, Reading<T> reading) {
        ImageReader reader = Readers.of(ImageFormat.GIF);
        try (MemoryCacheImageInputStream stream = new MemoryCacheImageInputStream(new ByteArrayInputStream(bytes))) {
            reader.setInput(stream, false, false);
            return reading.of(reader);
        } catch (PaloverdeException e) {
            throw e;
        } catch (IOException | RuntimeException | OutOfMemoryError e) {
            throw new PaloverdeException(ErrorCode.INVALID_IMAGE, "the GIF file cannot be decoded: %s".formatted(e), e);
        } finally {
            reader.dispose();
        }
    }
}
