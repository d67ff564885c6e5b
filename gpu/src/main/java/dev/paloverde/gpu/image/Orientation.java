package dev.paloverde.gpu.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * How a camera was held: what has to be done to an image to see it upright, by the tag Orientation of Exif 2.32 (CIPA DC-008,
 * section 4.6.4). In the order of its numbers, from 1.
 */
enum Orientation {
    NORMAL,
    MIRRORED,
    TURNED_HALF,
    UPSIDE_DOWN,
    TRANSPOSED,
    TURNED_RIGHT,
    TRANSVERSE,
    TURNED_LEFT;

    private static final int TAG = 0x0112;
    private static final int ENTRY_BYTES = 12;
    private static final int SHORT = 3;
    private static final byte[] EXIF = "Exif\0\0".getBytes(StandardCharsets.ISO_8859_1);

    private static final int JPEG_SCAN = 0xda;
    private static final int JPEG_APPLICATION_1 = 0xe1;
    private static final int PNG_EXIF = 0x65584966;
    private static final int WEBP_EXIF = 0x46495845;

    /** {@return what a file says, or {@link #NORMAL}: Exif data that is damaged says nothing, and is no error of the image} */
    static Orientation of(ImageFormat format, byte[] file) {
        return switch (format) {
            case JPEG -> ofJpeg(file);
            case PNG -> ofChunks(file, 8, ByteOrder.BIG_ENDIAN);
            case WEBP -> ofChunks(file, 12, ByteOrder.LITTLE_ENDIAN);
            case GIF, BMP -> NORMAL;
        };
    }

    /** Segments up to the first scan: a marker and, with its own two bytes, a length. */
    private static Orientation ofJpeg(byte[] file) {
        ByteBuffer bytes = ByteBuffer.wrap(file);
        int at = 2;
        while (at + 4 <= file.length && (file[at] & 0xff) == 0xff) {
            int marker = file[at + 1] & 0xff;
            if (marker == 0xff) {
                at++;
                continue;
            }
            int end = at + 2 + (bytes.getShort(at + 2) & 0xffff);
            if (marker == JPEG_SCAN || end > file.length) {
                return NORMAL;
            }
            if (marker == JPEG_APPLICATION_1 && hasExif(file, at + 4, end)) {
                return ofTiff(file, at + 4 + EXIF.length, end);
            }
            at = end;
        }
        return NORMAL;
    }

    /** Chunks of a PNG file (length, type, data, checksum) or of a RIFF file (type, length, data, to an even number). */
    private static Orientation ofChunks(byte[] file, int first, ByteOrder order) {
        ByteBuffer bytes = ByteBuffer.wrap(file).order(order);
        boolean png = order == ByteOrder.BIG_ENDIAN;
        long at = first;
        while (at + 8 <= file.length) {
            long length = bytes.getInt((int) at + (png ? 0 : 4)) & 0xffff_ffffL;
            int type = bytes.getInt((int) at + (png ? 4 : 0));
            long end = at + 8 + length;
            if (end > file.length) {
                return NORMAL;
            }
            if (type == (png ? PNG_EXIF : WEBP_EXIF)) {
                int from = (int) at + 8;
                return ofTiff(file, hasExif(file, from, (int) end) ? from + EXIF.length : from, (int) end);
            }
            at = png ? end + 4 : end + length % 2;
        }
        return NORMAL;
    }

    private static boolean hasExif(byte[] file, int from, int to) {
        return to - from >= EXIF.length && Arrays.equals(file, from, from + EXIF.length, EXIF, 0, EXIF.length);
    }

    /** The first directory of what is a TIFF file of its own. */
    private static Orientation ofTiff(byte[] file, int from, int to) {
        ByteBuffer tiff = ByteBuffer.wrap(file, from, to - from).slice();
        if (tiff.limit() < 8) {
            return NORMAL;
        }
        tiff.order(tiff.get(0) == 'I' ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
        long directory = tiff.getInt(4) & 0xffff_ffffL;
        if (tiff.getShort(2) != 42 || directory + 2 > tiff.limit()) {
            return NORMAL;
        }
        int entries = tiff.getShort((int) directory) & 0xffff;
        for (int entry = 0; entry < entries; entry++) {
            int at = (int) directory + 2 + ENTRY_BYTES * entry;
            if (at + ENTRY_BYTES > tiff.limit()) {
                return NORMAL;
            }
            if (tiff.getShort(at) == TAG) {
                int number = tiff.getShort(at + 8);
                boolean known = tiff.getShort(at + 2) == SHORT && number >= 1 && number <= values().length;
                return known ? values()[number - 1] : NORMAL;
            }
        }
        return NORMAL;
    }

    /** {@return whether rows become columns} */
    boolean swapsSides() {
        return ordinal() >= TRANSPOSED.ordinal();
    }

    /** {@return the picture upright} */
    Picture apply(Picture picture) {
        if (this == NORMAL) {
            return picture;
        }
        int right = picture.width() - 1;
        int bottom = picture.height() - 1;
        int width = swapsSides() ? picture.height() : picture.width();
        int height = swapsSides() ? picture.width() : picture.height();
        byte[] in = picture.rgb();
        byte[] out = new byte[in.length];
        int to = 0;
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int column = switch (this) {
                    case NORMAL, UPSIDE_DOWN -> x;
                    case MIRRORED, TURNED_HALF -> right - x;
                    case TRANSPOSED, TURNED_RIGHT -> y;
                    case TRANSVERSE, TURNED_LEFT -> right - y;
                };
                int row = switch (this) {
                    case NORMAL, MIRRORED -> y;
                    case TURNED_HALF, UPSIDE_DOWN -> bottom - y;
                    case TRANSPOSED, TURNED_LEFT -> x;
                    case TURNED_RIGHT, TRANSVERSE -> bottom - x;
                };
                System.arraycopy(in, 3 * (row * picture.width() + column), out, to, 3);
                to += 3;
            }
        }
        return new Picture(width, height, out);
    }
}
