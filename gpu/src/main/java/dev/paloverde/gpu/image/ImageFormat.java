package dev.paloverde.gpu.image;

import java.util.Optional;

/** Formats of image files, known by how they begin and never by a name. */
public enum ImageFormat {
    /** ISO 10918-1. */
    JPEG,
    /** ISO 15948. */
    PNG,
    /** GIF87a and GIF89a. */
    GIF,
    /** RFC 9649. */
    WEBP,
    /** Windows bitmaps. */
    BMP;

    private static final int LONGEST = 12;

    /** {@return the format of a file; empty for none of these} */
    public static Optional<ImageFormat> of(byte[] file) {
        if (file.length < LONGEST) {
            return Optional.empty();
        }
        if (begins(file, 0, 0xff, 0xd8, 0xff)) {
            return Optional.of(JPEG);
        }
        if (begins(file, 0, 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n')) {
            return Optional.of(PNG);
        }
        if (begins(file, 0, 'G', 'I', 'F', '8') && (file[4] == '7' || file[4] == '9') && file[5] == 'a') {
            return Optional.of(GIF);
        }
        if (begins(file, 0, 'R', 'I', 'F', 'F') && begins(file, 8, 'W', 'E', 'B', 'P')) {
            return Optional.of(WEBP);
        }
        return begins(file, 0, 'B', 'M') ? Optional.of(BMP) : Optional.empty();
    }

    private static boolean begins(byte[] file, int at, int... bytes) {
        for (int i = 0; i < bytes.length; i++) {
            if ((file[at + i] & 0xff) != bytes[i]) {
                return false;
            }
        }
        return true;
    }
}
