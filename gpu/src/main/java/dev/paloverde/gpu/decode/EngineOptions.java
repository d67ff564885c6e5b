package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Limits;

/**
 * The limits an engine works within. None of them changes a result. Where one is 0, the engine takes what suits its device,
 * see {@link dev.paloverde.gpu.kernels.Kernels#limits}.
 *
 * @param maxSequences the most sequences in flight
 * @param stepTokens the most rows of a forward step; a longer prefill is cut into chunks
 * @param pageTokens positions in a page of the key-value cache
 * @param kvBytes memory for the key-value cache, in bytes
 * @param maxQueuedTokens tokens that may wait for admission before submitting blocks
 */
public record EngineOptions(int maxSequences, int stepTokens, int pageTokens, long kvBytes, long maxQueuedTokens) {
    /** @throws PaloverdeException {@code INVALID_OPTION} if a limit is less than 0, or no token may wait */
    public EngineOptions {
        requireNotNegative("max-sequences", maxSequences);
        requireNotNegative("step-tokens", stepTokens);
        requireNotNegative("page-tokens", pageTokens);
        requireNotNegative("kv-bytes", kvBytes);
        if (maxQueuedTokens < 1) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION, "max-queued-tokens is " + maxQueuedTokens + "; it must be at least 1");
        }
    }

    private static void requireNotNegative(String name, long value) {
        if (value < 0) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    name + " is " + value + "; it must be at least 1, or 0 for what suits the device");
        }
    }

    /** What suits the device. */
    public static EngineOptions defaults() {
        return new EngineOptions(0, 0, 0, 0, 1 << 20);
    }

    /** {@return the same, with what suits a device in place of every 0} */
    EngineOptions resolve(Limits limits) {
        return new EngineOptions(
                maxSequences == 0 ? limits.sequences() : maxSequences,
                stepTokens == 0 ? limits.stepRows() : stepTokens,
                pageTokens == 0 ? limits.pageTokens() : pageTokens,
                kvBytes == 0 ? limits.cacheBytes() : kvBytes,
                maxQueuedTokens);
    }
}
