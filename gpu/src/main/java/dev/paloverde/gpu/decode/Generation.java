package dev.paloverde.gpu.decode;

/**
 * A continuation.
 *
 * @param tokens generated ids, the end-of-sequence token left out
 * @param text their text, ending before a stop text
 * @param logProbability sum of the natural-log probabilities of the generated tokens under the model's own distribution
 *     (temperature 1, no filters), the end-of-sequence token included
 * @param finish why it ended
 */
public record Generation(int[] tokens, String text, double logProbability, FinishReason finish) {}
