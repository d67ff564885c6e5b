package dev.paloverde.jobs;

import java.io.IOException;
import java.io.Serializable;
import java.util.Iterator;
import java.util.List;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.SerializableConfiguration;

/** Reads the footers of Parquet files, on the executors, to know which are whole and how many rows each promises. */
final class ParquetFooters {
    /** The most files that a task looks at. */
    private static final int FILES_PER_TASK = 64;

    private ParquetFooters() {}

    /**
     * What a footer says.
     *
     * @param path the file
     * @param rows how many rows it promises; -1 if it cannot be read
     * @param damage what is wrong with it; absent if nothing is
     */
    record Footer(String path, long rows, String damage) implements Serializable {}

    static List<Footer> read(SparkSession spark, List<FileStatus> files) {
        SerializableConfiguration configuration =
                new SerializableConfiguration(spark.sessionState().newHadoopConf());
        List<String> paths =
                files.stream().map(file -> file.getPath().toString()).toList();
        int tasks = Math.max(1, (paths.size() + FILES_PER_TASK - 1) / FILES_PER_TASK);
        MapPartitionsFunction<String, Row> reading = batch -> footers(batch, configuration);
        return spark
                .createDataset(paths, Encoders.STRING())
                .repartition(tasks)
                .mapPartitions(
                        reading,
                        Encoders.row(new org.apache.spark.sql.types.StructType()
                                .add("path", "string")
                                .add("rows", "long")
                                .add("damage", "string")))
                .collectAsList()
                .stream()
                .map(row -> new Footer(row.getString(0), row.getLong(1), row.getString(2)))
                .toList();
    }

    private static Iterator<Row> footers(Iterator<String> paths, SerializableConfiguration configuration) {
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return paths.hasNext();
            }

            @Override
            public Row next() {
                String path = paths.next();
                try (ParquetFileReader reader =
                        ParquetFileReader.open(HadoopInputFile.fromPath(new Path(path), configuration.value()))) {
                    return RowFactory.create(path, reader.getRecordCount(), null);
                } catch (IOException | RuntimeException e) {
                    return RowFactory.create(path, -1L, String.valueOf(e.getMessage()));
                }
            }
        };
    }
}
