package dev.paloverde.gpu.kernels;

/**
 * The rows of one forward step and whose they are. Each row is one token. The rows of a sequence are neighbours and
 * have consecutive positions; a sequence brings one row when it decodes and many when it prefills. Arrays are not
 * copied: the caller leaves them alone until the step is done.
 *
 * @param tokens [rows] token ids, or what {@link TokenChooser#reference} gives
 * @param positions [rows] positions in their sequences, from 0
 * @param starts [sequences + 1] the first row of each sequence, and the number of rows
 * @param pages [sequences][] block tables: page {@code p} of a sequence holds its positions {@code p * pageTokens} and
 *     on, and is page {@code pages[s][p]} of the cache; entries for all positions up to the sequence's last row
 */
public record StepBatch(int[] tokens, int[] positions, int[] starts, int[][] pages) {
    /** {@return the number of rows} */
    public int rows() {
        return tokens.length;
    }

    /** {@return the number of sequences} */
    public int sequences() {
        return pages.length;
    }
}
