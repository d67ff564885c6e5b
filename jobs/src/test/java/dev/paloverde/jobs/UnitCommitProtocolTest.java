package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.mapreduce.JobID;
import org.apache.hadoop.mapreduce.TaskAttemptID;
import org.apache.hadoop.mapreduce.TaskID;
import org.apache.hadoop.mapreduce.TaskType;
import org.apache.hadoop.mapreduce.task.TaskAttemptContextImpl;
import org.apache.spark.internal.io.FileNameSpec;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import scala.Option;

class UnitCommitProtocolTest {
    private static final FileNameSpec NAME = new FileNameSpec("", "-c000.parquet");
    private static final JobDescription JOB =
            new JobDescription("shout", "receipt", new TreeMap<>(), new TreeMap<>(), "id BIGINT", "text STRING");

    @TempDir
    Path directory;

    private OutputDirectory output;

    @BeforeEach
    void claim() {
        output = OutputDirectory.at(directory.resolve("out").toString(), new Configuration());
        output.claim("run-a", JOB, OnExisting.RESUME);
    }

    /** One attempt at a unit. */
    private final class Attempt {
        private final UnitCommitProtocol protocol =
                new UnitCommitProtocol("job", directory.resolve("out").toString());
        private final TaskAttemptContextImpl task;

        Attempt(String run, int unit, int attempt) {
            Configuration configuration = new Configuration();
            configuration.set(UnitCommitProtocol.RUN, run);
            task = new TaskAttemptContextImpl(
                    configuration, new TaskAttemptID(new TaskID(new JobID("job", 1), TaskType.MAP, unit), attempt));
        }

        Attempt write(String text) throws IOException {
            protocol.setupTask(task);
            String file = protocol.newTaskTempFile(task, Option.<String>empty(), NAME);
            Files.writeString(
                    Path.of(new org.apache.hadoop.fs.Path(file).toUri().getPath()), text);
            return this;
        }

        void commit() {
            protocol.commitTask(task);
        }

        void abort() {
            protocol.abortTask(task);
        }
    }

    private List<String> published() throws IOException {
        try (Stream<Path> files = Files.list(directory.resolve("out"))) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.startsWith("unit-"))
                    .sorted()
                    .toList();
        }
    }

    private Path published(String name) {
        return directory.resolve("out").resolve(name);
    }

    @Test
    void aUnitAppearsWhenItsTaskCommitsAndNotBefore() throws IOException {
        Attempt attempt = new Attempt("run-a", 7, 0).write("rows");
        assertThat(published()).isEmpty();

        attempt.commit();

        assertThat(published()).containsExactly("unit-00007-run-a-c000.parquet");
        assertThat(published("unit-00007-run-a-c000.parquet")).hasContent("rows");
    }

    @Test
    void ofTwoAttemptsOneCounts() throws IOException {
        Attempt slow = new Attempt("run-a", 3, 0).write("rows");
        Attempt fast = new Attempt("run-a", 3, 1).write("rows");
        fast.commit();
        slow.commit();

        assertThat(published()).containsExactly("unit-00003-run-a-c000.parquet");
        assertThat(directory.resolve("out/_paloverde/staging/run-a")).isEmptyDirectory();
    }

    @Test
    void anAttemptThatIsAbortedLeavesNothing() throws IOException {
        new Attempt("run-a", 3, 0).write("half of the rows").abort();

        assertThat(published()).isEmpty();
        assertThat(directory.resolve("out/_paloverde/staging/run-a")).isEmptyDirectory();
    }

    @Test
    void aTaskOfAnEarlierRunCanPublishNothingOnceALaterRunHasClaimedTheOutput() throws IOException {
        Attempt committed = new Attempt("run-a", 1, 0).write("rows");
        committed.commit();
        Attempt late = new Attempt("run-a", 2, 0).write("rows");

        output.claim("run-b", JOB, OnExisting.RESUME);

        assertThatThrownBy(late::commit).hasMessageContaining("a later run has taken over");
        assertThatThrownBy(() -> new Attempt("run-a", 4, 0).write("rows"))
                .hasMessageContaining("a later run has taken over");
        assertThat(published()).containsExactly("unit-00001-run-a-c000.parquet");
        new Attempt("run-b", 2, 0).write("rows").commit();
        assertThat(published()).hasSize(2);
    }

    @Test
    void aWriteWithoutARunIsRefused() {
        UnitCommitProtocol protocol =
                new UnitCommitProtocol("job", directory.resolve("out").toString());
        TaskAttemptContextImpl task = new TaskAttemptContextImpl(
                new Configuration(), new TaskAttemptID(new TaskID(new JobID("job", 1), TaskType.MAP, 0), 0));

        assertThatThrownBy(() -> protocol.setupTask(task)).hasMessageContaining(UnitCommitProtocol.RUN);
    }
}
