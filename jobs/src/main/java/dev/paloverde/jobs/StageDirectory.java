package dev.paloverde.jobs;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/**
 * The output of a job of several stages, each a table that is there whole or not at all: a table is there when its
 * {@code _SUCCESS} is. A run that ended early is taken up at the first stage that is not there.
 *
 * <pre>
 * output/
 *   kept/ rejects/ ...        tables that stay
 *   summary.json              written last: where it is, all is there
 *   _paloverde/job.json       what the tables depend on
 *   _paloverde/stages/        tables on the way, removed at the end
 * </pre>
 */
final class StageDirectory {
    static final String SUMMARY = "summary.json";
    private static final String SUCCESS = "_SUCCESS";

    private final SparkSession spark;
    private final Path path;
    private final FileSystem fs;

    private StageDirectory(SparkSession spark, Path path, FileSystem fs) {
        this.spark = spark;
        this.path = path;
        this.fs = fs;
    }

    /**
     * Names an output. Nothing is written.
     *
     * @throws PaloverdeException {@code OUTPUT_UNWRITABLE} if there is no such file system
     */
    static StageDirectory at(SparkSession spark, String location) {
        try {
            Configuration configuration = spark.sessionState().newHadoopConf();
            Path path = new Path(location);
            FileSystem fs = path.getFileSystem(configuration);
            return new StageDirectory(spark, fs.makeQualified(path), fs);
        } catch (IOException | IllegalArgumentException e) {
            throw unwritable(location, e);
        }
    }

    Path path() {
        return path;
    }

    /**
     * Takes the output for a job: one that holds tables of the same job is gone on with.
     *
     * @param job what the tables depend on
     * @param onExisting what to do with tables of another job: {@code FAIL} or {@code OVERWRITE}
     * @throws PaloverdeException {@code OUTPUT_EXISTS} or {@code OUTPUT_UNWRITABLE}
     */
    void claim(CorpusSummary.Job job, OnExisting onExisting) {
        try {
            Optional<CorpusSummary.Job> before = job();
            if (before.isEmpty() && fs.exists(path) && fs.listStatus(path).length > 0) {
                throw exists("holds files that no corpus job has written; name another --output, or move them away");
            }
            if (before.isPresent() && !before.get().equals(job)) {
                if (onExisting != OnExisting.OVERWRITE) {
                    throw exists(
                            "holds a corpus of another input or other options:%n  %s%nand this is%n  %s%nName another --output, or say --overwrite"
                                    .formatted(before.get(), job));
                }
                for (FileStatus file : fs.listStatus(path)) {
                    fs.delete(file.getPath(), true);
                }
            }
            fs.mkdirs(home());
            write(new Path(home(), "job.json"), Json.write(job));
        } catch (IOException | SecurityException e) {
            throw unwritable(path.toString(), e);
        }
    }

    /** {@return the table of a stage; made, if it is not there} */
    Dataset<Row> stage(String name, Supplier<Dataset<Row>> rows) {
        return table(new Path(new Path(home(), "stages"), name), rows);
    }

    /** {@return a table that stays; made, if it is not there} */
    Dataset<Row> result(String name, Supplier<Dataset<Row>> rows) {
        return table(new Path(path, name), rows);
    }

    /**
     * {@return a table that stays, with a directory for each value of a column; made, if it is not there}
     *
     * @param schema its columns, which a table without rows has nowhere else
     */
    Dataset<Row> partitioned(String name, String column, StructType schema, Supplier<Dataset<Row>> rows) {
        Path table = new Path(path, name);
        make(table, rows, column);
        return spark.read().schema(schema).parquet(table.toString());
    }

    /** {@return the files of a table that stays, in the order of their paths} */
    List<FileStatus> files(String name) {
        List<FileStatus> files = new ArrayList<>();
        try {
            RemoteIterator<LocatedFileStatus> all = fs.listFiles(new Path(path, name), true);
            while (all.hasNext()) {
                FileStatus file = all.next();
                if (file.getPath().getName().endsWith(".parquet")) {
                    files.add(file);
                }
            }
        } catch (IOException e) {
            throw unwritable(path.toString(), e);
        }
        files.sort(Comparator.comparing(FileStatus::getPath));
        return files;
    }

    /** {@return the path of a file from here} */
    String relative(FileStatus file) {
        return path.toUri().relativize(file.getPath().toUri()).getPath();
    }

    /** Writes a file, whole or not at all. */
    void write(String name, String text) {
        try {
            write(new Path(path, name), text);
        } catch (IOException e) {
            throw unwritable(path.toString(), e);
        }
    }

    /** {@return a directory for what Spark must keep during the run} */
    String checkpoints() {
        return new Path(home(), "checkpoints").toString();
    }

    /** {@return the summary of a run that has ended, if one has} */
    <T> Optional<T> summary(Class<T> type) {
        return read(new Path(path, SUMMARY), type);
    }

    /** Says that all is there. */
    void finish(Object summary) {
        try {
            write(new Path(path, SUMMARY), Json.write(summary));
            fs.delete(new Path(home(), "stages"), true);
            fs.delete(new Path(checkpoints()), true);
        } catch (IOException e) {
            throw unwritable(path.toString(), e);
        }
    }

    private Dataset<Row> table(Path table, Supplier<Dataset<Row>> rows) {
        make(table, rows);
        return spark.read().parquet(table.toString());
    }

    private void make(Path table, Supplier<Dataset<Row>> rows, String... partitions) {
        try {
            if (!fs.exists(new Path(table, SUCCESS))) {
                rows.get()
                        .write()
                        .partitionBy(partitions)
                        .mode(SaveMode.Overwrite)
                        .option("compression", "zstd")
                        .option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "true")
                        .parquet(table.toString());
            }
        } catch (IOException e) {
            throw unwritable(table.toString(), e);
        }
    }

    private Optional<CorpusSummary.Job> job() {
        return read(new Path(home(), "job.json"), CorpusSummary.Job.class);
    }

    private <T> Optional<T> read(Path file, Class<T> type) {
        try {
            if (!fs.exists(file)) {
                return Optional.empty();
            }
            try (FSDataInputStream in = fs.open(file)) {
                return Optional.of(Json.read(new String(in.readAllBytes(), StandardCharsets.UTF_8), type));
            }
        } catch (JsonProcessingException e) {
            throw exists("has a file %s that cannot be read (%s); name another --output"
                    .formatted(file, e.getOriginalMessage()));
        } catch (IOException e) {
            throw unwritable(path.toString(), e);
        }
    }

    private void write(Path file, String text) throws IOException {
        Path temporary = new Path(file.getParent(), "." + file.getName() + ".tmp");
        try (FSDataOutputStream out = fs.create(temporary, true)) {
            out.write(text.getBytes(StandardCharsets.UTF_8));
        }
        fs.delete(file, false);
        if (!fs.rename(temporary, file)) {
            throw new IOException("%s cannot be renamed to %s".formatted(temporary, file));
        }
    }

    private Path home() {
        return new Path(path, "_paloverde");
    }

    private PaloverdeException exists(String what) {
        return new PaloverdeException(ErrorCode.OUTPUT_EXISTS, "--output " + path + " " + what);
    }

    private static PaloverdeException unwritable(String location, Exception e) {
        return new PaloverdeException(
                ErrorCode.OUTPUT_UNWRITABLE,
                "--output %s: %s; name a directory that can be written, on a file system that Hadoop's configuration knows"
                        .formatted(location, e.getMessage()),
                e);
    }
}
