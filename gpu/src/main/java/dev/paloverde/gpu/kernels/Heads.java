package dev.paloverde.gpu.kernels;

/**
 * Attention heads that lie side by side in the rows of a tensor: head {@code h} of a row is the {@code width} numbers
 * from column {@code firstColumn + h * width}.
 *
 * @param tensor the rows
 * @param firstColumn where head 0 begins
 * @param count how many heads
 * @param width the dimension of a head
 */
public record Heads(Tensor tensor, int firstColumn, int count, int width) {}
