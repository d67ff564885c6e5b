package dev.paloverde.pipelines.interleaved;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * What a document is to teach: which of its segments a model is trained to produce, given all before them. Text is
 * trained by next-token cross entropy, pictures by flow matching (Tong et al., "Beyond Language Modeling", arXiv
 * 2603.03276; Zhou et al., "Transfusion", 2024). Its name in a table is in lower case.
 */
public enum Objective {
    /** Text. */
    TEXT(SegmentKind.TEXT, SegmentKind.ACTION),
    /** Text of pictures, which are given. */
    IMAGE_TO_TEXT(SegmentKind.TEXT),
    /** Pictures of text, which is given. */
    TEXT_TO_IMAGE(SegmentKind.IMAGE),
    /** Both, in whatever order they come. */
    INTERLEAVED(SegmentKind.TEXT, SegmentKind.IMAGE),
    /** Frames, and the text between them. */
    VIDEO(SegmentKind.VIDEO, SegmentKind.TEXT),
    /** Frames that follow actions, which are given. */
    ACTION(SegmentKind.VIDEO, SegmentKind.IMAGE);

    private final Set<SegmentKind> trained;

    Objective(SegmentKind first, SegmentKind... more) {
        trained = EnumSet.of(first, more);
    }

    /** {@return whether segments of a kind are to be produced} */
    public boolean trains(SegmentKind kind) {
        return trained.contains(kind);
    }

    /** {@return the objective of a name in a table, if it is one} */
    public static Optional<Objective> named(String name) {
        return Arrays.stream(values())
                .filter(objective -> objective.toString().equals(name))
                .findFirst();
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
