package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.model.Pooling;

/**
 * A text to embed.
 *
 * @param tokens ids, at least one, at most the model's context
 * @param pooling which hidden states count
 */
public record EmbeddingRequest(int[] tokens, Pooling pooling) {}
