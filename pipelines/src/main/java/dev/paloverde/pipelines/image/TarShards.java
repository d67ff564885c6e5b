package dev.paloverde.pipelines.image;

import java.util.Iterator;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;

/**
 * Reads webdataset shards (<a href="https://github.com/webdataset/webdataset">the format</a>): tar files, also gzipped, in
 * which neighbouring members that differ only behind the first dot of their name are one sample. A shard is read by one task,
 * in one pass, a sample at a time. What is wrong with a member, a sample or a shard is a row with a reason, and the rest is
 * read.
 */
public final class TarShards {
    private TarShards() {}

    /**
     * {@return the samples of shards, {@link Samples#SCHEMA}}
     *
     * @param shards paths that the opener understands
     */
    public static Dataset<Row> read(Dataset<String> shards, ShardOpener opener, ReaderLimits limits) {
        FlatMapFunction<String, Row> open = path -> open(path, opener, limits);
        return shards.flatMap(open, Encoders.row(Samples.SCHEMA));
    }

    private static Iterator<Row> open(String path, ShardOpener opener, ReaderLimits limits) {
        TarSamples samples = new TarSamples(path, opener, limits);
        // a LIMIT or a kill leaves the iterator before its end
        if (TaskContext.get() != null) {
            TaskContext.get().addTaskCompletionListener(context -> {
                samples.close();
            });
        }
        return samples;
    }
}
