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

    /** Forgets the tokens that were added after there were this many. */
    void truncate(int size) {
        while (count > size) {
            members.clear(tokens[--count]);
        }
    }

    SeenTokens copy() {
        SeenTokens copy = new SeenTokens();
        copy.members.or(members);
        copy.tokens = Arrays.copyOf(tokens, tokens.length);
        copy.count = count;
        return copy;
    }

    int count() {
        return count;
    }

    /** {@return the distinct tokens} */
    int[] tokens() {
        return Arrays.copyOf(tokens, count);
    }

    /** {@return one of the distinct tokens, by index} */
    int token(int index) {
        return tokens[index];
    }
}
