package dev.paloverde.udfs.text;

import java.util.List;

/**
 * What becomes of one row before an engine is asked and after it has answered. The inputs are one for each argument: byte[],
 * a list of byte[] or null.
 *
 * @param <Q> what the engine is asked
 * @param <A> what the engine answers
 */
public interface RowAnswers<Q, A> {
    /**
     * Reads a row's inputs and turns them into what the engine takes.
     *
     * @throws dev.paloverde.gpu.PaloverdeException of row scope if the row cannot be served
     */
    Prepared<Q> prepare(List<?> inputs);

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
