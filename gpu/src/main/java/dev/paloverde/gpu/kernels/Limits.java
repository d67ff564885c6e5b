package dev.paloverde.gpu.kernels;

/**
 * How large an engine on a device likes to be. None of it changes a result.
 *
 * @param sequences in flight
 * @param stepRows of a forward step
 * @param pageTokens positions in a page of the cache
 * @param cacheBytes memory for the cache; fewer if the model cannot use as many
 */
public record Limits(int sequences, int stepRows, int pageTokens, long cacheBytes) {}
