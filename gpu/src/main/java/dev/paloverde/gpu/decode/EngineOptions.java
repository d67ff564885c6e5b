package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;

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
    /** @throws PaloverdeException {@code INVALID_OPTION} if a limit is less than 1 */
    public EngineOptions {
        requirePositive("max-sequences", maxSequences);
        requirePositive("step-tokens", stepTokens);
        requirePositive("page-tokens", pageTokens);
        requirePositive("kv-bytes", kvBytes);
        requirePositive("max-queued-tokens", maxQueuedTokens);
    }

    private static void requirePositive(String name, long value) {
        if (value < 1) {
            throw new PaloverdeException(ErrorCode.INVALID_OPTION, name + " is " + value + "; it must be at least 1");
        }
    }

    /** 64 sequences, 512 rows a step, pages of 16, 256 MiB of cache. */
    public static EngineOptions defaults() {
        return new EngineOptions(64, 512, 16, 256L << 20, 1 << 20);
    }
}
