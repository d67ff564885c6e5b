package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.PaloverdeException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/**
 * One request: its future, and the sequences that must be done before it can be completed. But for the future, it
 * belongs to the engine's thread once submitted.
 */
final class Work<T> {
    private final CompletableFuture<T> future = new CompletableFuture<>();
    private Supplier<T> result;
    private List<? extends Sequence> sequences;
    private int pending;
    private long ticket;
    private volatile boolean over;

    /**
     * Gives the request its sequences.
     *
     * @param parts in the order in which they are to be admitted; forks of them come by themselves
     * @param assembled called once, when all of them are done
     */
    Work<T> of(List<? extends Sequence> parts, Supplier<T> assembled) {
        sequences = parts;
        pending = parts.stream()
                .mapToInt(part -> Math.max(1, part.forks().size()))
                .sum();
        result = assembled;
        return this;
    }

    CompletableFuture<T> future() {
        return future;
    }

    List<? extends Sequence> sequences() {
        return sequences;
    }

    /** {@return its place in the order of submission} */
    long ticket() {
        return ticket;
    }

    void ticket(long place) {
        ticket = place;
    }

    /** {@return whether it needs no more steps: done, failed or withdrawn} */
    boolean over() {
        return over;
    }

    /**
     * Counts a sequence without forks as done (one with forks may be computed more than once, and comes before them);
     * with the last one the request completes, unless its result cannot be assembled.
     */
    void sequenceDone() {
        pending--;
        if (pending == 0 && !over) {
            T value = result.get();
            over = true;
            future.complete(value);
        }
    }

    void fail(PaloverdeException failure) {
        if (!over) {
            over = true;
            future.completeExceptionally(failure);
        }
    }

    /** Marks a request whose future someone else has completed. */
    void withdraw() {
        over = true;
    }

    /** {@return tokens that wait while none of its sequences has been admitted} */
    long queuedTokens() {
        long tokens = 0;
        for (Sequence sequence : sequences) {
            tokens += sequence.queuedTokens();
        }
        return tokens;
    }
}
