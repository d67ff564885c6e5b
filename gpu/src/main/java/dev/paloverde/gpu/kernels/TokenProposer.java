package dev.paloverde.gpu.kernels;

import java.util.function.Function;

/** Lets a draft model run on where its logits are: neither logits nor the tokens of a step pass through the host. */
public interface TokenProposer {
    /** {@return the most rows of a call of {@link #candidates}} */
    int candidateRows();

    /** {@return the most sequences of a chain} */
    int chainSequences();

    /**
     * The tokens that a row could get, the most readily chosen first: those of the largest {@code logit / temperature +
     * noise}, with temperature 0 of the largest logits; the lowest id first on a tie. The first is what {@link
     * TokenChooser#choose} chooses.
     *
     * @param hidden [rows, columns of head]
     * @param draws how, one entry a row
     * @param count how many of each row, from 1 to 256 and at most the vocabulary
     * @param tokens [rows * count] out; -1 in all places of a row whose logits have no softmax
     */
    void candidates(Tensor hidden, Matrix head, TokenChooser.Draws draws, int count, int[] tokens);

    /**
     * Steps of a model that follow one another: the token chosen after a sequence's last row is its row in the next step.
     * A sequence that has reached its last position stays there: its row is computed again, which changes nothing.
     *
     * @param key as in {@link Kernels#step}, together with {@code model}
     * @param chain what to begin with, and how far to go
     * @param model runs a step over a batch on these kernels, outside of {@link Kernels#step}; gives [rows, columns of head]
     * @param tokens [steps * sequences] out: what was chosen after step {@code i} for sequence {@code s} at {@code i *
     *     sequences + s}; -1 where the logits have no softmax, what follows being undefined
     */
    void extend(Object key, Chain chain, Matrix head, Function<StepBatch, Tensor> model, int[] tokens);

    /**
     * What sequences are extended from.
     *
     * @param batch the first step; its block tables have pages for all positions that will be computed
     * @param last [sequences] the last position that may be computed, at least that of the sequence's last row
     * @param steps how many tokens are chosen for each sequence, at least 1
     * @param draws [sequences] how, the positions being those of the first tokens
     */
    record Chain(StepBatch batch, int[] last, int steps, TokenChooser.Draws draws) {
        /** {@return the batch whose rows are the last of each sequence: what a step looks like that follows} */
        StepBatch followers() {
            int sequences = batch.sequences();
            int[] tokens = new int[sequences];
            int[] positions = new int[sequences];
            int[] starts = new int[sequences + 1];
            for (int s = 0; s < sequences; s++) {
                int row = batch.starts()[s + 1] - 1;
                tokens[s] = batch.tokens()[row];
                positions[s] = batch.positions()[row];
                starts[s + 1] = s + 1;
            }
            return new StepBatch(tokens, positions, starts, batch.pages());
        }
    }
}
