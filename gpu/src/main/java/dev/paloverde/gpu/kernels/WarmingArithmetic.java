package dev.paloverde.gpu.kernels;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes each inner loop plain until the SIMD one is the faster. Before C2 has compiled it, a loop over the Vector API is
 * hundreds of times slower than plain Java, and C2 takes seconds for all of them; a short job would be over before. Since
 * both give the same bits, they can be exchanged at any time: a loop that is asked for is exercised in the background,
 * and taken from the call on at which it has beaten the plain one. Where that never happens (a JVM without C2), plain
 * stays, and a log line says so.
 */
final class WarmingArithmetic extends Arithmetic {
    private static final Logger LOG = LoggerFactory.getLogger(WarmingArithmetic.class);

    /** Calls and inner rounds that make C2 compile a loop. */
    private static final int CALLS = 700;

    private static final int DEPTH = 32;
    private static final int WIDE = 32;
    private static final int NARROW = 16;
    private static final int SAMPLES = 5;
    private static final int CALLS_PER_SAMPLE = 8;
    private static final long MOST_NANOSECONDS = 60_000_000_000L;

    // loops, one bit each; accumulating ones have one for each of 1, 2, 4 and 8 rows
    private static final int PACKED_WIDE = 0;
    private static final int PACKED_NARROW = 4;
    private static final int ROWS_WIDE = 8;
    private static final int ROWS_NARROW = 12;
    private static final int HALF = 16;
    private static final int WIDEN = 20;
    private static final int SQUARES = 21;
    private static final int SCALE = 22;
    private static final int MAX = 23;
    private static final int EXPONENTIALS = 24;
    private static final int SWIGLU = 25;
    private static final int LOOPS = 26;

    private final Arithmetic plain;
    private final Arithmetic vector;

    /** Loops whose SIMD form is taken. */
    private volatile int ready;

    /** Loops that were asked for. */
    private volatile int wanted;

    private boolean exercising;

    WarmingArithmetic(Arithmetic plain, Arithmetic vector) {
        this.plain = plain;
        this.vector = vector;
    }

    @Override
    String description() {
        return vector.description();
    }

    /** {@return how many loops are taken in their SIMD form by now} */
    int taken() {
        return Integer.bitCount(ready);
    }

    private Arithmetic take(int loop) {
        int bit = 1 << loop;
        if ((ready & bit) != 0) {
            return vector;
        }
        if ((wanted & bit) == 0) {
            want(bit);
        }
        return plain;
    }

    private synchronized void want(int bit) {
        wanted |= bit;
        if (!exercising) {
            exercising = true;
            Thread thread = new Thread(this::exercise, "paloverde-cpu-warm-up");
            thread.setDaemon(true);
            thread.start();
        }
    }

    /** {@return the loops still to be exercised; when there are none, the thread ends} */
    private synchronized int remaining(int givenUp) {
        int remaining = wanted & ~ready & ~givenUp;
        exercising = remaining != 0;
        return remaining;
    }

    private void exercise() {
        Exercises exercises = new Exercises();
        long[] since = new long[LOOPS];
        int givenUp = 0;
        for (int remaining = remaining(0); remaining != 0; remaining = remaining(givenUp)) {
            for (int loop = 0; loop < LOOPS; loop++) {
                if ((remaining & 1 << loop) == 0) {
                    continue;
                }
                if (since[loop] == 0) {
                    since[loop] = System.nanoTime();
                    exercises.run(vector, loop, CALLS);
                }
                if (exercises.time(vector, loop) < exercises.time(plain, loop)) {
                    ready |= 1 << loop; // only this thread writes it
                } else if (System.nanoTime() - since[loop] > MOST_NANOSECONDS) {
                    givenUp |= 1 << loop;
                    LOG.warn(
                            "the SIMD form of inner loop {} is still slower than plain Java after {} s of use, so plain Java"
                                    + " stays (the results are the same): is C2 switched off?",
                            loop,
                            MOST_NANOSECONDS / 1_000_000_000L);
                }
            }
            try {
                Thread.sleep(5);
            } catch (InterruptedException e) {
                return; // nobody interrupts it but who wants it gone
            }
        }
    }

    /** Small calls of every loop, on numbers of no meaning. */
    private static final class Exercises {
        private final float[] left = uniform(MOST_ROWS * DEPTH);
        private final float[] panel = uniform(WIDE * DEPTH);
        private final short[] halves = new short[WIDE * DEPTH];
        private final float[] sums = new float[MOST_ROWS * WIDE];
        private final float[] partials = new float[PARTIALS];
        private final float[] values = new float[WIDE * DEPTH];

        private static float[] uniform(int length) {
            float[] values = new float[length];
            for (int i = 0; i < length; i++) {
                values[i] = (float) i / length;
            }
            return values;
        }

        void run(Arithmetic arithmetic, int loop, int calls) {
            for (int call = 0; call < calls; call++) {
                run(arithmetic, loop);
            }
        }

