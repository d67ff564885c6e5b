package dev.paloverde.pipelines.corpus;

import java.lang.Character.UnicodeScript;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.Arrays;
import org.apache.spark.sql.catalyst.expressions.XXH64;
import org.apache.spark.unsafe.Platform;

/**
 * The words of a text in the form in which texts are compared: Unicode form NFKC, lower case, runs of letters, digits and
 * marks. Of scripts that are written without spaces each character is a word. Punctuation and white space only separate.
 *
 * <p>The words lie one after another as UTF-8, one space between two, so that an n-gram is a range of bytes and is hashed
 * where it lies.
 */
final class Words {
    private static final int SPACELESS = 0x0E00;

    private byte[] bytes;
    private int length;
    private int[] starts;
    private int count;

    private Words(int capacity) {
        bytes = new byte[capacity + 8];
        starts = new int[capacity / 6 + 8];
    }

    static Words of(String text) {
        String composed = Normalizer.isNormalized(text, Normalizer.Form.NFKC)
                ? text
                : Normalizer.normalize(text, Normalizer.Form.NFKC);
        Words words = new Words(composed.length());
        boolean within = false;
        int at = 0;
        while (at < composed.length()) {
            int point = composed.codePointAt(at);
            at += Character.charCount(point);
            if (!isWordPart(point)) {
                within = false;
            } else if (isSpaceless(point)) {
                words.begin();
                words.append(point);
                within = false;
            } else {
                if (!within) {
                    words.begin();
                }
                words.append(Character.toLowerCase(point));
                within = true;
            }
        }
        return words;
    }

    /** {@return how many words there are} */
    int count() {
        return count;
    }

    /** {@return how many n-grams {@link #ngrams} has} */
    int ngramCount(int size) {
        return count == 0 ? 0 : Math.max(1, count - size + 1);
    }

    /**
     * {@return the xxHash64 of each n-gram's UTF-8, in order of the text; of a text with fewer words, that of all its words;
     * of a text without words, none}
     *
     * @param size words of an n-gram
     * @param seed seed of the hash
     */
    long[] ngrams(int size, long seed) {
        long[] hashes = new long[ngramCount(size)];
        for (int i = 0; i < hashes.length; i++) {
            hashes[i] = hash(i, Math.min(i + size, count), seed);
        }
        return hashes;
    }

    /** {@return words from one to before another, as they are compared} */
    String text(int from, int to) {
        return new String(bytes, starts[from], end(to - 1) - starts[from], StandardCharsets.UTF_8);
    }

    private long hash(int from, int to, long seed) {
        int start = starts[from];
        return XXH64.hashUnsafeBytes(bytes, Platform.BYTE_ARRAY_OFFSET + start, end(to - 1) - start, seed);
    }

    private int end(int word) {
        return word + 1 < count ? starts[word + 1] - 1 : length;
    }

    private void begin() {
        if (count == starts.length) {
            starts = Arrays.copyOf(starts, grown(count));
        }
        if (count > 0) {
            put(' ');
        }
        starts[count++] = length;
    }

    private void append(int point) {
        if (point < 0x80) {
            put(point);
        } else if (point < 0x800) {
            put(0xC0 | point >> 6);
            put(0x80 | point & 0x3F);
        } else if (point < 0x10000) {
            put(0xE0 | point >> 12);
            put(0x80 | point >> 6 & 0x3F);
            put(0x80 | point & 0x3F);
        } else {
            put(0xF0 | point >> 18);
            put(0x80 | point >> 12 & 0x3F);
            put(0x80 | point >> 6 & 0x3F);
            put(0x80 | point & 0x3F);
        }
    }

    private void put(int value) {
        if (length == bytes.length) {
            bytes = Arrays.copyOf(bytes, grown(length));
        }
        bytes[length++] = (byte) value;
    }

    private static int grown(int size) {
        return Math.addExact(size, (size >> 1) + 8);
    }

    private static boolean isWordPart(int point) {
        if (point < 0x80) {
            return point >= 'a' && point <= 'z' || point >= 'A' && point <= 'Z' || point >= '0' && point <= '9';
        }
        return Character.isLetterOrDigit(point)
                || switch (Character.getType(point)) {
                    case Character.NON_SPACING_MARK, Character.COMBINING_SPACING_MARK, Character.ENCLOSING_MARK -> true;
                    default -> false;
                };
    }

    static boolean isSpaceless(int point) {
        if (point < SPACELESS) {
            return false;
        }
        return Character.isIdeographic(point)
                || switch (UnicodeScript.of(point)) {
                    case HIRAGANA, KATAKANA, THAI, LAO, KHMER, MYANMAR -> true;
                    default -> false;
                };
    }
}
