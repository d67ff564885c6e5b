package dev.paloverde.jobs;

/**
 * The command {@code trajectories} as a main class of its own, for {@code spark-submit --class
 * dev.paloverde.jobs.Trajectories}.
 */
public final class Trajectories {
    private Trajectories() {}

    /** Runs it; see {@link Main}. */
    public static void main(String[] arguments) {
        Main.main("trajectories", arguments);
    }
}
