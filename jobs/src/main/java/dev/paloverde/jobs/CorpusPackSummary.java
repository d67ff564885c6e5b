package dev.paloverde.jobs;

import java.util.List;

/**
 * What a job that packs did, for machines: {@code summary.json} in its output.
 *
 * @param job what the tables depend on
 * @param rows rows that went in
 * @param packed what became of them
 * @param corrupt input files that could not be read, or not to their end
 * @param seconds time of the run that ended it
 */
record CorpusPackSummary(
        CorpusSummary.Job job, long rows, PackSummary packed, List<CorruptFile> corrupt, double seconds) {}
