package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.SparkConf;

/** Looks at how Spark was told to schedule GPUs, before a job runs for hours on a part of them. */
final class GpuScheduling {
    private static final String EXECUTOR = "spark.executor.resource.gpu.amount";
    private static final String TASK = "spark.task.resource.gpu.amount";

    private GpuScheduling() {}

    /**
     * {@return what to say to the user about a job that computes on GPUs of a cluster; empty if all is well}
     *
     * @throws PaloverdeException {@code INVALID_OPTION} for shares of a GPU that Spark cannot give out
     */
    static List<String> advice(SparkConf conf) {
        if (!conf.contains(EXECUTOR)) {
            return List.of(
                    "Spark does not schedule GPUs (" + EXECUTOR + " is not set): all tasks of an executor compute on"
                            + " the first GPU it sees, and executors of one host share it; conf/gpu.conf has what to set");
        }
        if (!conf.contains(TASK)) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    EXECUTOR + " is " + conf.get(EXECUTOR) + " and " + TASK + " is not set; set it to " + share(conf)
                            + ", so that all cores of an executor feed its engine");
        }
        double amount = number(conf, TASK);
        if (amount <= 0 || amount > 0.5 && amount != Math.rint(amount)) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    TASK + " is " + conf.get(TASK)
                            + "; Spark gives out whole GPUs, or equal shares of at most 0.5: set it to " + share(conf));
        }
        List<String> advice = new ArrayList<>();
        double gpus = number(conf, EXECUTOR);
        int cores = conf.getInt("spark.executor.cores", 1);
        double tasks = amount <= 0.5 ? Math.floor(1 / amount) * gpus : Math.floor(gpus / amount);
        if (cores > tasks) {
            advice.add(
                    "%s is %s, so that %d tasks run on an executor's %d cores; its engine serves any number of tasks: set it to %s"
                            .formatted(TASK, conf.get(TASK), (int) tasks, cores, share(conf)));
        }
        return advice;
    }

    /** {@return the share of a GPU that lets every core of an executor run a task} */
    private static String share(SparkConf conf) {
        double gpus = Math.max(1, number(conf, EXECUTOR));
        double tasksOfGpu = Math.ceil(Math.max(2, conf.getInt("spark.executor.cores", 8)) / gpus);
        return String.valueOf(1 / Math.max(2, tasksOfGpu));
    }

    private static double number(SparkConf conf, String key) {
        try {
            return Double.parseDouble(conf.get(key));
        } catch (NumberFormatException e) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION, key + " is \"" + conf.get(key) + "\"; it must be a number", e);
        }
    }
}
