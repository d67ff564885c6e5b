package dev.paloverde.udfs.text;

import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.decode.Engines;
import java.util.function.IntConsumer;
import org.apache.spark.SparkEnv;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends an executor whose GPU is lost to its process. After an illegal address or a hardware fault every later call fails
 * until the process ends; an executor that lived on would fail task after task, and Spark the job. Spark starts another
 * and tries the tasks again. A driver that computes itself, in local mode, is left alone: its job fails with the reason.
 */
public final class LostDevice {
    /** Of an executor that left because its GPU was lost: EX_UNAVAILABLE of sysexits.h. */
    static final int EXIT_STATUS = 69;

    /** What Spark calls the driver among the executors (org.apache.spark.SparkContext.DRIVER_IDENTIFIER). */
    private static final String DRIVER = "driver";

    private static final Logger LOG = LoggerFactory.getLogger(LostDevice.class);

    private LostDevice() {}

    /** Begins to watch. Again: nothing new. */
    public static void watch() {
        Engines.onFault(
                error -> leave(executor(), error, status -> Runtime.getRuntime().halt(status)));
    }

    private static String executor() {
        return SparkEnv.get() == null ? DRIVER : SparkEnv.get().executorId();
    }

    /**
     * @param executor Spark's name of this process
     * @param exit ends the process at once: what would be run at an orderly end may wait for the lost GPU
     */
    static void leave(String executor, PaloverdeException error, IntConsumer exit) {
        if (executor.equals(DRIVER)) {
            return;
        }
        LOG.error(
                "executor {} ends with status {}, so that Spark starts another: {}",
                executor,
                EXIT_STATUS,
                error.getMessage());
        exit.accept(EXIT_STATUS);
    }
}
