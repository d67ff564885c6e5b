package dev.paloverde.jobs;

/** The command {@code embed} as a main class of its own, for {@code spark-submit --class dev.paloverde.jobs.Embed}. */
public final class Embed {
    private Embed() {}

    /** Runs it; see {@link Main}. */
    public static void main(String[] arguments) {
        Main.main("embed", arguments);
    }
}
