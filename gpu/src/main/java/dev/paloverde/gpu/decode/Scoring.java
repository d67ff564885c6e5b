package dev.paloverde.gpu.decode;

/**
 * How likely a text is, token by token.
 *
 * @param logProbabilities [tokens - 1] natural-log probability of token i + 1, given those before it in its window
 * @param greedy how many of them were the most likely token
 * @param windows how many windows it took
 */
public record Scoring(float[] logProbabilities, int greedy, int windows) {
    /** {@return the sum of the log-probabilities, in nats, added in order in double precision} */
    public double sum() {
        double sum = 0;
        for (float value : logProbabilities) {
            sum += value;
        }
        return sum;
    }
}
