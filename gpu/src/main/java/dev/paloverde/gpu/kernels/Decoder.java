package dev.paloverde.gpu.kernels;

import java.util.List;

/**
 * The layers of a decoder-only transformer and the norm behind them: what {@link Kernels#decode} runs. A model makes it once,
 * and an implementation may keep what it makes of it for as long as itself.
 *
 * @param layers first to last
 * @param queries query heads of a layer
 * @param keyValues key heads of a layer, and value heads
 * @param width of a head
 * @param rotary how queries and keys are turned
 * @param norm [hidden] gain of the norm behind the last layer
 * @param epsilon of all norms of the residual
 */
public record Decoder(
        List<DecoderLayer> layers, int queries, int keyValues, int width, Rotary rotary, Weights norm, float epsilon) {
    /** Keeps the list as it is now. */
    public Decoder {
        layers = List.copyOf(layers);
    }

    /**
     * What a step writes between its first layer and its last.
     *
     * @param residual [rows, hidden], from {@link Kernels#residual}: embeddings on the way in
     * @param normed [rows, hidden]: the result
     * @param projected [rows, (queries + 2 keyValues) * width]
     * @param attended [rows, queries * width]
     * @param gated [rows, intermediate]
     */
    public record Room(Tensor residual, Tensor normed, Tensor projected, Tensor attended, Tensor gated) {}
}
