package dev.paloverde.gpu.model;

import dev.paloverde.gpu.kernels.KvCache;
import dev.paloverde.gpu.kernels.KvLayout;
import dev.paloverde.gpu.kernels.Matrix;
import dev.paloverde.gpu.kernels.StepBatch;
import dev.paloverde.gpu.kernels.Tensor;
import dev.paloverde.gpu.kernels.TokenProposer;

/** A decoder-only language model on a device. Confined to one thread at a time; the caller closes it. */
public interface LanguageModel extends AutoCloseable {
    /** {@return the number of tokens its embedding and its head know} */
    int vocabulary();

    /** {@return the most positions a sequence may have} */
    int context();

    /** {@return what a page of its key-value cache holds} */
    KvLayout kvLayout(int pageTokens);

    /** {@return the output projection, [vocabulary, hidden]; owned by the model} */
    Matrix head();

    /**
     * Runs one step: embeds the rows, appends their keys and values to the cache, and gives their last hidden states.
     *
     * @param batch at most {@code stepRows} rows, see {@link #reserve}
     * @return [rows, hidden] after the final norm; owned by the model, valid until the next step
     */
    Tensor forward(StepBatch batch, KvCache cache);

    /**
     * Extends sequences by the tokens that are chosen after them, on kernels that have a {@link TokenProposer}. Steps as
     * {@link #forward}'s, with at most {@code stepRows} rows each.
     *
     * @param chain what to begin with, and how far to go
     * @param tokens [steps * sequences] out, as in {@link TokenProposer#extend}
     */
    void extend(TokenProposer.Chain chain, KvCache cache, int[] tokens);

    /**
     * Makes room for steps of up to this many rows.
     *
     * @param stepRows the most rows of a step
     */
    void reserve(int stepRows);

    @Override
    void close();
}
