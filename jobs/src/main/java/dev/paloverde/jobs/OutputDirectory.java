package dev.paloverde.jobs;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.UnsupportedFileSystemException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An output as it lies on disk:
 *
 * <pre>
 * output/
 *   unit-00000-&lt;run&gt;-c000.zstd.parquet    finished units of all runs
 *   _paloverde/
 *     job-&lt;digest&gt;.json                   one for each job that has rows here: what they depend on
 *     run-&lt;run&gt;.json                      one for each run: what it did
 *     staging/&lt;run&gt;/                      units being written
 * </pre>
 *
 * Names that begin with an underscore are hidden from Spark and from whoever reads the directory as a table.
 */
final class OutputDirectory {
    private static final Logger LOG = LoggerFactory.getLogger(OutputDirectory.class);
    private static final String HOME = "_paloverde";

    /** Where an output stands before a run. */
    enum State {
        /** There is nothing, or nothing any more. */
        EMPTY,
        /** There are rows of this very job; there may be rows of others. */
        SAME_JOB,
        /** There are rows of other jobs only, and this one's are to be added. */
        OTHER_JOBS
    }

    private final Path path;
    private final FileSystem fs;

    /** Where the files beside the rows are: locally without checksum files, so that a rename is the whole of a change. */
    private final FileSystem beside;

    private OutputDirectory(Path path, FileSystem fs) {
        this.path = path;
        this.fs = fs;
        this.beside = fs instanceof LocalFileSystem local ? local.getRaw() : fs;
    }

    /**
     * Names an output. Nothing is written.
     *
     * @throws PaloverdeException {@code OUTPUT_UNWRITABLE} if there is no such file system
     */
    static OutputDirectory at(String location, Configuration configuration) {
        try {
            Path path = new Path(location);
            FileSystem fs = path.getFileSystem(configuration);
            return new OutputDirectory(fs.makeQualified(path), fs);
        } catch (IOException | IllegalArgumentException e) {
            throw new PaloverdeException(
                    ErrorCode.OUTPUT_UNWRITABLE,
                    "--output %s: %s; name a directory on a file system that Hadoop's configuration knows"
                            .formatted(location, e.getMessage()),
                    e);
        }
    }

    static Path stagingOf(Path output) {
        return new Path(new Path(output, HOME), "staging");
    }

    Path path() {
        return path;
    }

    /**
     * Looks at what is there, and decides by it what a run may do. Nothing is written.
     *
     * @throws PaloverdeException {@code OUTPUT_EXISTS}, naming what is there and what can be done
     */
    State examine(JobDescription job, OnExisting onExisting) {
        List<FileStatus> visible = visible();
        if (visible.isEmpty()) {
            return State.EMPTY;
        }
        List<JobDescription> jobs = jobs();
        if (onExisting == OnExisting.FAIL) {
            throw exists("holds %d files and --on-existing is fail; name another --output, or say resume, append or"
                            .formatted(visible.size())
                    + " overwrite");
        }
        Optional<FileStatus> foreign = visible.stream()
                .filter(file -> jobs.isEmpty() || !file.getPath().getName().startsWith(UnitCommitProtocol.UNIT))
                .filter(file -> !file.getPath().getName().equals("_SUCCESS"))
                .findFirst();
        if (foreign.isPresent()) {
            throw exists("holds %s, which no run of Paloverde has written; name another --output, or move it away"
                    .formatted(foreign.get().getPath().getName()));
        }
        if (onExisting == OnExisting.OVERWRITE) {
            return State.EMPTY;
        }
        if (jobs.contains(job)) {
            return State.SAME_JOB;
        }
        JobDescription last = jobs.get(jobs.size() - 1);
        String differences = "  " + String.join("\n  ", job.differences(last));
        if (onExisting == OnExisting.RESUME) {
            throw exists("""
                    holds rows of another job. What differs:
                    %s
                    Set it back to resume that job; or name another --output; or say --on-existing=append to keep those \
                    rows and add these beside them, told apart by their receipt; or --on-existing=overwrite to remove \
                    them""".formatted(differences));
        }
        Optional<JobDescription> misfit =
                jobs.stream().filter(other -> !job.sameColumns(other)).findFirst();
        if (misfit.isPresent()) {
            throw exists("""
                    holds rows of other columns, which cannot stand in one table with these. What differs:
                    %s
                    Name another --output, or say --on-existing=overwrite to remove them""".formatted("  " + String.join("\n  ", job.differences(misfit.get()))));
        }
        return State.OTHER_JOBS;
    }

    /**
     * Takes the output over for a run: what earlier runs left unfinished is removed, and any of their tasks that still
     * live can finish nothing more. From here on this run is the only one that adds rows.
     *
     * @param run name of the run
     * @throws PaloverdeException {@code OUTPUT_UNWRITABLE}
     */
    void claim(String run, JobDescription job, OnExisting onExisting) {
        try {
            fs.mkdirs(home());
            if (onExisting == OnExisting.OVERWRITE) {
                for (FileStatus file : visible()) {
                    fs.delete(file.getPath(), false);
                }
                for (FileStatus file : in(home())) {
                    if (file.getPath().getName().startsWith("job-")) {
                        fs.delete(file.getPath(), false);
                    }
                }
            }
            fs.delete(stagingOf(path), true);
            fs.mkdirs(UnitCommitProtocol.staging(path, run));
            for (FileStatus file : in(home())) {
                markInterrupted(file);
            }
            describe(job);
        } catch (IOException | SecurityException e) {
            throw new PaloverdeException(
                    ErrorCode.OUTPUT_UNWRITABLE,
                    "%s cannot be written: %s; name another --output, or have the right to write there granted"
                            .formatted(path, e.getMessage()),
                    e);
        }
    }

