package dev.paloverde.jobs;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;

/** Runs jobs in this process, and finds what they have written. */
final class JobRuns {
    private JobRuns() {}

    /**
     * How a command ended.
     *
     * @param status exit status
     * @param said all it said, to either stream
     */
    record Ended(int status, String said) {}

    /** Runs a command on {@link LocalSpark}. */
    static Ended run(String... arguments) {
        SparkSession session = LocalSpark.session();
        SparkSession.setActiveSession(session);
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        PrintStream out = new PrintStream(said, true, StandardCharsets.UTF_8);
        int status = Main.run(new Terminal(out, out, false), arguments);
        return new Ended(status, said.toString(StandardCharsets.UTF_8));
    }

    /** {@return the files with rows, as far as they are committed} */
    static List<Path> units(Path output) {
        return files(output, UnitCommitProtocol.UNIT, ".parquet");
    }

    /** {@return reports of all runs, the first first} */
    static List<RunManifest> manifests(Path output) throws IOException {
        List<RunManifest> manifests = new ArrayList<>();
        for (Path file : files(output.resolve("_paloverde"), "run-", ".json")) {
            manifests.add(Json.read(Files.readString(file), RunManifest.class));
        }
        manifests.sort(Comparator.comparing(RunManifest::started));
        return manifests;
    }

    private static List<Path> files(Path directory, String prefix, String suffix) {
        if (!Files.isDirectory(directory)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(directory)) {
            return files.filter(file -> file.getFileName().toString().startsWith(prefix)
                            && file.getFileName().toString().endsWith(suffix))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
