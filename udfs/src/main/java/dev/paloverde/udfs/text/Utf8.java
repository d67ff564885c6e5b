package dev.paloverde.udfs.text;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.udfs.Settings.OnInvalidUtf8;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/** Bytes that should be UTF-8. Java's own conversion replaces in silence. */
final class Utf8 {
    private Utf8() {}

    /**
     * {@return the text of the bytes}
     *
     * @throws PaloverdeException {@code INVALID_UTF8}, naming the place of the first malformed sequence
     */
    static String read(byte[] bytes, OnInvalidUtf8 onInvalid) {
        if (onInvalid == OnInvalidUtf8.REPLACE) {
            return new String(bytes, StandardCharsets.UTF_8);
        }
        ByteBuffer in = ByteBuffer.wrap(bytes);
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(in)
                    .toString();
        } catch (CharacterCodingException e) {
            int at = in.position();
            throw new PaloverdeException(
                    ErrorCode.INVALID_UTF8,
                    ("byte %d of %d is 0x%02x, which is not UTF-8 there; set on-invalid-utf8=replace to read it as U+FFFD,"
                                    + " or convert the text to UTF-8 before")
                            .formatted(at, bytes.length, at < bytes.length ? bytes[at] & 0xff : 0),
                    e);
        }
    }

    /** {@return the number of bytes of a text in UTF-8} */
    static long length(String text) {
        long bytes = 0;
        for (int i = 0; i < text.length(); i++) {
            char unit = text.charAt(i);
            if (unit < 0x80) {
                bytes += 1;
            } else if (unit < 0x800) {
                bytes += 2;
            } else if (Character.isHighSurrogate(unit)
                    && i + 1 < text.length()
                    && Character.isLowSurrogate(text.charAt(i + 1))) {
                bytes += 4;
                i++;
            } else {
                bytes += 3;
            }
        }
        return bytes;
    }
}
