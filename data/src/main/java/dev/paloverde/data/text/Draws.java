package dev.paloverde.data.text;

import java.util.ArrayList;
import java.util.List;

/**
 * A stream of choices that depends on its seed alone: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
 * number generators", 2014). It is written out here so that a corpus is the same on every Java version.
 */
public final class Draws {
    private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

    private long state;

    Draws(long seed) {
        this.state = seed;
    }

    /** A stream for one document, independent of how many documents were drawn before it. */
    public static Draws of(long seed, String source, long index) {
        return new Draws(mix(mix(seed + GOLDEN_GAMMA * (source.hashCode() + 1L)) + GOLDEN_GAMMA * (index + 1)));
    }

    private long next() {
        state += GOLDEN_GAMMA;
        return mix(state);
    }

    private static long mix(long value) {
        long mixed = (value ^ (value >>> 30)) * 0xBF58476D1CE4E5B9L;
        mixed = (mixed ^ (mixed >>> 27)) * 0x94D049BB133111EBL;
        return mixed ^ (mixed >>> 31);
    }

    /** A whole number in [0, bound). */
    public int below(int bound) {
        return (int) Long.remainderUnsigned(next(), bound);
    }

    /** A whole number in [low, high]. */
    public int between(int low, int high) {
        return low + below(high - low + 1);
    }

    boolean chance(double probability) {
        return (next() >>> 11) * 0x1.0p-53 < probability;
    }

    @SafeVarargs
    public final <T> T pick(T... options) {
        return options[below(options.length)];
    }

    <T> T pick(List<T> options) {
        return options.get(below(options.size()));
    }

    /** {@code count} different members of the list, in drawn order. */
    <T> List<T> some(List<T> options, int count) {
        List<T> shuffled = shuffled(options);
        return shuffled.subList(0, Math.min(count, shuffled.size()));
    }

    <T> List<T> shuffled(List<T> options) {
        List<T> shuffled = new ArrayList<>(options);
        for (int last = shuffled.size() - 1; last > 0; last--) {
            int other = below(last + 1);
            T held = shuffled.get(last);
            shuffled.set(last, shuffled.get(other));
            shuffled.set(other, held);
        }
        return shuffled;
    }
}
