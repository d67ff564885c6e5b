package dev.paloverde.gpu.kernels;

/**
 * A token and a log-probability for each row of an operation. A device may still be at work on them: {@link #await} waits.
 * Used by the thread that uses the kernels, and closed by it.
 */
public interface LateAnswers extends AutoCloseable {
    /** Waits until the answers are there. Nothing is read before. */
    void await();

    /** {@return the token of a row} */
    int token(int row);

    /** {@return the natural logarithm of a probability, as the operation says; NaN where the logits have no softmax} */
    float logProbability(int row);

    @Override
    void close();

    /**
     * {@return answers that are there already}
     *
     * @param tokens [rows]
     * @param logProbabilities [rows]
     */
    static LateAnswers of(int[] tokens, float[] logProbabilities) {
        return new LateAnswers() {
            @Override
            public void await() {}

            @Override
            public int token(int row) {
                return tokens[row];
            }

            @Override
            public float logProbability(int row) {
                return logProbabilities[row];
            }

            @Override
            public void close() {}
        };
    }
}
