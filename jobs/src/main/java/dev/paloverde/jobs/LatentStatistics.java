package dev.paloverde.jobs;

/**
 * The command {@code latent-statistics} as a main class of its own, for {@code spark-submit --class dev.paloverde.jobs.LatentStatistics}.
 */
public final class LatentStatistics {
    private LatentStatistics() {}

    /** Runs it; see {@link Main}. */
    public static void main(String[] arguments) {
        Main.main("latent-statistics", arguments);
    }
}