    /** Gives the output back at the end of a run. */
    void release(String run) throws IOException {
        fs.delete(UnitCommitProtocol.staging(path, run), true);
    }

    /**
     * {@return rows of this output}
     *
     * @param columns the columns to read
     * @param files a pattern of the names of the files to read
     */
    Dataset<Row> read(SparkSession spark, StructType columns, String files) {
        return spark.read().schema(columns).option("pathGlobFilter", files).parquet(path.toString());
    }

    /**
     * Leaves the job's description, and makes it the latest. One that is there says the same, since its name follows from
     * what it says: it is never replaced, and so at no moment gone.
     */
    private void describe(JobDescription job) throws IOException {
        String name = "job-" + job.digest() + ".json";
        if (beside.exists(beside(name))) {
            // where a file system keeps no such times, the first to come stays the first
            beside.setTimes(beside(name), System.currentTimeMillis(), -1);
        } else {
            write(name, Json.write(job));
        }
    }

    /** Writes one of the files beside the rows, whole or not at all; what had the name is replaced. */
    void write(String name, String text) throws IOException {
        Path temporary = new Path(home(), "." + name + ".tmp");
        try (FSDataOutputStream out = beside.create(temporary, true)) {
            out.write(text.getBytes(StandardCharsets.UTF_8));
        }
        replace(temporary, beside(name));
    }

    /** In one step where the file system can: locally and on HDFS. Else a file is removed before the other takes its name. */
    private void replace(Path temporary, Path file) throws IOException {
        if (beside instanceof RawLocalFileSystem) {
            if (!beside.rename(temporary, file)) {
                throw new IOException("%s cannot be renamed to %s".formatted(temporary, file));
            }
            return;
        }
        try {
            FileContext.getFileContext(beside.getUri(), beside.getConf())
                    .rename(temporary, file, Options.Rename.OVERWRITE);
        } catch (UnsupportedFileSystemException e) {
            LOG.debug("{} has no FileContext, so {} is removed before it is replaced", beside.getScheme(), file, e);
            beside.delete(file, false);
            if (!beside.rename(temporary, file)) {
                throw new IOException("%s cannot be renamed to %s".formatted(temporary, file), e);
            }
        }
    }

    /** {@return where a file beside the rows is} */
    Path beside(String name) {
        return new Path(home(), name);
    }

    private Path home() {
        return new Path(path, HOME);
    }

    private List<FileStatus> visible() {
        return in(path).stream()
                .filter(file -> !file.getPath().getName().startsWith("_")
                        && !file.getPath().getName().startsWith("."))
                .toList();
    }

    /** {@return the jobs that have rows here, the latest last} */
    private List<JobDescription> jobs() {
        List<FileStatus> files = new ArrayList<>(in(home()).stream()
                .filter(file -> file.getPath().getName().matches("job-[0-9a-f]+\\.json"))
                .toList());
        files.sort(Comparator.comparing(FileStatus::getModificationTime));
        List<JobDescription> jobs = new ArrayList<>();
        for (FileStatus file : files) {
            try {
                jobs.add(Json.read(read(file), JobDescription.class));
            } catch (JsonProcessingException e) {
                throw exists("has a file %s that cannot be read (%s); name another --output"
                        .formatted(file.getPath(), e.getOriginalMessage()));
            } catch (IOException e) {
                throw unreadable(e);
            }
        }
        return jobs;
    }

    private void markInterrupted(FileStatus file) throws IOException {
        String name = file.getPath().getName();
        if (name.matches("run-.*\\.json")) {
            try {
                RunManifest manifest = Json.read(read(file), RunManifest.class);
                if (manifest.state() == RunManifest.State.RUNNING) {
                    write(name, Json.write(manifest.with(RunManifest.State.INTERRUPTED)));
                }
            } catch (JsonProcessingException e) {
                // a manifest is a report; a broken one is left as it is
                LOG.warn("{} is not a run manifest: {}", file.getPath(), e.getOriginalMessage());
            }
        }
    }

    private String read(FileStatus file) throws IOException {
        try (FSDataInputStream in = beside.open(file.getPath())) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private List<FileStatus> in(Path directory) {
        try {
            FileStatus[] files = fs.listStatus(directory);
            if (files.length == 1 && files[0].isFile() && files[0].getPath().equals(directory)) {
                throw exists("is a file; name a directory");
            }
            return List.of(files);
        } catch (FileNotFoundException e) {
            return List.of();
        } catch (IOException e) {
            throw unreadable(e);
        }
    }

    private PaloverdeException exists(String what) {
        return new PaloverdeException(ErrorCode.OUTPUT_EXISTS, "--output " + path + " " + what);
    }

    private PaloverdeException unreadable(IOException e) {
        return new PaloverdeException(
                ErrorCode.OUTPUT_UNWRITABLE,
                "--output %s cannot be listed: %s; name another, or have the right to read it granted"
                        .formatted(path, e.getMessage()),
                e);
    }
}
