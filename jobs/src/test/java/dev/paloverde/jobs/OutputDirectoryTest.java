package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files beside the rows, at every moment at which a process that writes them can die. */
class OutputDirectoryTest {
    @TempDir
    Path directory;

    private OutputDirectory output() {
        return OutputDirectory.at(directory.toString(), new Configuration());
    }

    private static JobDescription job(String receipt) {
        return new JobDescription("shout", receipt, new TreeMap<>(), new TreeMap<>(), "id INT", "text STRING");
    }

    private Path description(JobDescription job) {
        return directory.resolve("_paloverde").resolve("job-" + job.digest() + ".json");
    }

    private void claim(String run, JobDescription job) {
        output().claim(run, job, OnExisting.APPEND);
    }

    @Test
    void aJobsDescriptionIsNeverReplaced() throws IOException {
        JobDescription first = job("one");
        JobDescription second = job("two");
        claim("a", first);
        Object file = key(description(first));
        claim("b", second);
        Files.setLastModifiedTime(description(first), FileTime.fromMillis(1_000_000));
        Files.setLastModifiedTime(description(second), FileTime.fromMillis(2_000_000));

        claim("c", first);

        assertThat(key(description(first))).as("the file itself").isEqualTo(file);
        assertThat(Files.getLastModifiedTime(description(first)))
                .as("it is the latest")
                .isGreaterThan(Files.getLastModifiedTime(description(second)));
        assertThat(Json.read(Files.readString(description(first)), JobDescription.class))
                .isEqualTo(first);
    }

    private static Object key(Path file) throws IOException {
        return Files.readAttributes(file, BasicFileAttributes.class).fileKey();
    }

    /** A reader is as good as a kill: what it finds at any moment is what a kill would leave. */
    @Test
    void aFileThatIsReplacedIsWholeAtEveryMoment() throws Exception {
        OutputDirectory output = output();
        String before = "a".repeat(100_000);
        String after = "b".repeat(100_000);
        output.write("run-x.json", before);
        Path file = directory.resolve("_paloverde").resolve("run-x.json");
        AtomicBoolean done = new AtomicBoolean();
        CompletableFuture<Integer> reader = CompletableFuture.supplyAsync(() -> {
            int reads = 0;
            while (!done.get()) {
                try {
                    assertThat(Files.readString(file)).isIn(before, after);
                } catch (IOException e) {
                    throw new AssertionError("after " + reads + " reads", e);
                }
                reads++;
            }
            return reads;
        });

        for (int i = 0; i < 300 && !reader.isDone(); i++) {
            output.write("run-x.json", i % 2 == 0 ? after : before);
        }

        done.set(true);
        assertThat(reader.get()).isPositive();
    }
}
