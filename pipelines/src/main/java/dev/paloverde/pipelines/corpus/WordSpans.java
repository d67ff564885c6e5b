package dev.paloverde.pipelines.corpus;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.spark.sql.catalyst.expressions.XXH64;
import org.apache.spark.unsafe.Platform;

/** The words of a text as they stand there, each with the bytes it takes of the text's UTF-8, and a hash of those. */
final class WordSpans {
    private static final long SEED = 0;

    private int[] begins = new int[16];
    private int[] ends = new int[16];
    private long[] hashes;
    private int count;

    private WordSpans() {}

    static WordSpans of(String text) {
        WordSpans spans = new WordSpans();
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        int at = 0;
        int begin = -1;
        for (int i = 0; i < text.length(); ) {
            int point = text.codePointAt(i);
            i += Character.charCount(point);
            // what is no character at all is written as a question mark
            int length = point < 0x80 ? 1 : point < 0x800 ? 2 : isSurrogate(point) ? 1 : point < 0x10000 ? 3 : 4;
            if (Character.isWhitespace(point) || Character.isSpaceChar(point)) {
                begin = spans.end(begin, at);
            } else if (Words.isSpaceless(point)) {
                begin = spans.end(begin, at);
                begin = spans.end(at, at + length);
            } else if (begin < 0) {
                begin = at;
            }
            at += length;
        }
        spans.end(begin, at);
        spans.hashes = new long[spans.count];
        for (int i = 0; i < spans.count; i++) {
            spans.hashes[i] = XXH64.hashUnsafeBytes(
                    bytes, Platform.BYTE_ARRAY_OFFSET + spans.begins[i], spans.ends[i] - spans.begins[i], SEED);
        }
        return spans;
    }

    private static boolean isSurrogate(int point) {
        return point >= Character.MIN_SURROGATE && point <= Character.MAX_SURROGATE;
    }

    /** Ends the word that began somewhere, if one did; {@return that none has begun} */
    private int end(int begin, int end) {
        if (begin >= 0) {
            if (count == begins.length) {
                begins = Arrays.copyOf(begins, count * 2);
                ends = Arrays.copyOf(ends, count * 2);
            }
            begins[count] = begin;
            ends[count++] = end;
        }
        return -1;
    }

    int count() {
        return count;
    }

    /** {@return the first byte of a word} */
    int begin(int word) {
        return begins[word];
    }

    /** {@return the byte after its last} */
    int end(int word) {
        return ends[word];
    }

    long hash(int word) {
        return hashes[word];
    }
}
