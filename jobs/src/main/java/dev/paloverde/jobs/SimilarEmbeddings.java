package dev.paloverde.jobs;

/**
 * The command {@code similar-embeddings} as a main class of its own, for {@code spark-submit --class dev.paloverde.jobs.SimilarEmbeddings}.
 */
public final class SimilarEmbeddings {
    private SimilarEmbeddings() {}

    /** Runs it; see {@link Main}. */
    public static void main(String[] arguments) {
        Main.main("similar-embeddings", arguments);
    }
}
