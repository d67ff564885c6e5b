package dev.paloverde.jobs;

/** The command {@code generate} as a main class of its own, for {@code spark-submit --class dev.paloverde.jobs.Generate}. */
public final class Generate {
    private Generate() {}

    /** Runs it; see {@link Main}. */
    public static void main(String[] arguments) {
        Main.main("generate", arguments);
    }
}
