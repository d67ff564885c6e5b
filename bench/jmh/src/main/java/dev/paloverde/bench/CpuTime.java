package dev.paloverde.bench;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/**
 * Calls, and the CPU time of the thread that made them: on a machine that does other work too, wall time says how much of
 * a core was left over, CPU time what the kernel needs.
 */
@State(Scope.Thread)
@AuxCounters(AuxCounters.Type.EVENTS)
public class CpuTime {
    /** Calls of the iteration. */
    public long calls;

    /** Their CPU time. */
    public long nanoseconds;

    private final ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    private long start;

    @Setup(Level.Iteration)
    public void begin() {
        start = threads.getCurrentThreadCpuTime();
    }

    /** Counts a call that has just ended. */
    void called() {
        calls++;
        nanoseconds = threads.getCurrentThreadCpuTime() - start;
    }
}
