package dev.paloverde.udfs.text;

import dev.paloverde.gpu.decode.RowKey;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.arrow.vector.VectorSchemaRoot;

/**
 * One operation on one row: read it, ask the engine, write the answer.
 *
 * @param <R> what the engine answers
 */
interface RowFunction<R> {
    /**
     * Reads the inputs of a row, as bytes: they are hashed before anything can go wrong with them.
     *
     * @return one for each argument: byte[], a list of byte[] or null
     */
    List<Object> read(VectorSchemaRoot batch, int row);

    /**
     * Prepares a row and submits it; blocks while too much is waiting.
     *
     * @throws dev.paloverde.gpu.PaloverdeException of row scope if the row cannot be served
     */
    Submitted<R> submit(RowKey key, List<Object> inputs);

    /** {@return the values of the operation's own columns, in order} */
    Object[] write(Submitted<R> row, R answer);

    /** {@return the number of the operation's own columns} */
    int columns();

    /**
     * A row that the engine has.
     *
     * @param answer to come
     * @param tokensIn tokens that were given
     * @param truncated whether something was cut
     * @param detail what the answer does not know: bytes of texts
     */
    record Submitted<R>(CompletableFuture<R> answer, int tokensIn, boolean truncated, long[] detail) {}

    /** {@return the number of tokens that an answer has generated} */
    default int tokensOut(R answer) {
        return 0;
    }
}
