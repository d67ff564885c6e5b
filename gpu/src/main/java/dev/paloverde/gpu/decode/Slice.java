package dev.paloverde.gpu.decode;

/**
 * The rows that a sequence brings to a step.
 *
 * @param sequence whose
 * @param first the position of the first row
 * @param count the number of rows
 */
record Slice(Sequence sequence, int first, int count) {}
