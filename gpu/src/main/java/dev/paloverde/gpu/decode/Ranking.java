package dev.paloverde.gpu.decode;

import java.util.Arrays;

/**
 * The most likely tokens of one row of logits, in order: by falling logit, and by rising id among equal ones. The whole
 * vocabulary is never sorted: a histogram over the upper 16 bits of the logits tells which tokens can be among the first
 * n, and only those are.
 */
final class Ranking {
    private static final int BUCKETS = 1 << 16;

    private final int[] histogram = new int[BUCKETS];
    private long[] keys = new long[0];

    /**
     * Ranks the first n tokens.
     *
     * @param logits from {@code from}, one per token; none of them NaN
     * @param n how many, cut to the vocabulary
     * @param out at least n ids, most likely first
     */
    void top(float[] logits, int from, int vocabulary, int n, int[] out) {
        int wanted = Math.min(n, vocabulary);
        Arrays.fill(histogram, 0);
        for (int token = 0; token < vocabulary; token++) {
            histogram[falling(logits[from + token]) >>> 16]++;
        }
        int last = 0;
        int candidates = histogram[0];
        while (candidates < wanted) {
            candidates += histogram[++last];
        }
        if (keys.length < candidates) {
            keys = new long[candidates];
        }
        int count = 0;
        for (int token = 0; token < vocabulary; token++) {
            int falling = falling(logits[from + token]);
            if (falling >>> 16 <= last) {
                keys[count++] = (falling & 0xFFFFFFFFL) << 31 | token;
            }
        }
        Arrays.sort(keys, 0, count);
        for (int i = 0; i < wanted; i++) {
            out[i] = (int) keys[i] & Integer.MAX_VALUE;
        }
    }

    /** {@return bits that, unsigned, fall as the value rises; both zeros alike} */
    private static int falling(float value) {
        int bits = Float.floatToRawIntBits(value + 0f);
        return bits < 0 ? bits : ~bits & Integer.MAX_VALUE;
    }
}
