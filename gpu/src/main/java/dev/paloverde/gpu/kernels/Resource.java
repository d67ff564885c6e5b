package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.Set;

/** What {@link Kernels} hand out: it is on their books until closed, and refuses use afterwards. */
abstract class Resource implements AutoCloseable {
    private final Set<Resource> books;
    private boolean closed;

    /** @param books where the owner keeps what is open */
    Resource(Set<Resource> books) {
        this.books = books;
        books.add(this);
    }

    /** {@return what it is, with its size, for messages} */
    abstract String describe();

    /** Lets go of the memory. */
    abstract void release();

    final void ensureOpen() {
        if (closed) {
            throw new PaloverdeException(
                    ErrorCode.INTERNAL, describe() + " is used after it was closed; close it later");
        }
    }

    @Override
    public final void close() {
        if (!closed) {
            closed = true;
            books.remove(this);
            release();
        }
    }
}
