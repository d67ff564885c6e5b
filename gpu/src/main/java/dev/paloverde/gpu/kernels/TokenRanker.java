package dev.paloverde.gpu.kernels;

/**
 * Finds on the device what a law that is cut off (top-k, top-p, min-p, a penalty) needs of a row of logits: sums over the
 * vocabulary, and the tokens of the largest logits. The host ends the choice.
 */
public interface TokenRanker {
    /** {@return the most rows of one call} */
    int rows();

    /**
     * Ranks the tokens of each row.
     *
     * @param hidden [rows, columns of head]
     * @param asks how, one entry a row
     * @return read before anything else is asked of the kernels
     */
    RankedRows rank(Tensor hidden, Matrix head, Asks asks);

    /**
     * How the rows of a call are looked at.
     *
     * @param draws temperatures, and the noise of those whose token is {@code drawn}
     * @param penalties [rows] divides positive and multiplies negative logits of tokens seen (Keskar et al.,
     *     arXiv:1909.05858); 1 for none
     * @param seen [rows][] distinct tokens; empty where there is no penalty
     * @param drawn [rows] whether the token is wanted that the whole law would draw
     */
    record Asks(TokenChooser.Draws draws, float[] penalties, int[][] seen, boolean[] drawn) {}
}
