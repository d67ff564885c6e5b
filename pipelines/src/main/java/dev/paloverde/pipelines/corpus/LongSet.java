package dev.paloverde.pipelines.corpus;

import java.io.Serializable;

/** A set of longs without objects: open addressing with linear probing, at most half full. */
final class LongSet implements Serializable {
    private static final long serialVersionUID = 1L;
    private static final int LEAST = 16;

    private long[] table = new long[LEAST];
    private boolean zero;
    private int size;

    /** {@return whether the value was not in the set before} */
    boolean add(long value) {
        if (value == 0) {
            boolean added = !zero;
            zero = true;
            return added;
        }
        int slot = slot(value);
        if (table[slot] == value) {
            return false;
        }
        table[slot] = value;
        if (++size > table.length / 2) {
            grow();
        }
        return true;
    }

    boolean contains(long value) {
        return value == 0 ? zero : table[slot(value)] == value;
    }

    private int slot(long value) {
        int mask = table.length - 1;
        int slot = (int) (value * 0x9E3779B97F4A7C15L >>> 32) & mask;
        while (table[slot] != 0 && table[slot] != value) {
            slot = slot + 1 & mask;
        }
        return slot;
    }

    private void grow() {
        long[] before = table;
        table = new long[Math.multiplyExact(before.length, 2)];
        for (long value : before) {
            if (value != 0) {
                table[slot(value)] = value;
            }
        }
    }
}
