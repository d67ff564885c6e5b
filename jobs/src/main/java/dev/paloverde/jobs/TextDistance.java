package dev.paloverde.jobs;

/**
 * The command {@code text-distance} as a main class of its own, for {@code spark-submit --class dev.paloverde.jobs.TextDistance}.
 */
public final class TextDistance {
    private TextDistance() {}

    /** Runs it; see {@link Main}. */
    public static void main(String[] arguments) {
        Main.main("text-distance", arguments);
    }
}
