package dev.paloverde.jobs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A process that a test starts, with what it says in a file; closing it ends it and all that it started. */
final class Child implements AutoCloseable {
    static final Path ASSEMBLY = Path.of(System.getProperty("paloverde.assembly", "target/paloverde-0.1.0.jar"));
    private static final Path LOGS = Path.of("target", "process-logs");
    private static final Duration POLL = Duration.ofMillis(20);

    private final Process process;
    private final Path log;

    private Child(Process process, Path log) {
        this.process = process;
        this.log = log;
    }

    /** {@return the class path of Spark, and nothing else} */
    static String sparkClassPath() {
        try {
            return Files.readString(Path.of(System.getProperty("paloverde.spark-classpath", "target/spark.classpath")))
                    .strip();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    /** {@return the option of a JVM by which it says what tests want to know} */
    static String logging() {
        return "-Dlog4j2.configurationFile="
                + Path.of("src/test/resources/processes-log4j2.properties").toUri();
    }

    /** Starts a JVM. */
    static Child java(String name, String heap, String classPath, List<String> arguments, Map<String, String> variables)
            throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("-Xmx" + heap);
        command.addAll(
                Arrays.asList(System.getProperty("paloverde.jvm-options", "").split(" ")));
        command.add(logging());
        command.add("-cp");
        command.add(classPath);
        command.addAll(arguments);
        return start(name, command, variables);
    }

    /** Starts any program. */
    static Child start(String name, List<String> command, Map<String, String> variables) throws IOException {
        Files.createDirectories(LOGS);
        Path log = LOGS.resolve(name + ".log");
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
        builder.environment().keySet().removeIf(key -> key.startsWith("SPARK_"));
        builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
        builder.environment().put("SPARK_LOCAL_HOSTNAME", "127.0.0.1");
        builder.environment().putAll(variables);
        Child child = new Child(builder.start(), log);
        Runtime.getRuntime().addShutdownHook(new Thread(child::close));
        return child;
    }

    /** {@return the exit status, once it has ended} */
    int await(Duration most) throws InterruptedException {
        if (!process.waitFor(most.toMillis(), TimeUnit.MILLISECONDS)) {
            throw new AssertionError("it still runs after " + most + ":\n" + said());
        }
        return process.exitValue();
    }

    /** Ends it as a crash would: it gets no chance to do anything about it. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    ProcessHandle handle() {
        return process.toHandle();
    }

    String said() {
        try {
            return Files.readString(log);
        } catch (IOException e) {
            return "(no log: " + e.getMessage() + ")";
        }
    }

    /** {@return what matches in what it says, as soon as it says so} */
    String awaitSaying(Pattern pattern, Duration most) throws InterruptedException {
        String[] found = new String[1];
        await(
                () -> {
                    Matcher matcher = pattern.matcher(said());
                    if (matcher.find()) {
                        found[0] = matcher.group();
                    }
                    return found[0] != null;
                },
                most);
        return found[0];
    }

    /** Waits until something holds, or fails with what it has said. */
    void await(BooleanSupplier condition, Duration most) throws InterruptedException {
        long end = System.nanoTime() + most.toNanos();
        while (!condition.getAsBoolean()) {
            if (!process.isAlive() || System.nanoTime() > end) {
                throw new AssertionError("what was waited for did not happen:\n" + said());
            }
            Thread.sleep(POLL.toMillis());
        }
    }

    @Override
    public void close() {
        List<ProcessHandle> all = new ArrayList<>(process.descendants().toList());
        all.add(process.toHandle());
        all.forEach(ProcessHandle::destroyForcibly);
        try {
            process.waitFor(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
