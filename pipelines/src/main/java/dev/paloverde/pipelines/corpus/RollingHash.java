package dev.paloverde.pipelines.corpus;

/**
 * A hash of the last so many of a row of numbers (Karp and Rabin 1987): a polynomial of them modulo 2^61 - 1, at two points,
 * so that two windows that differ are taken for equal with a probability of some 2^-100.
 */
final class RollingHash {
    private static final long PRIME = MinHash.PRIME;

    /** Two numbers below the prime, from the digits of pi: nothing is hidden in them. */
    private static final long[] POINTS = {0x043F6A8885A308D3L, 0x13198A2E03707344L % PRIME};

    private final long[] powers = new long[POINTS.length];
    private final long[] values = new long[POINTS.length];

    /** @param window how many numbers */
    RollingHash(int window) {
        for (int point = 0; point < POINTS.length; point++) {
            powers[point] = 1;
            for (int i = 1; i < window; i++) {
                powers[point] = times(powers[point], POINTS[point]);
            }
        }
    }

    /** Takes away the number that was added so many numbers ago. */
    void remove(long number) {
        long reduced = reduced(number);
        for (int point = 0; point < POINTS.length; point++) {
            long left = values[point] - times(reduced, powers[point]);
            values[point] = left < 0 ? left + PRIME : left;
        }
    }

    /** Adds a number behind all others. */
    void add(long number) {
        long reduced = reduced(number);
        for (int point = 0; point < POINTS.length; point++) {
            long sum = times(values[point], POINTS[point]) + reduced;
            values[point] = sum >= PRIME ? sum - PRIME : sum;
        }
    }

    long high() {
        return values[0];
    }

    long low() {
        return values[1];
    }

    private static long reduced(long number) {
        return Long.remainderUnsigned(number, PRIME);
    }

    /** {@return a product modulo the prime, of two numbers below it} */
    static long times(long one, long other) {
        long high = Math.multiplyHigh(one, other);
        long low = one * other;
        long sum = (low & PRIME) + (low >>> 61 | high << 3);
        sum = (sum & PRIME) + (sum >>> 61);
        return sum >= PRIME ? sum - PRIME : sum;
    }
}
