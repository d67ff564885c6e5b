package dev.paloverde.jobs;

import java.util.List;
import org.apache.spark.sql.SparkSession;

/** A driver that runs {@link ShoutSteps}, for tests that kill it. Arguments: input, output, log, milliseconds, units. */
final class ShoutMain {
    private ShoutMain() {}

    public static void main(String[] arguments) {
        InputOptions input = new InputOptions();
        input.input = List.of(arguments[0]);
        OutputOptions output = new OutputOptions();
        output.output = arguments[1];
        output.units = Integer.valueOf(arguments[4]);
        SparkSession spark = SparkSession.builder()
                .master("local[2]")
                .config("spark.ui.enabled", "false")
                .config("spark.sql.shuffle.partitions", "2")
                .config("spark.sql.codegen.wholeStage", "false")
                .getOrCreate();
        ShoutSteps steps = new ShoutSteps(1, Integer.parseInt(arguments[3]), arguments[2]);
        ExitCode exit = new RowJob(spark, steps, input, output, List.of(arguments), Terminal.standard()).run();
        spark.stop();
        System.exit(exit.status());
    }
}
