package dev.paloverde.jobs;

import java.util.List;
import java.util.SortedMap;

/**
 * What a corpus job did, for machines: {@code summary.json} in its output.
 *
 * @param job what the tables depend on
 * @param rows rows that went in
 * @param kept rows that are in the corpus
 * @param keptBytes bytes of their text, as UTF-8
 * @param rejected rows that are not, by reason
 * @param evaluationRows rows of the evaluation sets, those too short to be found, and those that were
 * @param packed the sequences made of it; absent if none were asked for
 * @param corrupt input files that could not be read, or not to their end
 * @param seconds time of the run that ended it
 */
record CorpusSummary(
        Job job,
        long rows,
        long kept,
        long keptBytes,
        List<Rejected> rejected,
        EvaluationRows evaluationRows,
        PackSummary packed,
        List<CorruptFile> corrupt,
        double seconds) {

    /**
     * What makes two runs the same job.
     *
     * @param options what is done
     * @param input fingerprint of the input's rows
     * @param evaluation fingerprint of the evaluation sets' rows; absent if there are none
     */
    record Job(SortedMap<String, String> options, String input, String evaluation) {}

    /**
     * Rows that were rejected.
     *
     * @param reason a name of {@link dev.paloverde.pipelines.corpus.RejectReason}
     * @param rule the rule that was broken, if it is for that
     * @param rows how many
     * @param bytes bytes of their text
     */
    record Rejected(String reason, String rule, long rows, long bytes) {}

    /**
     * The rows of evaluation sets.
     *
     * @param rows all
     * @param tooShort with fewer words than are searched for
     * @param found of which a part stands in a document
     */
    record EvaluationRows(long rows, long tooShort, long found) {}
}
