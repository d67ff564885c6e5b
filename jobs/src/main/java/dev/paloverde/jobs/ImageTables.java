package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.image.ImageRejectReason;
import dev.paloverde.pipelines.image.ReaderLimits;
import dev.paloverde.pipelines.image.Samples;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.metadata.BlockMetaData;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.schema.MessageType;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.SerializableConfiguration;

/**
 * Reads images out of Parquet tables, a group of rows in a task. What cannot be read of a group is a row that says so, with
 * the group's bytes as its place, and all other groups are read. Spark's own reader would skip the rest of the file without
 * a word, or end with the executor where damaged headers of pages make it run out of stack.
 *
 * @param columns which columns to take
 * @param limits bytes of an image and of a caption
 */
record ImageTables(Columns columns, ReaderLimits limits) implements Serializable {
    private static final int FILES_PER_TASK = 64;

    /**
     * Columns by their names, dots between those of fields within.
     *
     * @param image of bytes
     * @param caption of strings; null for none
     * @param key of anything that is one value; null for the hash of the image
     */
    record Columns(String image, String caption, String key) implements Serializable {
        @Override
        public String toString() {
            return "%s %s %s".formatted(image, caption, key);
        }
    }

    /**
     * A group of rows of a table; or a table of which none can be known, for a reason.
     *
     * @param group its number
     * @param begin its first byte
     * @param bytes its bytes as they lie in the file
     * @param rows its rows, as the footer says
     * @param problem why nothing of the table can be read; else null
     * @param columns what the table has, where it has not the columns asked for; else null
     */
    record Part(String path, int group, long begin, long bytes, long rows, String problem, String columns)
            implements Serializable {}

    /**
     * {@return the samples of tables, {@link Samples#SCHEMA}}
     *
     * @throws PaloverdeException {@code INPUT_UNREADABLE} if of all tables that can be read none has the columns
     */
    Dataset<Row> read(SparkSession spark, List<FileStatus> tables, int tasksPerCore) {
        SerializableConfiguration configuration =
                new SerializableConfiguration(spark.sessionState().newHadoopConf());
        List<Part> parts = parts(spark, tables, configuration);
        Optional<String> others =
                parts.stream().map(Part::columns).filter(have -> have != null).findFirst();
        if (others.isPresent() && parts.stream().noneMatch(part -> part.problem() == null)) {
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE,
                    "--image-column %s, --caption-column %s, --key-column %s: the tables have %s"
                            .formatted(columns.image(), columns.caption(), columns.key(), others.get()));
        }
        int tasks = Math.min(parts.size(), tasksPerCore * spark.sparkContext().defaultParallelism());
        FlatMapFunction<Part, Row> open = part -> open(part, configuration);
        JavaRDD<Row> samples = JavaSparkContext.fromSparkContext(spark.sparkContext())
                .parallelize(parts, Math.max(1, tasks))
                .flatMap(open);
        return spark.createDataFrame(samples, Samples.SCHEMA);
    }

    private List<Part> parts(SparkSession spark, List<FileStatus> tables, SerializableConfiguration configuration) {
        FlatMapFunction<String, Part> look =
                path -> look(path, configuration.value()).iterator();
        List<String> paths =
                tables.stream().map(file -> file.getPath().toString()).sorted().toList();
        int tasks = (paths.size() + FILES_PER_TASK - 1) / FILES_PER_TASK;
        return JavaSparkContext.fromSparkContext(spark.sparkContext())
                .parallelize(paths, tasks)
                .flatMap(look)
                .collect();
    }

    private List<Part> look(String path, Configuration configuration) {
        Path file = new Path(path);
        long length = 0;
        try {
            length = file.getFileSystem(configuration).getFileStatus(file).getLen();
            try (ParquetFileReader reader = ParquetFileReader.open(HadoopInputFile.fromPath(file, configuration))) {
                MessageType schema = reader.getFileMetaData().getSchema();
                if (TableColumns.of(schema, columns).isEmpty()) {
                    return List.of(new Part(
                            path,
                            0,
                            0,
                            length,
                            reader.getRecordCount(),
                            "it has not the columns " + columns,
                            TableColumns.describe(schema)));
                }
                List<Part> parts = new ArrayList<>();
                for (BlockMetaData block : reader.getRowGroups()) {
                    parts.add(new Part(
                            path,
                            parts.size(),
                            block.getStartingPos(),
                            block.getCompressedSize(),
                            block.getRowCount(),
                            null,
                            null));
                }
                return parts;
            }
        } catch (IOException | RuntimeException | StackOverflowError e) {
            return List.of(new Part(path, 0, 0, length, 0, "no Parquet file, or one without its end: " + e, null));
        }
    }

    private Iterator<Row> open(Part part, SerializableConfiguration configuration) {
        if (part.problem() != null) {
            return List.of(Samples.damaged(
                            part.path(),
                            part.begin(),
                            part.bytes(),
                            ImageRejectReason.UNREADABLE_SHARD,
                            part.problem()))
                    .iterator();
        }
        TableSamples samples = new TableSamples(part, this, configuration.value());
        if (TaskContext.get() != null) {
            TaskContext.get().addTaskCompletionListener(context -> {
                samples.close();
            });
        }
        return samples;
    }
}
