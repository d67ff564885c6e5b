package dev.paloverde.jobs;

import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a run did, for machines: {@code _paloverde/run-<run>.json} beside the output. Written when the run begins and
 * again when it ends; a part is absent until it is known.
 *
 * @param format version of this layout
 * @param run name of the run, in which the names of its unit files end
 * @param state whether it still runs, as far as anyone knows
 * @param started when it began, ISO 8601 in UTC
 * @param finished when it ended
 * @param versions of Paloverde, Spark, Java and the system
 * @param application Spark's identifier of the application
 * @param master Spark's master
 * @param arguments the command line
 * @param job what makes it the same job as other runs
 * @param input what went in
 * @param plan what was to be done
 * @param results what came out of this run
 * @param metrics totals of the functions' metrics over the tasks that succeeded, by name
 * @param seconds time by phase
 * @param engineShare the share of the time of computing in which the executors' engines ran a step
 * @param taskAttemptsFailed tasks that failed or were lost while computing, and were tried again
 * @param rowsLost rows that those had computed, at least: what an executor did between its last heartbeat and its death
 *     nobody knows. They were computed twice
 * @param exitStatus the process's exit status
 * @param error the failure that ended it
 */
record RunManifest(
        int format,
        String run,
        State state,
        String started,
        String finished,
        SortedMap<String, String> versions,
        String application,
        String master,
        List<String> arguments,
        JobDescription job,
        InputReport input,
        Plan plan,
        Results results,
        SortedMap<String, Long> metrics,
        SortedMap<String, Double> seconds,
        Double engineShare,
        Long taskAttemptsFailed,
        Long rowsLost,
        Integer exitStatus,
        Failure error) {

    enum State {
        /** It has begun, and has not said that it ended. */
        RUNNING,
        /** It ended by itself, with whatever exit status. */
        ENDED,
        /** It had not ended when another run took the output over. */
        INTERRUPTED
    }

    /**
     * What went in.
     *
     * @param paths as given
     * @param format of the files
     * @param files how many
     * @param rowsRead rows that can be read
     * @param rowsMalformed rows among them that are no JSON, or no CSV of these columns: what could be read of them stands in
     *     its columns, the others are null
     * @param rowsSelected rows that are to have results
     * @param bytes bytes of text of those
     * @param fingerprint of all rows that can be read, whatever their order
     * @param renamedColumns input columns that are carried under another name
     * @param corruptFiles files that cannot be read, or not to their end
     */
    record InputReport(
            List<String> paths,
            String format,
            long files,
            long rowsRead,
            long rowsMalformed,
            long rowsSelected,
            long bytes,
            String fingerprint,
            SortedMap<String, String> renamedColumns,
            List<CorruptFile> corruptFiles) {}

    /**
     * What was to be done.
     *
     * @param rowsDoneBefore rows that earlier runs had done
     * @param rows rows to do
     * @param estimatedTokens tokens to compute, estimated by bytes
     * @param units units of work
     */
    record Plan(long rowsDoneBefore, long rows, long estimatedTokens, int units) {}

    /**
     * What came out.
     *
     * @param rows rows written
     * @param rowsByStatus of them
     * @param errors of them, by code
     * @param tokensIn tokens read
     * @param tokensOut tokens generated
     * @param tokensPerSecond both over the time of computing
     */
    record Results(
            long rows,
            SortedMap<String, Long> rowsByStatus,
            List<RowErrors> errors,
            long tokensIn,
            long tokensOut,
            double tokensPerSecond) {}

    /**
     * Rows that failed alike.
     *
     * @param code why
     * @param rows how many
     * @param exampleKey the row key of one of them
     * @param exampleMessage its message
     */
    record RowErrors(String code, long rows, String exampleKey, String exampleMessage) {}

    /**
     * The failure that ended a run.
     *
     * @param code an error code
     * @param message what was found, and what to do
     */
    record Failure(String code, String message) {}

    /** {@return this manifest in another state} */
    RunManifest with(State changed) {
        return new RunManifest(
                format,
                run,
                changed,
                started,
                finished,
                versions,
                application,
                master,
                arguments,
                job,
                input,
                plan,
                results,
                metrics,
                seconds,
                engineShare,
                taskAttemptsFailed,
                rowsLost,
                exitStatus,
                error);
    }

    static SortedMap<String, String> versionsHere(String spark) {
        TreeMap<String, String> versions = new TreeMap<>();
        versions.put("paloverde", Versions.PALOVERDE);
        versions.put("spark", spark);
        versions.put("java", System.getProperty("java.version"));
        versions.put("system", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
        return versions;
    }
}
