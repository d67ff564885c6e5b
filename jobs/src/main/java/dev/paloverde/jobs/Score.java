package dev.paloverde.jobs;

/** The command {@code score} as a main class of its own, for {@code spark-submit --class dev.paloverde.jobs.Score}. */
public final class Score {
    private Score() {}

    /** Runs it; see {@link Main}. */
    public static void main(String[] arguments) {
        Main.main("score", arguments);
    }
}
