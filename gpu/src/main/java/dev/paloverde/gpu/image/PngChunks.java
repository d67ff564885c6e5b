package dev.paloverde.gpu.image;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.nio.ByteBuffer;

/** The chunks that a PNG file is made of, without what is in them. */
final class PngChunks {
    private static final int SIGNATURE_BYTES = 8;
    /** Length, type and checksum. */
    private static final int FRAME_BYTES = 12;

    private static final int END = 0x49454e44;

    private PngChunks() {}

    /** @throws PaloverdeException INVALID_IMAGE for a file that ends before its last chunk does: readers fill in for that */
    static void requireWhole(byte[] bytes) {
        ByteBuffer file = ByteBuffer.wrap(bytes);
        long at = SIGNATURE_BYTES;
        while (at + FRAME_BYTES <= bytes.length) {
            long length = file.getInt((int) at) & 0xffff_ffffL;
            boolean end = file.getInt((int) at + 4) == END;
            at += FRAME_BYTES + length;
            if (end && at <= bytes.length) {
                return;
            }
        }
        throw new PaloverdeException(
                ErrorCode.INVALID_IMAGE,
                "the PNG file of %,d bytes ends before its last chunk".formatted(bytes.length));
    }
}
