package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
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
    /** @throws PaloverdeException {@code INVALID_OPTION} if a value is outside its range */
    public Sampling {
        require(maxTokens >= 1, "max-tokens", maxTokens, "at least 1");
        require(temperature >= 0 && temperature <= 100, "temperature", temperature, "from 0 to 100");
        require(topK >= 0, "top-k", topK, "at least 0");
        require(topP > 0 && topP <= 1, "top-p", topP, "greater than 0 and at most 1");
        require(minP >= 0 && minP <= 1, "min-p", minP, "from 0 to 1");
        require(
                repetitionPenalty > 0 && repetitionPenalty < Float.POSITIVE_INFINITY,
                "repetition-penalty",
                repetitionPenalty,
                "greater than 0 and finite");
        stop = List.copyOf(stop);
        require(!stop.contains(""), "stop", stop, "made of texts that are not empty");
    }

    private static void require(boolean valid, String name, Object value, String range) {
        if (!valid) {
            throw new PaloverdeException(ErrorCode.INVALID_OPTION, name + " is " + value + "; it must be " + range);
        }
    }

    /** Greedy, up to {@code maxTokens}, nothing else. */
    public static Sampling greedy(int maxTokens) {
        return new Sampling(maxTokens, 0, 0, 1, 0, 1, List.of(), false, 0);
    }
}
