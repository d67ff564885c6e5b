package dev.paloverde.gpu.decode;

/**
 * Totals since an engine was started. Differences of two readings describe the time between them.
 *
 * @param steps forward steps run
 * @param stepNanos time in them, waiting for proposed tokens included
 * @param prefillTokens rows that were given, prompts and scored texts
 * @param decodeTokens rows that were generated
 * @param sequenceSteps sum over the steps of the sequences in them; over {@code steps * maxSequences}, the occupancy
 * @param preemptions sequences that lost their pages to another and began again
 * @param pages pages of the cache in use now
 * @param peakPages the most pages in use at once
 */
public record EngineMetrics(
        long steps,
        long stepNanos,
        long prefillTokens,
        long decodeTokens,
        long sequenceSteps,
        long preemptions,
        int pages,
        int peakPages) {}
