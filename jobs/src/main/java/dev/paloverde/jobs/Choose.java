package dev.paloverde.jobs;

/** The command {@code choose} as a main class of its own, for {@code spark-submit --class dev.paloverde.jobs.Choose}. */
public final class Choose {
    private Choose() {}

    /** Runs it; see {@link Main}. */
    public static void main(String[] arguments) {
        Main.main("choose", arguments);
    }
}
