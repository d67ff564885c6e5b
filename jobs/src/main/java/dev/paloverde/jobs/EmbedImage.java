package dev.paloverde.jobs;

/**
 * The command {@code embed-image} as a main class of its own, for {@code spark-submit --class
 * dev.paloverde.jobs.EmbedImage}.
 */
public final class EmbedImage {
    private EmbedImage() {}

    /** Runs it; see {@link Main}. */
    public static void main(String[] arguments) {
        Main.main("embed-image", arguments);
    }
}
