package dev.paloverde.jobs;

/**
 * The command {@code corpus-pack} as a main class of its own, for {@code spark-submit --class
 * dev.paloverde.jobs.CorpusPack}.
 */
public final class CorpusPack {
    private CorpusPack() {}

    /** Runs it; see {@link Main}. */
    public static void main(String[] arguments) {
        Main.main("corpus-pack", arguments);
    }
}
