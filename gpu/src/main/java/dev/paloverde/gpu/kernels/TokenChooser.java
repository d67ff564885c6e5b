package dev.paloverde.gpu.kernels;

/**
 * Chooses tokens where the logits are, so that [rows x vocabulary] numbers never leave the device, nor lie there. A step may
 * be queued that computes tokens before the host knows them: it names them by {@link #reference}.
 */
public interface TokenChooser {
    /** {@return the most rows of one call} */
    int rows();

    /**
     * Chooses a token for each row: the one of the largest {@code logit / temperature + noise}, where the noise is a
     * Gumbel variable drawn for (row, position, token); with temperature 0 the one of the largest logit. The lowest id on a
     * tie.
     *
     * @param hidden [rows, columns of head]
     * @param draws how, one entry a row
     * @param first the entry that the first row's token is remembered at, for {@link #reference}; less than 2^17 - rows
     * @return the tokens, and their log-probabilities under softmax of the logits; where the logits have no softmax, the
     *     token is any of the vocabulary
     */
    LateAnswers choose(Tensor hidden, Matrix head, Draws draws, int first);

    /**
     * {@return what stands for a token in the next {@link StepBatch}: negative}
     *
     * @param entry that the token was last remembered at
     */
    static int reference(int entry) {
        return -1 - entry;
    }

    /**
     * How the rows of a call are drawn. Noise is {@code -log(-log u)}, with u of 52 bits from Philox4x32-10 (Salmon et al.,
     * SC'11) under the key (key0, key1) at the counter (token, position, purpose, stream).
     *
     * @param temperatures [rows] 0 for none
     * @param positions [rows] the positions that the tokens will have
     * @param streams [rows] last word of the counter
     * @param keys0 [rows] first word of the key
     * @param keys1 [rows] second word of the key
     * @param purpose third word of the counter, the same for all rows
     */
    record Draws(float[] temperatures, int[] positions, int[] streams, int[] keys0, int[] keys1, int purpose) {}
}
