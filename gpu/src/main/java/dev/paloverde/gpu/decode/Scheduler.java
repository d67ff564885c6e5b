package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Who runs, who waits, and who has which pages. Belongs to the engine's thread.
 *
 * <p>The order is that of submission, always. The first of those that wait is admitted as soon as there are pages for all
 * its known tokens; none overtakes it. A sequence that generates takes further pages as it grows. When there are none,
 * the last of the order gives up its pages and waits again: what it had computed is computed again later, what it had
 * chosen stays chosen. The first of the order never loses its pages to another, so there is always progress; and what
 * cannot fit with the whole cache to itself is refused.
 *
 * <p>A trunk, once computed, keeps its pages without running for as long as forks of it are to be run. A fork shares the
 * trunk's full pages and has a copy of the last one, if that is partly filled. A trunk none of whose forks is running
 * gives up its pages like a running sequence, and runs again before its forks do.
 */
final class Scheduler {
    /** Copies the first positions of a page to another page. */
    interface PageCopier {
        void copy(int from, int to, int tokens);
    }

    private final PagePool pool;
    private final EngineOptions options;
    private final long pageBytes;
    private final PageCopier copier;
    private final Set<Work<?>> unfinished = new HashSet<>();
    private final TreeSet<Sequence> waiting = new TreeSet<>();
    private final TreeSet<Sequence> running = new TreeSet<>();
    private final TreeSet<Sequence> trunks = new TreeSet<>();
    private final List<Slice> slices = new ArrayList<>();
    private long tokensLeftQueue;
    private long preemptions;

    /** @param pageBytes memory that a page takes, for messages */
    Scheduler(PagePool pool, EngineOptions options, long pageBytes, PageCopier copier) {
        this.pool = pool;
        this.options = options;
        this.pageBytes = pageBytes;
        this.copier = copier;
    }

    void enqueue(Work<?> work) {
        unfinished.add(work);
        waiting.addAll(work.sequences());
    }

    /** {@return the requests that are neither removed nor forgotten, whatever state a failure left their sequences in} */
    List<Work<?>> unfinished() {
        return List.copyOf(unfinished);
    }

    /** Lets go of a request all of whose sequences are finished. */
    void forget(Work<?> work) {
        unfinished.remove(work);
    }

    /** {@return whether there is nothing to do} */
    boolean idle() {
        return waiting.isEmpty() && running.isEmpty();
    }

    long preemptions() {
        return preemptions;
    }

    /** {@return how many tokens have been admitted or dropped since this was last asked} */
    long takeTokensLeftQueue() {
        long tokens = tokensLeftQueue;
        tokensLeftQueue = 0;
        return tokens;
    }

    /** {@return pages for this many positions} */
    int pagesFor(long tokens) {
        return Math.toIntExact((tokens + options.pageTokens() - 1) / options.pageTokens());
    }

    /** Takes all sequences of a request out, and frees their pages. */
    void remove(Work<?> work) {
        for (Sequence sequence : work.sequences()) {
            remove(sequence);
            sequence.forks().forEach(this::remove);
        }
        unfinished.remove(work);
    }

    private void remove(Sequence sequence) {
        waiting.remove(sequence);
        running.remove(sequence);
        trunks.remove(sequence);
        slices.removeIf(slice -> slice.sequence() == sequence);
        releasePages(sequence);
        tokensLeftQueue += sequence.leaveQueue();
    }

    /** Admits those that wait, in order, while there is room. */
    void admit() {
        while (!waiting.isEmpty() && running.size() < options.maxSequences()) {
            Sequence sequence = waiting.first();
            int needed = pagesFor(sequence.length()) - sharedPages(sequence);
            while (running.isEmpty() && needed > pool.free() && !trunks.isEmpty()) {
                Sequence last = trunks.last();
                if (last.compareTo(sequence) < 0) {
                    break;
                }
                preempt(last);
            }
            if (running.isEmpty() && needed > pool.free()) {
                refuse(sequence, needed);
                continue;
            }
            // pages to leave free, so that who runs does not lose its pages to who comes at once
            if (needed + decoding() > pool.free() && !running.isEmpty()) {
                return;
            }
            waiting.remove(sequence);
            tokensLeftQueue += sequence.leaveQueue();
            givePages(sequence, needed);
            running.add(sequence);
        }
    }

    /** {@return how many sequences decode} */
    int decoding() {
        int count = 0;
        for (Sequence sequence : running) {
            if (sequence.decoding()) {
                count++;
            }
        }
        return count;
    }

    private int sharedPages(Sequence sequence) {
        return sequence.base() / options.pageTokens();
    }

    private void givePages(Sequence sequence, int count) {
        int shared = sharedPages(sequence);
        for (int page = 0; page < shared; page++) {
            int id = sequence.trunk().pages()[page];
            pool.share(id);
            sequence.addPage(id);
        }
        for (int page = 0; page < count; page++) {
            sequence.addPage(pool.allocate());
        }
        int partial = sequence.base() % options.pageTokens();
        if (partial > 0) {
            copier.copy(sequence.trunk().pages()[shared], sequence.pages()[shared], partial);
        }
    }

