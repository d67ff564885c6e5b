package dev.paloverde.pipelines.packing;

import java.io.Serializable;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Which pieces share a sequence: best-fit decreasing, which puts each piece, the longest first, where it leaves the least
 * room (Ding et al., "Fewer Truncations Improve Language Modeling", ICML 2024, section 3.2). Where a piece goes depends on
 * its length and its rank among those of its length, and on nothing else but how many there are of each length. So the
 * plan is made of that histogram alone, in memory that does not grow with the corpus: sequences that are filled alike are
 * one entry of it, and each length divides at most one such.
 */
final class BestFit implements Serializable {
    private static final long serialVersionUID = 1L;

    private final int context;
    private final long sequences;
    private final long filled;

    /** By length, the first of its entries and the one after the last. */
    private final int[] begins;

    private final int[] ends;

    // entries: from a rank on, so many pieces in each of the sequences from one on, from a slot on
    private final long[] ranks;
    private final long[] firsts;
    private final int[] each;
    private final int[] slots;

    private BestFit(int context, long sequences, long filled, int[] begins, int[] ends, List<Entry> entries) {
        this.context = context;
        this.sequences = sequences;
        this.filled = filled;
        this.begins = begins;
        this.ends = ends;
        ranks = entries.stream().mapToLong(Entry::rank).toArray();
        firsts = entries.stream().mapToLong(Entry::first).toArray();
        each = entries.stream().mapToInt(Entry::each).toArray();
        slots = entries.stream().mapToInt(Entry::slot).toArray();
    }

    private record Entry(long rank, long first, int each, int slot) {}

    /** Sequences that are filled alike: their number, those they are, and the next free slot of each. */
    private record Group(long first, long sequences, int slot) {}

    /**
     * Makes a plan.
     *
     * @param counts how many pieces there are by length, from 0 to the context; none of length 0
     */
    static BestFit of(long[] counts) {
        return new Planner(counts).plan();
    }

    /** {@return the sequences there are} */
    long sequences() {
        return sequences;
    }

    /** {@return positions without a piece, over all sequences} */
    long padding() {
        return Math.multiplyExact(sequences, (long) context) - filled;
    }

    /** {@return the sequence of a piece} */
    long sequence(int length, long rank) {
        int entry = entry(length, rank);
        return firsts[entry] + (rank - ranks[entry]) / each[entry];
    }

    /** {@return its place among the pieces of that sequence, from 0} */
    int slot(int length, long rank) {
        int entry = entry(length, rank);
        return slots[entry] + (int) ((rank - ranks[entry]) % each[entry]);
    }

    private int entry(int length, long rank) {
        int found = Arrays.binarySearch(ranks, begins[length], ends[length], rank);
        return found >= 0 ? found : -found - 2;
    }

    private static final class Planner {
        private final long[] counts;
        private final int context;
        private final TreeMap<Integer, ArrayDeque<Group>> free = new TreeMap<>();
        private final List<Entry> entries = new ArrayList<>();
        private long sequences;
        private long filled;

        Planner(long[] counts) {
            this.counts = counts;
            context = counts.length - 1;
        }

        BestFit plan() {
            int[] begins = new int[counts.length];
            int[] ends = new int[counts.length];
            for (int length = context; length > 0; length--) {
                begins[length] = entries.size();
                place(length);
                ends[length] = entries.size();
                filled = Math.addExact(filled, Math.multiplyExact(counts[length], (long) length));
            }
            return new BestFit(context, sequences, filled, begins, ends, entries);
        }

        private void place(int length) {
            long rank = 0;
            while (rank < counts[length]) {
                rank += fill(length, rank, counts[length] - rank);
            }
        }

        /** Puts pieces into the sequences with the least room that suffices; {@return how many} */
        private long fill(int length, long rank, long pieces) {
            Map.Entry<Integer, ArrayDeque<Group>> best = free.ceilingEntry(length);
            int room = best == null ? context : best.getKey();
            int fit = room / length;
            Group group = best == null ? open((pieces + fit - 1) / fit) : take(room, best.getValue());
            long full = Math.min(group.sequences(), pieces / fit);
            if (full > 0) {
                entries.add(new Entry(rank, group.first(), fit, group.slot()));
                leave(room - fit * length, new Group(group.first(), full, group.slot() + fit));
            }
            long placed = full * fit;
            long left = group.sequences() - full;
            int rest = left == 0 ? 0 : (int) (pieces - placed);
            if (rest > 0) {
                long next = group.first() + full;
                entries.add(new Entry(rank + placed, next, rest, group.slot()));
                leave(room - rest * length, new Group(next, 1, group.slot() + rest));
                left--;
            }
            if (left > 0) {
                free.computeIfAbsent(room, size -> new ArrayDeque<>())
                        .addFirst(new Group(group.first() + group.sequences() - left, left, group.slot()));
            }
            return placed + rest;
        }

        private Group open(long wanted) {
            Group opened = new Group(sequences, wanted, 0);
            sequences = Math.addExact(sequences, wanted);
            return opened;
        }

        private Group take(int room, ArrayDeque<Group> groups) {
            Group taken = groups.removeFirst();
            if (groups.isEmpty()) {
                free.remove(room);
            }
            return taken;
        }

        private void leave(int room, Group group) {
            if (room > 0) {
                free.computeIfAbsent(room, size -> new ArrayDeque<>()).addLast(group);
            }
        }
    }
}
