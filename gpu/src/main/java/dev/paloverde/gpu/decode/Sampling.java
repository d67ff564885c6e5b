package dev.paloverde.gpu.decode;

import java.util.List;

/**
 * How tokens are chosen, and when to stop. Filters apply in this order: repetition penalty, temperature, top-k, top-p,
 * min-p.
 *
 * @param maxTokens the most tokens to generate, at least 1
 * @param temperature 0 for greedy (the most likely token, the lowest id on a tie); at most 100
 * @param topK keep the k most likely tokens; 0 for all
 * @param topP keep the smallest set of most likely tokens whose probability reaches p, in (0, 1]; 1 for all
 * @param minP keep tokens at least p times as likely as the most likely, in [0, 1]; 0 for all
 * @param repetitionPenalty divides positive and multiplies negative logits of tokens seen in prompt or output (Keskar
 *     et al., arXiv 1909.05858); 1 for none; greater than 0
 * @param stop texts that end the generation; the output ends before the first of them
 * @param ignoreEnd whether end-of-sequence tokens are ordinary tokens, for benchmarks
 * @param seed of the random numbers, together with the row's key
 */
public record Sampling(
        int maxTokens,
        float temperature,
        int topK,
        float topP,
        float minP,
        float repetitionPenalty,
        List<String> stop,
        boolean ignoreEnd,
        long seed) {
    /** Greedy, up to {@code maxTokens}, nothing else. */
    public static Sampling greedy(int maxTokens) {
        return new Sampling(maxTokens, 0, 0, 1, 0, 1, List.of(), false, 0);
    }
}