        /** {@return nanoseconds of the quickest of a few samples} */
        long time(Arithmetic arithmetic, int loop) {
            long best = Long.MAX_VALUE;
            for (int sample = 0; sample < SAMPLES; sample++) {
                long start = System.nanoTime();
                run(arithmetic, loop, CALLS_PER_SAMPLE);
                best = Math.min(best, System.nanoTime() - start);
            }
            return best;
        }

        private void run(Arithmetic arithmetic, int loop) {
            int rows = 1 << (loop & 3);
            switch (loop) {
                case WIDEN -> arithmetic.widen(halves, 0, values, 0, values.length);
                case SQUARES -> arithmetic.addSquares(panel, 0, panel.length, partials);
                case SCALE -> arithmetic.scale(panel, 0, 2f, panel, values, 0, values.length);
                case MAX -> arithmetic.scaleAndMax(values, 0, values.length, 0.5f);
                case EXPONENTIALS -> arithmetic.exponentials(values, 0, values.length, 1f, partials, 0);
                case SWIGLU -> arithmetic.swiGlu(panel, 0, 0, values, 0, values.length);
                default -> {
                    switch (loop & ~3) {
                        case PACKED_WIDE ->
                            arithmetic.accumulate(rows, left, 0, panel, 0, WIDE, DEPTH, WIDE, sums, 0, WIDE);
                        case PACKED_NARROW ->
                            arithmetic.accumulate(rows, left, 0, panel, 0, WIDE, DEPTH, NARROW, sums, 0, WIDE);
                        case ROWS_WIDE ->
                            arithmetic.accumulateRows(rows, left, 0, DEPTH, panel, 0, WIDE, DEPTH, WIDE, sums, 0, WIDE);
                        case ROWS_NARROW ->
                            arithmetic.accumulateRows(
                                    rows, left, 0, DEPTH, panel, 0, WIDE, DEPTH, NARROW, sums, 0, WIDE);
                        case HALF -> arithmetic.accumulate(rows, left, 0, halves, 0, WIDE, DEPTH, WIDE, sums, 0, WIDE);
                        default -> throw new AssertionError(loop);
                    }
                }
            }
        }
    }

    private static int ofRows(int kind, int rows) {
        return kind + Integer.numberOfTrailingZeros(rows);
    }

    @Override
    void accumulate(
            int rows,
            float[] left,
            int leftOffset,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            int width,
            float[] sums,
            int sumOffset,
            int sumStride) {
        take(ofRows(width < WIDE ? PACKED_NARROW : PACKED_WIDE, rows))
                .accumulate(
                        rows, left, leftOffset, panel, panelOffset, stride, depth, width, sums, sumOffset, sumStride);
    }

    @Override
    void accumulateRows(
            int rows,
            float[] left,
            int leftOffset,
            int leftStride,
            float[] panel,
            int panelOffset,
            int stride,
            int depth,
            int width,
            float[] sums,
            int sumOffset,
            int sumStride) {
        take(ofRows(width < WIDE ? ROWS_NARROW : ROWS_WIDE, rows))
                .accumulateRows(
                        rows,
                        left,
                        leftOffset,
                        leftStride,
                        panel,
                        panelOffset,
                        stride,
                        depth,
                        width,
                        sums,
                        sumOffset,
                        sumStride);
    }

    @Override
    void accumulate(
            int rows,
            float[] left,
            int leftOffset,
            short[] panel,
            int panelOffset,
            int stride,
            int depth,
            int width,
            float[] sums,
            int sumOffset,
            int sumStride) {
        take(ofRows(HALF, rows))
                .accumulate(
                        rows, left, leftOffset, panel, panelOffset, stride, depth, width, sums, sumOffset, sumStride);
    }

    @Override
    void widen(short[] from, int fromOffset, float[] to, int toOffset, int length) {
        take(WIDEN).widen(from, fromOffset, to, toOffset, length);
    }

    @Override
    void addSquares(float[] values, int offset, int length, float[] partials) {
        take(SQUARES).addSquares(values, offset, length, partials);
    }

    @Override
    void scale(float[] in, int inOffset, float factor, float[] gain, float[] out, int outOffset, int length) {
        take(SCALE).scale(in, inOffset, factor, gain, out, outOffset, length);
    }

    @Override
    float scaleAndMax(float[] values, int offset, int length, float factor) {
        return take(MAX).scaleAndMax(values, offset, length, factor);
    }

    @Override
    void exponentials(float[] values, int offset, int length, float shift, float[] partials, int partialOffset) {
        take(EXPONENTIALS).exponentials(values, offset, length, shift, partials, partialOffset);
    }

    @Override
    void swiGlu(float[] in, int gateOffset, int upOffset, float[] out, int outOffset, int length) {
        take(SWIGLU).swiGlu(in, gateOffset, upOffset, out, outOffset, length);
    }
}