    /**
     * Chooses the rows of the next step: first one row of each sequence that decodes, then the next rows of the others,
     * both in order; then, from what room and pages are left, further rows of those that decode, for tokens that are to
     * be proposed to them. Empty only if nothing runs.
     *
     * @param proposals the most tokens proposed to a sequence
     * @param required proposals that count as the sequence's own row does: it comes with them or not at all
     */
    List<Slice> plan(int proposals, int required) {
        slices.clear();
        List<Sequence> inOrder = new ArrayList<>(running);
        int rows = 0;
        for (Sequence sequence : inOrder) {
            int proposed = Math.min(required, sequence.room());
            if (rows + proposed < options.stepTokens()
                    && sequence.decoding()
                    && running.contains(sequence)
                    && grow(sequence, sequence.length() + proposed)) {
                slices.add(new Slice(sequence, sequence.computed(), 1 + proposed));
                rows += 1 + proposed;
            }
        }
        rows = slices.stream().mapToInt(Slice::count).sum();
        for (Sequence sequence : inOrder) {
            if (rows < options.stepTokens() && !sequence.decoding() && running.contains(sequence)) {
                int count = Math.min(options.stepTokens() - rows, sequence.prefill() - sequence.computed());
                slices.add(new Slice(sequence, sequence.computed(), count));
                rows += count;
            }
        }
        for (int i = 0; i < slices.size() && rows < options.stepTokens(); i++) {
            Slice slice = slices.get(i);
            if (slice.sequence().decoding()) {
                int more = Math.min(proposals, slice.sequence().room()) + 1 - slice.count();
                more = reserve(slice.sequence(), slice.count(), Math.min(more, options.stepTokens() - rows));
                slices.set(i, new Slice(slice.sequence(), slice.first(), slice.count() + more));
                rows += more;
            }
        }
        return List.copyOf(slices);
    }

    /** Gives a sequence pages for more rows as far as nobody has to lose one; {@return how many rows there are pages for} */
    private int reserve(Sequence sequence, int rows, int wanted) {
        int end = sequence.computed() + rows;
        long positions = (sequence.pages().length + (long) pool.free()) * options.pageTokens();
        int more = (int) Math.max(0, Math.min(wanted, positions - end));
        while (sequence.pages().length < pagesFor(end + more)) {
            sequence.addPage(pool.allocate());
        }
        return more;
    }

    /** Takes the pages back that a sequence got for proposals which came to nothing. */
    void settle(Sequence sequence) {
        for (int page : sequence.dropPages(pagesFor(sequence.length()))) {
            pool.release(page);
        }
    }

    /** Sees that a sequence has pages for its first tokens; {@return whether it is still running} */
    private boolean grow(Sequence sequence, int tokens) {
        while (sequence.pages().length < pagesFor(tokens)) {
            if (pool.free() > 0) {
                sequence.addPage(pool.allocate());
                continue;
            }
            Sequence victim = running.last();
            if (!trunks.isEmpty() && trunks.last().compareTo(victim) > 0) {
                // none of its forks runs, since they would be later still
                victim = trunks.last();
            }
            if (victim == sequence && pool.inUse() == sequence.pages().length) {
                refuse(sequence, pagesFor(tokens) - sharedPages(sequence));
                return false;
            }
            preempt(victim);
            if (victim == sequence) {
                return false;
            }
        }
        return true;
    }

    /** Takes a sequence's pages and lets it wait again, at the place that its order gives it. */
    private void preempt(Sequence sequence) {
        preemptions++;
        running.remove(sequence);
        if (trunks.remove(sequence)) {
            waiting.removeAll(sequence.forks());
        }
        slices.removeIf(slice -> slice.sequence() == sequence);
        releasePages(sequence);
        waiting.add(sequence);
    }

    private void refuse(Sequence sequence, int needed) {
        Work<?> work = sequence.work();
        work.fail(new PaloverdeException(
                ErrorCode.INPUT_TOO_LONG, tooLong(sequence.length(), needed + sharedPages(sequence))));
        remove(work);
    }

    /** {@return what to tell about a sequence that the whole cache could not hold} */
    String tooLong(long tokens, int pagesNeeded) {
        return ("%d tokens need %d pages of %d tokens, and the key-value cache has %d; kv-bytes is %d: raise it to %d or"
                        + " more, or shorten the input")
                .formatted(
                        tokens,
                        pagesNeeded,
                        options.pageTokens(),
                        pool.size(),
                        options.kvBytes(),
                        pagesNeeded * pageBytes);
    }

    /** Takes a sequence out that is computed to its end. Its request counts it as done when all is read. */
    void finish(Sequence sequence) {
        running.remove(sequence);
        // one that lost its pages when it had come to its end, which was not known
        waiting.remove(sequence);
        boolean forked = false;
        for (Sequence fork : sequence.forks()) {
            if (!fork.done()) {
                waiting.add(fork);
                forked = true;
            }
        }
        if (forked) {
            trunks.add(sequence);
            return;
        }
        releasePages(sequence);
        Sequence trunk = sequence.trunk();
        if (trunk != null && trunk.forks().stream().allMatch(Sequence::done)) {
            trunks.remove(trunk);
            releasePages(trunk);
        }
    }

    private void releasePages(Sequence sequence) {
        for (int page : sequence.surrenderPages()) {
            pool.release(page);
        }
    }
}
