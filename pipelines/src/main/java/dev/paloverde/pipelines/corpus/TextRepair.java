package dev.paloverde.pipelines.corpus;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;

/**
 * Mends what happened to a text on its way, and nothing an author may have meant:
 *
 * <ul>
 *   <li>A line that is UTF-8 read as windows-1252 ({@code cafÃ©}) is read as UTF-8. That is so if all of its characters are
 *       of windows-1252, their bytes are well-formed UTF-8, and one of them begins a sequence as Latin letters,
 *       punctuation, Greek, Cyrillic and emoji do.
 *   <li>Line ends become line feeds.
 *   <li>Control characters other than tab and line feed, and byte order marks, are left out.
 *   <li>The Unicode form becomes NFC.
 * </ul>
 *
 * A text that was mended is not changed by being mended again, unless it was misread more than once.
 */
public final class TextRepair {
    private static final Charset WINDOWS = Charset.forName("windows-1252");

    /** First characters of two, three and four bytes of UTF-8, as windows-1252 shows them. */
    private static final String LEADS = "\u00C2\u00C3\u00CE\u00CF\u00D0\u00D1\u00E2\u00F0";

    private TextRepair() {}

    /** {@return the mended text} */
    public static String repair(String text) {
        StringBuilder mended = new StringBuilder(text.length());
        int start = 0;
        while (start <= text.length()) {
            int end = text.indexOf('\n', start);
            end = end < 0 ? text.length() : end;
            append(mended, reread(text.substring(start, end)));
            if (end < text.length()) {
                mended.append('\n');
            }
            start = end + 1;
        }
        return Normalizer.isNormalized(mended, Normalizer.Form.NFC)
                ? mended.toString()
                : Normalizer.normalize(mended, Normalizer.Form.NFC);
    }

    private static void append(StringBuilder mended, String line) {
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            if (c == '\r') {
                // before the line feed it goes; alone it is one
                if (i + 1 < line.length()) {
                    mended.append('\n');
                }
            } else if (c == '\t' || !Character.isISOControl(c) && c != '\uFEFF') {
                mended.append(c);
            }
        }
    }

    private static String reread(String line) {
        boolean suspect = false;
        for (int i = 0; i < line.length() && !suspect; i++) {
            suspect = LEADS.indexOf(line.charAt(i)) >= 0;
        }
        if (!suspect) {
            return line;
        }
        ByteBuffer bytes = ByteBuffer.allocate(line.length());
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            if (c < 0xA0) {
                // the five bytes that windows-1252 leaves free are shown as control characters
                bytes.put((byte) c);
            } else {
                byte[] one = String.valueOf(c).getBytes(WINDOWS);
                if (one[0] == '?') {
                    return line;
                }
                bytes.put(one[0]);
            }
        }
        try {
            CharBuffer read = StandardCharsets.UTF_8.newDecoder().decode(bytes.flip());
            return read.toString();
        } catch (CharacterCodingException e) {
            return line;
        }
    }
}
