package dev.paloverde.jobs;

import java.util.List;
import java.util.concurrent.Callable;
import org.apache.spark.SparkConf;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/** A command that needs Spark. */
@Command(mixinStandardHelpOptions = true, versionProvider = Versions.class, usageHelpAutoWidth = true)
abstract class SparkCommand implements Callable<Integer> {
    private static final String EXTENSIONS = "spark.sql.extensions";
    private static final String EXECUTOR_OPTIONS = "spark.executor.extraJavaOptions";
    private static final String VECTORS = "--add-modules=jdk.incubator.vector";
    private static final String HEARTBEAT = "spark.executor.heartbeatInterval";

    private final Terminal terminal;
    private final List<String> arguments;

    SparkCommand(Terminal terminal, List<String> arguments) {
        this.terminal = terminal;
        this.arguments = arguments;
    }

    Terminal terminal() {
        return terminal;
    }

    /** {@return the command line} */
    List<String> arguments() {
        return arguments;
    }

    @Override
    public final Integer call() {
        return run(session()).status();
    }

    abstract ExitCode run(SparkSession spark);

    /** {@return the session; where spark-submit has not said otherwise, one on all cores of this machine} */
    private SparkSession session() {
        SparkConf given = new SparkConf();
        SparkSession.Builder builder = SparkSession.builder();
        if (!given.contains("spark.master")) {
            builder.master("local[*]");
        }
        if (!given.contains("spark.app.name") || given.get("spark.app.name").startsWith("dev.paloverde.")) {
            builder.appName(
                    "paloverde " + getClass().getAnnotation(Command.class).name());
        }
        if (!given.contains(EXTENSIONS)) {
            builder.config(EXTENSIONS, Extensions.CLASS);
        }
        if (!given.get(EXECUTOR_OPTIONS, "").contains(VECTORS)) {
            builder.config(EXECUTOR_OPTIONS, (VECTORS + " " + given.get(EXECUTOR_OPTIONS, "")).strip());
        }
        if (!given.contains(HEARTBEAT)) {
            // heartbeats carry the metrics that progress is made of
            builder.config(HEARTBEAT, "2s");
        }
        return builder.getOrCreate();
    }
}
