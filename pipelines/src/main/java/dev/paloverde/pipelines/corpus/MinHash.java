package dev.paloverde.pipelines.corpus;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.Serializable;
import java.util.Arrays;
import org.apache.spark.sql.catalyst.expressions.XXH64;

/**
 * MinHash signatures of texts (Broder, "On the resemblance and containment of documents", 1997) and their bands (Leskovec,
 * Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4). A text is the set of its n-grams of words. Each n-gram
 * is hashed by xxHash64, and that taken modulo p = 2^61 - 1 is x; function i of the family is h(x) = (a x + b) mod p, a and
 * b drawn from the seed (Carter and Wegman 1979). The share of places in which two signatures agree estimates the Jaccard
 * similarity J of the sets, with variance J (1 - J) / functions. Two texts share the bucket of some band with probability
 * 1 - (1 - J^rows)^bands.
 */
public final class MinHash implements Serializable {
    private static final long serialVersionUID = 1L;

    /** The Mersenne prime that all is counted modulo. */
    static final long PRIME = (1L << 61) - 1;

    private final Parameters parameters;
    private final long[] factors;
    private final long[] terms;

    /**
     * What signatures depend on.
     *
     * @param bands bands of a signature, at least 1
     * @param rows functions of a band, at least 1; a signature has at most 65536 in all
     * @param words words of an n-gram, at least 1
     * @param seed what the functions are drawn from
     */
    public record Parameters(int bands, int rows, int words, long seed) implements Serializable {
        /** The default: two texts of similarity 0.719 share a bucket with probability 0.64. */
        public static final Parameters STANDARD = new Parameters(14, 8, 5, 0);

        private static final int MOST_FUNCTIONS = 1 << 16;

        public Parameters {
            if (bands < 1 || rows < 1 || words < 1 || (long) bands * rows > MOST_FUNCTIONS) {
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "MinHash of %d bands, %d rows and n-grams of %d words: each is 1 or more, and bands times rows at"
                                        .formatted(bands, rows, words)
                                + " most " + MOST_FUNCTIONS);
            }
        }

        /** {@return the probability that two texts of a similarity share a bucket} */
        public double probability(double similarity) {
            return 1 - Math.pow(1 - Math.pow(similarity, rows), bands);
        }
    }

    /** Draws the functions. */
    public MinHash(Parameters parameters) {
        this.parameters = parameters;
        int functions = parameters.bands() * parameters.rows();
        factors = new long[functions];
        terms = new long[functions];
        long state = parameters.seed();
        for (int i = 0; i < functions; i++) {
            factors[i] = 1 + Long.remainderUnsigned(mixed(state += GOLDEN), PRIME - 1);
            terms[i] = Long.remainderUnsigned(mixed(state += GOLDEN), PRIME);
        }
    }

    /** {@return what signatures depend on} */
    public Parameters parameters() {
        return parameters;
    }

    /** {@return for each function its least value over the n-grams of a text; of a text without words, nothing} */
    long[] signature(Words words) {
        if (words.count() == 0) {
            return new long[0];
        }
        long[] least = new long[factors.length];
        Arrays.fill(least, Long.MAX_VALUE);
        for (long hash : words.ngrams(parameters.words(), parameters.seed())) {
            long x = reduced(hash & PRIME, hash >>> 61);
            for (int i = 0; i < least.length; i++) {
                least[i] = Math.min(least[i], value(i, x));
            }
        }
        return least;
    }

    /** {@return the distinct n-grams of a text as hashes, in ascending order} */
    long[] set(Words words) {
        long[] hashes = words.ngrams(parameters.words(), parameters.seed());
        Arrays.sort(hashes);
        int distinct = 0;
        for (int i = 0; i < hashes.length; i++) {
            if (i == 0 || hashes[i] != hashes[i - 1]) {
                hashes[distinct++] = hashes[i];
            }
        }
        return Arrays.copyOf(hashes, distinct);
    }

    /** {@return what tells the bucket of a band from the band's others: a hash of the band's part of a signature} */
    long bucket(long[] signature, int band) {
        long hash = band;
        for (int i = band * parameters.rows(); i < (band + 1) * parameters.rows(); i++) {
            hash = XXH64.hashLong(signature[i], hash);
        }
        return hash;
    }

    /** {@return the similarity of two texts as their signatures tell it; 0 if one of them has no words} */
    static double estimate(long[] one, long[] other) {
        if (one.length == 0 || other.length == 0) {
            return 0;
        }
        int equal = 0;
        for (int i = 0; i < one.length; i++) {
            equal += one[i] == other[i] ? 1 : 0;
        }
        return (double) equal / one.length;
    }

    /** {@return the similarity of two sets in ascending order; 0 if both are empty} */
    static double jaccard(long[] one, long[] other) {
        int i = 0;
        int j = 0;
        int both = 0;
        while (i < one.length && j < other.length) {
            int order = Long.compare(one[i], other[j]);
            both += order == 0 ? 1 : 0;
            i += order <= 0 ? 1 : 0;
            j += order >= 0 ? 1 : 0;
        }
        int either = one.length + other.length - both;
        return either == 0 ? 0 : (double) both / either;
    }

    /** {@return function i of x, both below the prime} */
    long value(int i, long x) {
        long factor = factors[i];
        long low = factor * x;
        long high = Math.multiplyHigh(factor, x);
        return reduced((low & PRIME) + terms[i], low >>> 61 | high << 3);
    }

    /** {@return (one + other) mod the prime, of a sum that no long overflows} */
    private static long reduced(long one, long other) {
        long sum = one + other;
        sum = (sum & PRIME) + (sum >>> 61);
        return sum >= PRIME ? sum - PRIME : sum;
    }

    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    /** SplitMix64 (Steele, Lea and Flood 2014). */
    private static long mixed(long state) {
        long z = (state ^ state >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }
}
