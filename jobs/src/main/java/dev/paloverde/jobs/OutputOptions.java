package dev.paloverde.jobs;

import picocli.CommandLine.Option;

/** The flags that say what comes out, and how it is cut. */
final class OutputOptions {
    @Option(
            names = {"-o", "--output"},
            required = true,
            paramLabel = "DIRECTORY",
            description = "Where Parquet files go, on any file system Hadoop's configuration knows.")
    String output;

    @Option(
            names = "--on-existing",
            paramLabel = "WHAT",
            description = "What to do if the output holds rows: resume goes on where a run of the same job ended, and"
                    + " refuses rows of another job; append adds this job's rows to those of others, told apart by"
                    + " receipt; overwrite removes what Paloverde wrote there; fail refuses (default: resume).")
    OnExisting onExisting = OnExisting.RESUME;

    @Option(names = "--resume", description = "The same as --on-existing=resume, and the default.")
    void resume(boolean given) {
        onExisting = OnExisting.RESUME;
    }

    @Option(
            names = "--compression",
            paramLabel = "CODEC",
            description = "Compression of the Parquet files: zstd, snappy, gzip, lz4 or none (default: zstd).")
    String compression = "zstd";

    @Option(
            names = "--unit-tokens",
            paramLabel = "TOKENS",
            description = "Tokens in a unit of work, which is one file and what a failure costs at most (default:"
                    + " 100000, some 30 seconds of a small model on two cores).")
    Long unitTokens;

    @Option(names = "--units", paramLabel = "COUNT", description = "How many units of work, instead of --unit-tokens.")
    Integer units;

    @Option(
            names = "--max-error-rate",
            paramLabel = "SHARE",
            description =
                    "The largest share of this run's rows that may fail, 0 to 1; if more do, all is written and the"
                            + " exit status is 7 (default: 1).")
    double maxErrorRate = 1;

    @Option(
            names = "--dry-run",
            description = "Write nothing; show the plan, what is done already and the number of tokens.")
    boolean dryRun;
}
