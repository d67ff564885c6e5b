package dev.paloverde.gpu.device;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs programs, for tests. */
final class Commands {
    /**
     * What came of a program.
     *
     * @param status its exit status
     * @param output what it printed, errors included
     */
    record Outcome(int status, String output) {}

    private Commands() {}

    /** {@return whether a program is in PATH} */
    static boolean found(String program) {
        for (String directory : System.getenv("PATH").split(File.pathSeparator)) {
            if (Files.isExecutable(Path.of(directory, program))) {
                return true;
            }
        }
        return false;
    }

    /** {@return what came of a program, within a minute} */
    static Outcome run(String... command) throws IOException, InterruptedException {
        return outcome(new ProcessBuilder(command).redirectErrorStream(true).start());
    }

    /** {@return what came of a process, within a minute} */
    static Outcome outcome(Process process) throws IOException, InterruptedException {
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (!process.waitFor(60, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new AssertionError("does not end: " + output);
        }
        return new Outcome(process.exitValue(), output);
    }

    /** {@return the command of another JVM with this one's class path} */
    static List<String> java(Class<?> main, List<String> options, String... arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("-XX:TieredStopAtLevel=1");
        command.addAll(options);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
        command.addAll(List.of(arguments));
        return command;
    }
}
