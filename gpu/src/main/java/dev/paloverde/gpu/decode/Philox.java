package dev.paloverde.gpu.decode;

/**
 * The counter-based generator Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2,
 * 3", SC'11): a bijection of 128-bit counters under a 64-bit key. There is no state: number {@code n} of a stream is had
 * without the ones before it, so a retry draws what the first try drew.
 */
final class Philox {
    private static final long MASK = 0xFFFFFFFFL;
    private static final long MULTIPLIER_0 = 0xD2511F53L;
    private static final long MULTIPLIER_1 = 0xCD9E8D57L;
    private static final int WEYL_0 = 0x9E3779B9;
    private static final int WEYL_1 = 0xBB67AE85;
    private static final int ROUNDS = 10;

    private Philox() {}

    /**
     * The first two words of a block, word 0 in the upper half.
     *
     * @param counter0 word 0 of the counter; the other words follow
     * @param key0 word 0 of the key
     * @param key1 word 1 of the key
     */
    static long bits(int counter0, int counter1, int counter2, int counter3, int key0, int key1) {
        long[] block = block(counter0, counter1, counter2, counter3, key0, key1);
        return block[0] << 32 | block[1];
    }

    /** {@return the four words of a block, each in the lower half of a long} */
    static long[] block(int counter0, int counter1, int counter2, int counter3, int key0, int key1) {
        long c0 = counter0 & MASK;
        long c1 = counter1 & MASK;
        long c2 = counter2 & MASK;
        long c3 = counter3 & MASK;
        for (int round = 0; round < ROUNDS; round++) {
            long product0 = MULTIPLIER_0 * c0;
            long product1 = MULTIPLIER_1 * c2;
            c0 = product1 >>> 32 ^ c1 ^ key0 + round * WEYL_0 & MASK;
            c2 = product0 >>> 32 ^ c3 ^ key1 + round * WEYL_1 & MASK;
            c1 = product1 & MASK;
            c3 = product0 & MASK;
        }
        return new long[] {c0, c1, c2, c3};
    }

    /**
     * {@link #bits} of consecutive values of counter word 0, a lane each. Round by round over all lanes, so that the
     * compiler can put lanes side by side in vector registers.
     *
     * @param lanes scratch: at least {@code count} lanes
     * @param first counter word 0 of lane 0
     * @param count how many lanes
     */
    static void bits(Lanes lanes, int first, int count, int counter1, int counter2, int counter3, int key0, int key1) {
        long[] c0 = lanes.c0;
        long[] c1 = lanes.c1;
        long[] c2 = lanes.c2;
        long[] c3 = lanes.c3;
        for (int lane = 0; lane < count; lane++) {
            c0[lane] = first + lane & MASK;
            c1[lane] = counter1 & MASK;
            c2[lane] = counter2 & MASK;
            c3[lane] = counter3 & MASK;
        }
        for (int round = 0; round < ROUNDS; round++) {
            long roundKey0 = key0 + round * WEYL_0 & MASK;
            long roundKey1 = key1 + round * WEYL_1 & MASK;
            for (int lane = 0; lane < count; lane++) {
                long product0 = MULTIPLIER_0 * c0[lane];
                long product1 = MULTIPLIER_1 * c2[lane];
                c0[lane] = product1 >>> 32 ^ c1[lane] ^ roundKey0;
                c2[lane] = product0 >>> 32 ^ c3[lane] ^ roundKey1;
                c1[lane] = product1 & MASK;
                c3[lane] = product0 & MASK;
            }
        }
        for (int lane = 0; lane < count; lane++) {
            c0[lane] = c0[lane] << 32 | c1[lane];
        }
    }

    /** Scratch of the many-lane form. After a call, {@code c0} holds the results. */
    static final class Lanes {
        final long[] c0;
        private final long[] c1;
        private final long[] c2;
        private final long[] c3;

        Lanes(int count) {
            c0 = new long[count];
            c1 = new long[count];
            c2 = new long[count];
            c3 = new long[count];
        }
    }
}
