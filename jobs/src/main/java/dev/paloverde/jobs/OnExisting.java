package dev.paloverde.jobs;

/** What to do when the output directory holds rows already. */
enum OnExisting {
    /** Goes on where an earlier run of the same job ended; anything else there is an error. */
    RESUME,
    /** As {@code RESUME}, and where there are rows of other jobs, adds this job's to them under its own receipt. */
    APPEND,
    /** Removes what earlier runs of Paloverde wrote, and begins anew. */
    OVERWRITE,
    /** Anything there is an error. */
    FAIL
}
