package dev.paloverde.gpu.kernels;

/**
 * Rows of logits as {@link TokenRanker} ranks them. Ranks count from 0, by falling logit after the penalty, and by rising id
 * among equal ones.
 */
public interface RankedRows {
    /** {@return how many tokens of a row are ranked: the whole vocabulary, or its first part} */
    int ranks();

    /** {@return whether the row's logits have a softmax; else nothing more is said of it} */
    boolean lawful(int row);

    /** {@return the largest logit before the penalty} */
    float largest(int row);

    /** {@return the sum of {@code exp(logit - largest)} over the vocabulary, before the penalty} */
    double sum(int row);

    /** {@return the sum of {@code exp((logit - that of rank 0) / temperature)} after the penalty; 0 for temperature 0} */
    double mass(int row);

    /** {@return the token of the largest {@code logit / temperature + noise} after the penalty; -1 unless asked for} */
    int drawn(int row);

    int token(int row, int rank);

    /** {@return a token's logit after the penalty} */
    float logit(int row, int rank);

    /** {@return a token's logit before the penalty} */
    float plainLogit(int row, int rank);
}
