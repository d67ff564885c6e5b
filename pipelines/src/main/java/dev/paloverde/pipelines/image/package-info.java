/**
 * Images with captions, and videos, for training: Dataset in, Dataset out.
 *
 * <p>Readers give {@link dev.paloverde.pipelines.image.Samples}: {@link dev.paloverde.pipelines.image.TarShards} of webdataset
 * shards, {@link dev.paloverde.pipelines.image.ImageFiles} of files, folders of frames and animated GIFs, {@link
 * dev.paloverde.pipelines.image.Samples#of} of tables with bytes, {@link dev.paloverde.pipelines.image.Films} of MP4 and WebM
 * where FFmpeg is on the class path ({@code FilmDecoder} alone needs it). They open files through a {@link
 * dev.paloverde.pipelines.image.ShardOpener} that the job gives them, hold one sample at a time, and make a row with an {@link
 * dev.paloverde.pipelines.image.ImageRejectReason} of whatever is wrong.
 *
 * <p>{@link dev.paloverde.pipelines.image.ImageChecks} adds what can be said of an image as a column, {@link
 * dev.paloverde.pipelines.image.PerceptualHash} included; {@link dev.paloverde.pipelines.image.ImageRules} makes reasons of
 * it, {@link dev.paloverde.pipelines.image.ImageScores} of what functions of the user's say;
 * {@link dev.paloverde.pipelines.image.ImageDuplicates} finds what looks alike, with the components of {@link
 * dev.paloverde.pipelines.corpus.Components}; {@link dev.paloverde.pipelines.image.ImageCorpus} puts it together. None of it
 * depends on the order or the partitioning of the input.
 *
 * <p>{@link dev.paloverde.pipelines.image.LatentStatistics} works out mean and variance of what encoders made of images, by
 * sums that do not round ({@code ExactSums}).
 *
 * <p>What is packed are documents of segments: {@link dev.paloverde.pipelines.image.SampleDocuments} makes them of samples, and
 * {@link dev.paloverde.pipelines.image.Trajectories} reads those of frames and actions, with a {@link
 * dev.paloverde.pipelines.image.TrajectoryRejectReason} for each step that cannot be used.
 */
package dev.paloverde.pipelines.image;
