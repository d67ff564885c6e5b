/**
 * The programs that {@code spark-submit} starts: arguments, reading, writing, resuming, reporting, exit codes.
 *
 * <p>The tour: {@link dev.paloverde.jobs.Main} parses the command line; each command is a small class, and those that run
 * a function over rows ({@code RowCommand}) get a flag for every one of the function's settings. They all end in
 * {@code RowJob}, which tells the story of a run in order: open the {@code Input}, bind the step ({@code TextSteps}),
 * examine the {@code OutputDirectory}, claim it, look at the input once, find what is done, plan units, write, report.
 *
 * <p>What makes a run durable is in three places. {@link dev.paloverde.jobs.UnitCommitProtocol} publishes each unit by a
 * rename when its task is done. {@code OutputDirectory} makes a run the only one that can: claiming an output removes the
 * staging directories of all runs before. And {@link dev.paloverde.pipelines.Resume} finds by content what the output
 * lacks. No journal is kept: the rows themselves are the record of what is done.
 *
 * <p>What a run says: {@code Progress} follows it by Spark's events and {@code ProgressLine} shows that;
 * {@code Summary} counts what was written, from the files; {@code Report} puts all of it into the
 * {@code RunManifest}; {@link dev.paloverde.jobs.ExitCode} is the last word.
 *
 * <p>The command {@code corpus} is a story of its own, {@code CorpusJob}: its stages are tables in a {@code StageDirectory},
 * each there whole or not at all, and what it did is a {@code CorpusSummary}, which {@code DataCard} shows. Its last stages
 * are those of {@code PackStages}, which the command {@code corpus-pack} runs by themselves. {@code CompressedLines} and
 * {@code WarcRows} read what Spark's own readers would fail on, and make rows of what is wrong.
 * {@code images} is told alike by {@code ImagesJob}: {@code ImageListing} says what the files of an input are, and {@code
 * HadoopOpener} opens them in tasks; {@code ImageTables} reads Parquet, of which parts may be damaged. {@code TrajectoriesJob},
 * {@code SimilarEmbeddingsCommand}, {@code LatentStatisticsCommand} and {@code TextDistanceCommand} are short ones of that kind.
 */
package dev.paloverde.jobs;
