package dev.paloverde.data.text;

/** One kind of document of the sample corpus. */
public enum TextSource {
    /** Short tales of desert animals with a wish, a hindrance and an end. */
    STORIES("stories", 0.34, new Stories()),
    /** Dated notes of a naturalist, whose plants grow and whose nests proceed from entry to entry. */
    FIELD_NOTES("field-notes", 0.20, new FieldNotes()),
    /** Questions with answers from the {@link Facts}, and about short passages. */
    QUESTIONS("questions", 0.12, new Questions()),
    /** Word problems with small numbers, worked step by step. */
    ARITHMETIC("arithmetic", 0.12, new Arithmetic()),
    /** Descriptions of drawn scenes. */
    CAPTIONS("captions", 0.07, new Captions()),
    /** Traces of a small rover: one line for each action. */
    ACTIONS("actions", 0.05, new Actions()),
    /** Short exchanges of a user and an assistant. */
    DIALOGUE("dialogue", 0.10, new Dialogue()),
    /** Text of low quality, for filters to find: in the sample, never in training. */
    NOISE("noise", 0.0, new Noise());

    /** Writes one document. */
    interface Author {
        String write(Draws draws);
    }

    private final String label;
    private final double trainingShare;
    private final Author author;

    TextSource(String label, double trainingShare, Author author) {
        this.label = label;
        this.trainingShare = trainingShare;
        this.author = author;
    }

    /** The name in the field {@code source}, in kebab case. */
    public String label() {
        return label;
    }

    /** The share of the training corpus in bytes; zero for a source that is never trained on. */
    public double trainingShare() {
        return trainingShare;
    }

    /** The document at {@code index} of the corpus with {@code seed}: the same text for the same three. */
    public Document document(long seed, int index) {
        String text = author.write(Draws.of(seed, label, index));
        return new Document("%s-%d-%06d".formatted(label, seed, index), label, text);
    }
}
