package dev.paloverde.jobs;

import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** Says on the terminal how far a write is, from its {@link Progress}, until it is closed. */
final class ProgressLine implements AutoCloseable {
    private static final Duration ON_A_TERMINAL = Duration.ofMillis(500);
    private static final Duration ELSEWHERE = Duration.ofSeconds(10);

    private final Progress progress;
    private final Terminal terminal;
    private final long rows;
    private final int units;
    private final long begun = System.nanoTime();
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "paloverde-progress");
        thread.setDaemon(true);
        return thread;
    });

    /**
     * Begins.
     *
     * @param rows how many there will be
     * @param units in how many units
     */
    ProgressLine(Progress progress, Terminal terminal, long rows, int units) {
        this.progress = progress;
        this.terminal = terminal;
        this.rows = rows;
        this.units = units;
        long period = (terminal.isInteractive() ? ON_A_TERMINAL : ELSEWHERE).toMillis();
        timer.scheduleAtFixedRate(this::show, period, period, TimeUnit.MILLISECONDS);
    }

    private void show() {
        terminal.progress(line(progress.read(), rows, units, (System.nanoTime() - begun) / 1e9));
    }

    static String line(Progress.Reading reading, long rows, int units, double seconds) {
        long done = Math.min(rows, Math.max(reading.metric(Metrics.ROWS), reading.metric(Metrics.ROWS_WRITTEN)));
        long tokens = reading.metric(Metrics.TOKENS_IN) + reading.metric(Metrics.TOKENS_OUT);
        StringBuilder line = new StringBuilder("%,d of %,d rows (%.1f%%), unit %,d of %,d"
                .formatted(done, rows, rows == 0 ? 100.0 : 100.0 * done / rows, reading.unitsDone(), units));
        if (tokens > 0) {
            line.append(String.format(Locale.ROOT, ", %,.0f tokens/s", tokens / seconds));
        }
        if (reading.metric(Metrics.ERRORS) > 0) {
            line.append(", %,d failed".formatted(reading.metric(Metrics.ERRORS)));
        }
        if (reading.attemptsFailed() > 0) {
            line.append(", %,d task attempts failed".formatted(reading.attemptsFailed()));
        }
        if (done > 0 && done < rows) {
            line.append(", ").append(clock(seconds * (rows - done) / done)).append(" to go");
        }
        return line.toString();
    }

    /** {@return a time in the units people use} */
    static String clock(double seconds) {
        long whole = Math.round(seconds);
        if (whole < 60) {
            return whole + " s";
        }
        if (whole < 3600) {
            return "%d min %02d s".formatted(whole / 60, whole % 60);
        }
        return "%d h %02d min".formatted(whole / 3600, whole / 60 % 60);
    }

    @Override
    public void close() {
        timer.shutdownNow();
    }
}
