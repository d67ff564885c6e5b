package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.kernels.TokenChooser;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * The random numbers of one row: a function of (seed, row key, position, token, purpose) and of nothing else. Whoever
 * asks, in whatever order and however often, on a retry or in a draft model, gets the same number.
 *
 * <p>Seed and row key are hashed (SHA-256) to 96 bits: the key of {@link Philox} and the last word of its counter, whose
 * other words are token, position and purpose.
 */
final class RowNoise {
    /** What a number is drawn for: numbers of different purposes are independent. */
    enum Purpose {
        /** Gumbel noise that chooses the token of a position. */
        TOKEN,
        /** What a drafter proposes for a position, where the rule is rejection. */
        DRAFT,
        /** Whether it is accepted. */
        ACCEPT,
        /** What replaces it if it is not. */
        RESIDUAL
    }

    /** No Gumbel variable drawn here is larger than this. */
    static final double LARGEST_GUMBEL = 53 * StrictMath.log(2);

    private static final int LANES = 256;
    private static final double LN_2 = StrictMath.log(2);

    private final int key0;
    private final int key1;
    private final int stream;

    RowNoise(long seed, RowKey row) {
        ByteBuffer hash = ByteBuffer.wrap(Hashing.sha256(
                "paloverde/row-noise/1".getBytes(StandardCharsets.US_ASCII),
                ByteBuffer.allocate(24)
                        .putLong(seed)
                        .putLong(row.high())
                        .putLong(row.low())
                        .array()));
        key0 = hash.getInt();
        key1 = hash.getInt();
        stream = hash.getInt();
    }

    /** Writes what the row's numbers are keyed by as entry {@code index} of {@code draws}. */
    void key(TokenChooser.Draws draws, int index) {
        draws.keys0()[index] = key0;
        draws.keys1()[index] = key1;
        draws.streams()[index] = stream;
    }

    /** {@return a standard Gumbel variable: minus log of minus log of a uniform number of 52 bits, never infinite} */
    double gumbel(int position, int token) {
        return gumbel(Philox.bits(token, position, Purpose.TOKEN.ordinal(), stream, key0, key1));
    }

    /** {@return a uniform number of 52 bits, neither 0 nor 1} */
    double uniform(Purpose purpose, int position) {
        return uniform(Philox.bits(0, position, purpose.ordinal(), stream, key0, key1));
    }

    private static double uniform(long bits) {
        return ((bits >>> 12) + 0.5) * 0x1p-52;
    }

    /**
     * The token that maximises {@code logit / temperature + gumbel}, which has the law softmax(logits / temperature)
     * (Maddison, Tarlow and Minka, arXiv 1411.0030, section 2); the lowest id on a tie. Noise is drawn for tokens that
     * could still win, logarithms are taken for those that nearly do: {@code -log(-log u) <= -log(1 - u)}, and the
     * right-hand side is bounded by counting the leading zeros of {@code 1 - u}. Both bounds are exact, so that what is
     * skipped could not have won; a margin covers the rounding of both sides thousands of times over.
     *
     * @param logits from {@code from}, one per token
     * @param floor tokens whose logit is below it are left out
     * @param likeliest a token of the largest logit
     */
    int argmax(
            float[] logits, int from, int vocabulary, double temperature, double floor, int likeliest, int position) {
        double inverse = 1 / temperature;
        Philox.Lanes lanes = new Philox.Lanes(Math.min(LANES, vocabulary));
        int best = likeliest;
        double bestValue = logits[from + likeliest] / temperature + gumbel(position, likeliest);
        for (int first = 0; first < vocabulary; first += LANES) {
            int count = Math.min(LANES, vocabulary - first);
            float largest = Float.NEGATIVE_INFINITY;
            for (int lane = 0; lane < count; lane++) {
                largest = Math.max(largest, logits[from + first + lane]);
            }
            double hopeless = hopeless(bestValue);
            if (largest < floor || largest * inverse + LARGEST_GUMBEL < hopeless) {
                continue;
            }
            Philox.bits(lanes, first, count, position, Purpose.TOKEN.ordinal(), stream, key0, key1);
            for (int lane = 0; lane < count; lane++) {
                float logit = logits[from + first + lane];
                long bits = lanes.c0[lane];
                if (logit * inverse + gumbelBound(bits) < hopeless || logit < floor) {
                    continue;
                }
                double value = logit / temperature + gumbel(bits);
                int token = first + lane;
                if (value > bestValue || value == bestValue && token < best) {
                    best = token;
                    bestValue = value;
                }
            }
        }
        return best;
    }

    /**
     * The tokens of the largest {@code logit / temperature + gumbel}, in order; the lowest id first on a tie. The first is
     * {@link #argmax}'s. Skips what cannot be among them, as that does.
     *
     * @param floor tokens whose logit is below it are left out
     * @param out at least n ids, best first
     * @return how many there are: n, or fewer where fewer are left in
     */
    int top(
            float[] logits,
            int from,
            int vocabulary,
            double temperature,
            double floor,
            int position,
            int n,
            int[] out) {
        double inverse = 1 / temperature;
        Philox.Lanes lanes = new Philox.Lanes(Math.min(LANES, vocabulary));
        double[] values = new double[n];
        int found = 0;
        for (int first = 0; first < vocabulary; first += LANES) {
            int count = Math.min(LANES, vocabulary - first);
            Philox.bits(lanes, first, count, position, Purpose.TOKEN.ordinal(), stream, key0, key1);
            for (int lane = 0; lane < count; lane++) {
                float logit = logits[from + first + lane];
                long bits = lanes.c0[lane];
                if (logit < floor || found == n && logit * inverse + gumbelBound(bits) < hopeless(values[n - 1])) {
                    continue;
                }
                found = insert(logit / temperature + gumbel(bits), first + lane, values, out, found);
            }
        }
        return found;
    }

    private static double hopeless(double value) {
        return value - 1e-9 * (1 + Math.abs(value));
    }

    /** Puts a token, higher than all before it, at its place among the best; {@return how many there are now} */
    static int insert(double value, int token, double[] values, int[] tokens, int found) {
        int place = found;
        while (place > 0 && value > values[place - 1]) {
            place--;
        }
        if (place == values.length) {
            return found;
        }
        int count = Math.min(values.length, found + 1);
        System.arraycopy(values, place, values, place + 1, count - place - 1);
        System.arraycopy(tokens, place, tokens, place + 1, count - place - 1);
        values[place] = value;
        tokens[place] = token;
        return count;
    }

    static double gumbel(long bits) {
        return -StrictMath.log(-StrictMath.log(uniform(bits)));
    }

    /** {@return a number that {@code gumbel(bits)} does not exceed, without a logarithm} */
    static double gumbelBound(long bits) {
        long complement = ~bits >>> 12;
        return (Long.numberOfLeadingZeros(complement) - 11) * LN_2;
    }
}
