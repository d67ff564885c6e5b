package dev.paloverde.gpu.decode;

import java.util.Arrays;
import java.util.List;

/**
 * Tokens that attend to one another, and how far they are computed. Positions count from 0; those before
 * {@link #computed()} stand in the cache. A sequence may be a fork of another, its trunk: it then begins at the trunk's
 * end and reads the trunk's pages, and only its own tokens are computed for it.
 *
 * <p>A sequence does not know how it is scheduled: it says which tokens it has, is told which rows of a step were its
 * own, and asks for what it wants to read from them.
 */
abstract class Sequence implements Comparable<Sequence> {
    private static final int[] NO_PAGES = {};

    private final Work<?> work;
    private final int part;
    private final Sequence trunk;
    private int computed;
    private int drafted;
    private int[] pages = NO_PAGES;
    private long queuedTokens;

    /**
     * @param work the request it is part of
     * @param part its place among the request's sequences
     * @param trunk what it is a fork of, or null
     * @param queuedTokens tokens to count as waiting until it is first admitted
     */
    Sequence(Work<?> work, int part, Sequence trunk, long queuedTokens) {
        this.work = work;
        this.part = part;
        this.trunk = trunk;
        this.queuedTokens = queuedTokens;
        this.computed = base();
    }

    /** {@return the number of tokens known and to be computed, the trunk's included} */
    abstract int length();

    /** {@return the token at a position from {@link #base()} to {@link #length()}, exclusive} */
    abstract int token(int position);

    /**
     * Asks for what is to be read from the rows of a step.
     *
     * @param first the position of the first row
     * @param count the number of rows
     * @param row the first row's index in the step
     */
    abstract void read(int first, int count, int row, Readout readout);

    /** {@return whether the sequence is over, asked after each step it was in} */
    abstract boolean done();

    /** {@return whether no step will compute anything for it, though what was read may still be on its way} */
    boolean exhausted() {
        return done();
    }

    /** Goes on, after a read, without waiting for what was asked for. */
    void goOn() {}

    /** {@return whether its next row is one it chose itself, with all before it computed} */
    boolean decoding() {
        return false;
    }

    /** {@return how many of its tokens are computed before it decodes} */
    int prefill() {
        return length();
    }

    /** {@return how many tokens could be proposed to it for one step} */
    int room() {
        return 0;
    }

    /** {@return sequences that begin where this one ends, to be run when it is done} */
    List<? extends Sequence> forks() {
        return List.of();
    }

    final Work<?> work() {
        return work;
    }

    final Sequence trunk() {
        return trunk;
    }

    /** {@return the first position that is its own, and not its trunk's} */
    final int base() {
        return trunk == null ? 0 : trunk.length();
    }

    final int computed() {
        return computed;
    }

    final void advance(int rows) {
        computed += rows;
    }

    /** Takes back what was computed beyond a number of positions. */
    final void retreat(int positions) {
        computed = Math.min(computed, positions);
        drafted = Math.min(drafted, positions);
    }

    /** {@return how many of its positions stand in the drafter's cache, on the same pages} */
    final int drafted() {
        return drafted;
    }

    final void drafted(int positions) {
        drafted = positions;
    }

    /** {@return its block table, as long as the pages it has} */
    final int[] pages() {
        return pages;
    }

    final void addPage(int page) {
        pages = Arrays.copyOf(pages, pages.length + 1);
        pages[pages.length - 1] = page;
    }

    /** {@return the pages behind the first ones, which it does not have any more} */
    final int[] dropPages(int kept) {
        int[] dropped = Arrays.copyOfRange(pages, Math.min(kept, pages.length), pages.length);
        pages = Arrays.copyOf(pages, pages.length - dropped.length);
        return dropped;
    }

    /** Forgets what was computed; {@return the pages it had} */
    final int[] surrenderPages() {
        int[] had = pages;
        pages = NO_PAGES;
        computed = base();
        drafted = 0;
        return had;
    }

    final long queuedTokens() {
        return queuedTokens;
    }

    /** {@return tokens that do not count as waiting any more} */
    final long leaveQueue() {
        long tokens = queuedTokens;
        queuedTokens = 0;
        return tokens;
    }

    /** Orders by submission, then by place in the request. */
    @Override
    public final int compareTo(Sequence other) {
        int byTicket = Long.compare(work.ticket(), other.work.ticket());
        return byTicket != 0 ? byTicket : Integer.compare(part, other.part);
    }

    @Override
    public final boolean equals(Object other) {
        return this == other;
    }

    @Override
    public final int hashCode() {
        return System.identityHashCode(this);
    }
}
