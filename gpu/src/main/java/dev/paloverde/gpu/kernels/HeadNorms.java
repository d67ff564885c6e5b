package dev.paloverde.gpu.kernels;

/**
 * The norms that some families put on every query and key head before it is rotated.
 *
 * @param queries [width] gain of query heads
 * @param keys [width] gain of key heads
 * @param epsilon added to the mean square
 */
public record HeadNorms(Weights queries, Weights keys, float epsilon) {}
