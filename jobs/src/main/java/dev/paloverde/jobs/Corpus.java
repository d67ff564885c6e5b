package dev.paloverde.jobs;

/** The command {@code corpus} as a main class of its own, for {@code spark-submit --class dev.paloverde.jobs.Corpus}. */
public final class Corpus {
    private Corpus() {}

    /** Runs it; see {@link Main}. */
    public static void main(String[] arguments) {
        Main.main("corpus", arguments);
    }
}
