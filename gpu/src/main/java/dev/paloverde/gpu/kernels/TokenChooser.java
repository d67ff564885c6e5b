package dev.paloverde.gpu.kernels;

/** Chooses tokens where the logits are, so that [rows x vocabulary] numbers never leave the device, nor lie there. */
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
     * @param tokens [rows] out
     * @param logProbabilities [rows] out: natural logarithms of the tokens' probabilities under softmax of the logits;
     *     NaN where the logits have no softmax, the token then being undefined
     */
    void choose(Tensor hidden, Matrix head, Draws draws, int[] tokens, float[] logProbabilities);

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
