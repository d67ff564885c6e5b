package dev.paloverde.jobs;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.mapreduce.JobContext;
import org.apache.hadoop.mapreduce.TaskAttemptContext;
import org.apache.spark.internal.io.FileCommitProtocol;
import org.apache.spark.internal.io.FileNameSpec;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Option;
import scala.collection.immutable.Seq;

/**
 * Publishes each unit of work when its task is done, not when the job is. A task writes into the run's staging
 * directory; to commit is to rename its file into the output directory, under a name made of the run and the partition.
 * So a reader of the output sees whole units only, and a job that dies leaves all units that were done.
 *
 * <ul>
 *   <li>Two attempts at one unit (speculation, a lost executor that comes back) compute the same rows and want the same
 *       name: whoever comes second finds the unit there, and drops its own. No word from the driver is needed.
 *   <li>A run that begins removes the staging directories of all runs before it, see {@link OutputDirectory}. A task of
 *       such a run that still lives then has nothing to rename: what the new run has found to be undone stays undone
 *       until the new run does it.
 *   <li>Where a rename is a copy (object stores), the copy of one file appears whole or not at all too, and a unit is
 *       small: the same steps serve, at the cost of a copy within the store.
 * </ul>
 */
public final class UnitCommitProtocol extends FileCommitProtocol implements Serializable {
    private static final long serialVersionUID = 1L;
    private static final Logger LOG = LoggerFactory.getLogger(UnitCommitProtocol.class);

    /** The option of the write that says which run it is. */
    static final String RUN = "paloverde.run";

    /** What the names of unit files begin with. */
    static final String UNIT = "unit-";

    private record Staged(Path from, Path to) {}

    private final String output;
    private transient List<Staged> staged;

    /**
     * Made by Spark, by reflection.
     *
     * @param jobId Spark's name for the write
     * @param output the output directory
     */
    public UnitCommitProtocol(String jobId, String output) {
        this.output = output;
    }

    /** {@return the directory in which a run's unfinished units are} */
    static Path staging(Path output, String run) {
        return new Path(OutputDirectory.stagingOf(output), run);
    }

    @Override
    public void setupJob(JobContext job) {
        checkOwner(job);
    }

    @Override
    public void setupTask(TaskAttemptContext task) {
        checkOwner(task);
        staged = new ArrayList<>();
    }

    /** The run made its staging directory when it claimed the output; a later claim has removed it. */
    private void checkOwner(JobContext job) {
        Path staging = staging(new Path(output), run(job));
        try {
            if (!staging.getFileSystem(job.getConfiguration()).exists(staging)) {
                throw new IOException(staging + " is gone: a later run has taken over the output");
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public String newTaskTempFile(TaskAttemptContext task, Option<String> directory, String extension) {
        return newTaskTempFile(task, directory, new FileNameSpec("", extension));
    }

    @Override
    public String newTaskTempFile(TaskAttemptContext task, Option<String> directory, FileNameSpec name) {
        String run = run(task);
        int unit = task.getTaskAttemptID().getTaskID().getId();
        int attempt = task.getTaskAttemptID().getId();
        Path parent = directory.isDefined() ? new Path(output, directory.get()) : new Path(output);
        Path to = new Path(parent, "%s%s%05d-%s%s".formatted(name.prefix(), UNIT, unit, run, name.suffix()));
        Path from = new Path(
                staging(new Path(output), run), "%d-%d-%d%s".formatted(unit, attempt, staged.size(), name.suffix()));
        staged.add(new Staged(from, to));
        return from.toString();
    }

    @Override
    public String newTaskTempFileAbsPath(TaskAttemptContext task, String absolute, FileNameSpec name) {
        throw new UnsupportedOperationException("units are published within " + output + ", not in " + absolute);
    }

    @Override
    public String newTaskTempFileAbsPath(TaskAttemptContext task, String absolute, String extension) {
        return newTaskTempFileAbsPath(task, absolute, new FileNameSpec("", extension));
    }

    @Override
    public TaskCommitMessage commitTask(TaskAttemptContext task) {
        ArrayList<String> published = new ArrayList<>();
        try {
            for (Staged file : staged) {
                publish(file, file.to().getFileSystem(task.getConfiguration()));
                published.add(file.to().getName());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return new TaskCommitMessage(published);
    }

    private void publish(Staged file, FileSystem fs) throws IOException {
        if (fs.exists(file.to())) {
            LOG.info("{} has been committed by another attempt, which had the same rows", file.to());
            fs.delete(file.from(), false);
            return;
        }
        fs.mkdirs(file.to().getParent());
        boolean renamed;
        try {
            renamed = fs.rename(file.from(), file.to());
        } catch (FileNotFoundException e) {
            renamed = false;
        }
        if (renamed) {
            return;
        }
        if (fs.exists(file.to())) {
            fs.delete(file.from(), false);
        } else if (!fs.exists(file.from())) {
            throw new IOException("%s is gone, so that %s cannot be committed: a later run has taken over the output"
                    .formatted(file.from(), file.to()));
        } else {
            throw new IOException("%s cannot be renamed to %s".formatted(file.from(), file.to()));
        }
    }

    @Override
    public void abortTask(TaskAttemptContext task) {
        for (Staged file : staged) {
            try {
                file.from().getFileSystem(task.getConfiguration()).delete(file.from(), false);
            } catch (IOException e) {
                LOG.warn("{} is left behind; the next run removes it", file.from(), e);
            }
        }
    }

    @Override
    public void commitJob(JobContext job, Seq<TaskCommitMessage> messages) {
        removeStaging(job);
    }

    /** What was committed stays: the next run goes on from there. */
    @Override
    public void abortJob(JobContext job) {
        removeStaging(job);
    }

    private void removeStaging(JobContext job) {
        Path staging = staging(new Path(output), run(job));
        try {
            staging.getFileSystem(job.getConfiguration()).delete(staging, true);
        } catch (IOException e) {
            LOG.warn("{} is left behind; the next run removes it", staging, e);
        }
    }

    private static String run(JobContext job) {
        String run = job.getConfiguration().get(RUN);
        if (run == null) {
            throw new IllegalStateException("a write with " + UnitCommitProtocol.class.getName() + " needs the option "
                    + RUN + ", the name of the run");
        }
        return run;
    }
}
