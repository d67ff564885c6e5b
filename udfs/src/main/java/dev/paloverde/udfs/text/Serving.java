package dev.paloverde.udfs.text;

import dev.paloverde.gpu.decode.RowKey;
import dev.paloverde.udfs.arrow.BatchContext;
import java.util.concurrent.CompletableFuture;

/**
 * A task's hold on an engine of its executor.
 *
 * @param <Q> what the engine is asked
 * @param <A> what the engine answers
 */
public interface Serving<Q, A> extends AutoCloseable {
    /** {@return the tasks of this JVM that have rows for the engine} */
    Feeders feeders();

    /** {@return how many rows it works on at once} */
    int places();

    /** Hands a row to the engine; blocks while too much is waiting. */
    CompletableFuture<A> submit(RowKey key, Q question);

    /** Counts what the engine has done since it was last asked. */
    void count(BatchContext context);

    @Override
    void close();
}
