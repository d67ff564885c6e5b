package dev.paloverde.jobs;

/** The command {@code images} as a main class of its own, for {@code spark-submit --class dev.paloverde.jobs.Images}. */
public final class Images {
    private Images() {}

    /** Runs it; see {@link Main}. */
    public static void main(String[] arguments) {
        Main.main("images", arguments);
    }
}
