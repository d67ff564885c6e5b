package dev.paloverde.gpu.decode;

import java.util.Arrays;

/**
 * The most likely tokens of one row of logits, in order: by falling logit, and by rising id among equal ones. The whole
 * vocabulary is sorted only for those who want most of it. For the first n, it is cut into more than n blocks: the n-th
 * largest of the blocks' maxima is a logit that n tokens reach, so that only tokens that reach it can be among the first
 * n, and these are few.
 */
final class Ranking {
    /** Blocks to a wanted token. */
    private static final int BLOCKS = 8;
    /** Narrower blocks than this would hardly leave tokens out. */
    private static final int NARROWEST = 4;

    private float[] maxima = new float[0];
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
        float least = reachedBy(logits, from, vocabulary, wanted);
        int count = 0;
        for (int token = 0; token < vocabulary; token++) {
            if (logits[from + token] >= least) {
                if (count == keys.length) {
                    keys = Arrays.copyOf(keys, Math.max(256, 2 * count));
                }
                keys[count++] = falling(logits[from + token]) << 31 | token;
            }
        }
        Arrays.sort(keys, 0, count);
        for (int i = 0; i < wanted; i++) {
            out[i] = (int) keys[i] & Integer.MAX_VALUE;
        }
    }

    /** A logit that at least as many tokens reach as are wanted. */
    private float reachedBy(float[] logits, int from, int vocabulary, int wanted) {
        int width = vocabulary / BLOCKS / wanted;
        if (width < NARROWEST) {
            return Float.NEGATIVE_INFINITY;
        }
        int blocks = (vocabulary + width - 1) / width;
        if (maxima.length < blocks) {
            maxima = new float[blocks];
        }
        for (int block = 0; block < blocks; block++) {
            int end = from + Math.min(vocabulary, (block + 1) * width);
            float largest = Float.NEGATIVE_INFINITY;
            for (int i = from + block * width; i < end; i++) {
                largest = Math.max(largest, logits[i]);
            }
            maxima[block] = largest;
        }
        Arrays.sort(maxima, 0, blocks);
        return maxima[blocks - wanted];
    }

    /** {@return 32 bits that, unsigned, fall as the value rises; both zeros alike} */
    private static long falling(float value) {
        int bits = Float.floatToRawIntBits(value + 0f);
        return (bits ^ bits >> 31 & Integer.MAX_VALUE ^ Integer.MAX_VALUE) & 0xFFFFFFFFL;
    }
}
