package dev.paloverde.udfs.text;

import dev.paloverde.gpu.decode.Engine;
import dev.paloverde.gpu.decode.RowKey;
import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Settings;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * One operation on one row: prepare it, ask the engine, write the answer. The inputs are one for each argument: byte[],
 * a list of byte[] or null.
 *
 * @param <Q> what the engine is asked
 * @param <A> what the engine answers
 */
interface RowFunction<Q, A> {
    /** {@return the function of an operation} */
    static RowFunction<?, ?> of(Operation operation, TextModel model, Settings settings) {
        return switch (operation) {
            case GENERATE -> new GenerateRows(model, settings);
            case SCORE -> new ScoreRows(model, settings);
            case CHOOSE -> new ChooseRows(model, settings);
            case EMBED -> new EmbedRows(model, settings);
        };
    }

    /**
     * Reads a row's texts and turns them into tokens.
     *
     * @throws dev.paloverde.gpu.PaloverdeException of row scope if the row cannot be served
     */
    Prepared<Q> prepare(List<?> inputs);

    /** Hands a row to the engine; blocks while too much is waiting. */
    CompletableFuture<A> submit(Engine engine, RowKey key, Q question);

    /** {@return the values of the operation's own columns, in order} */
    Object[] write(Prepared<Q> row, A answer);

    /** {@return the number of the operation's own columns} */
    int columns();

    /** {@return the number of tokens that an answer has generated} */
    default int tokensOut(A answer) {
        return 0;
    }

    /**
     * A row that the engine can be asked.
     *
     * @param tokensIn tokens that are given
     * @param truncated whether something was cut
     * @param bytes of the texts in UTF-8, where the answer needs them
     */
    record Prepared<Q>(Q question, int tokensIn, boolean truncated, long... bytes) {}
}
