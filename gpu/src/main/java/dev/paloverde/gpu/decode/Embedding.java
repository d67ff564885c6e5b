package dev.paloverde.gpu.decode;

/**
 * A text as a vector.
 *
 * @param values [hidden] pooled last hidden states, not normalised
 */
public record Embedding(float[] values) {}
