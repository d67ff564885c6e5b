package dev.paloverde.pipelines.packing;

import java.io.Serializable;

/**
 * A permutation of the numbers below a size that needs no table: a Feistel network of four rounds over the least even
 * number of bits that holds them (Luby and Rackoff 1988), applied again to what comes out too large (Black and Rogaway,
 * "Ciphers with Arbitrary Finite Domains", 2002, cycle walking; fewer than four times on average).
 *
 * @param size how many numbers, at least 0
 * @param seed which permutation
 */
record Shuffle(long size, long seed) implements Serializable {
    private static final int ROUNDS = 4;

    /** {@return where a number goes} */
    long at(long number) {
        int half = Math.max(1, (Long.SIZE - Long.numberOfLeadingZeros(Math.max(1, size - 1)) + 1) / 2);
        long mask = (1L << half) - 1;
        long moved = number;
        do {
            long left = moved >>> half;
            long right = moved & mask;
            for (int round = 0; round < ROUNDS; round++) {
                long next = left ^ mixed(right, round) & mask;
                left = right;
                right = next;
            }
            moved = left << half | right;
        } while (moved >= size);
        return moved;
    }

    /** The finaliser of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014). */
    private long mixed(long half, int round) {
        long z = seed + half * 0x9E3779B97F4A7C15L + (round + 1L) * 0xD1B54A32D192ED03L;
        z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }
}
