package dev.paloverde.gpu.decode;

/**
 * The limits an engine works within. None of them changes a result.
 *
 * @param maxSequences the most sequences in flight
 * @param stepTokens the most rows of a forward step; a longer prefill is cut into chunks
 * @param pageTokens positions in a page of the key-value cache
 * @param kvBytes memory for the key-value cache, in bytes
 * @param maxQueuedTokens tokens that may wait for admission before submitting blocks
 */
public record EngineOptions(int maxSequences, int stepTokens, int pageTokens, long kvBytes, long maxQueuedTokens) {
    /** 64 sequences, 512 rows a step, pages of 16, 256 MiB of cache. */
    public static EngineOptions defaults() {
        return new EngineOptions(64, 512, 16, 256L << 20, 1 << 20);
    }
}
