package dev.paloverde.gpu.decode;

/**
 * A prompt to continue.
 *
 * @param key the row's identity
 * @param prompt token ids, at least one; the array is not copied
 * @param sampling how to choose tokens; {@code maxTokens} is cut to what the context has left
 */
public record GenerationRequest(RowKey key, int[] prompt, Sampling sampling) {}
