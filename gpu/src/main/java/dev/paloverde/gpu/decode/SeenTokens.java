package dev.paloverde.gpu.decode;

import java.util.Arrays;
import java.util.BitSet;

/** The distinct tokens of a sequence. */
final class SeenTokens {
    private final BitSet members = new BitSet();
    private int[] tokens = new int[32];
    private int count;

    void add(int token) {
        if (members.get(token)) {
            return;
        }
        members.set(token);
        if (count == tokens.length) {
            tokens = Arrays.copyOf(tokens, 2 * count);
        }
        tokens[count++] = token;
    }

    int count() {
        return count;
    }

    /** {@return one of the distinct tokens, by index} */
    int token(int index) {
        return tokens[index];
    }
}
