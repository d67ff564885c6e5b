package dev.paloverde.pipelines.interleaved;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/** What a segment of a document is. Its name in a table is in lower case. */
public enum SegmentKind {
    /** Text. */
    TEXT(Content.TEXT),
    /** One picture. */
    IMAGE(Content.VISUAL),
    /** One frame of a film; a film is as many segments as frames. */
    VIDEO(Content.VISUAL),
    /** What was done between two frames, written as text: {@code action: dx=.., dy=.., dyaw=.., rel_t=..}. */
    ACTION(Content.TEXT);

    private enum Content {
        TEXT,
        VISUAL
    }

    private final Content content;

    SegmentKind(Content content) {
        this.content = content;
    }

    /** {@return whether it takes positions that hold latents of a picture, and not tokens} */
    public boolean isVisual() {
        return content == Content.VISUAL;
    }

    /** {@return the kind of a name in a table, if it is one} */
    public static Optional<SegmentKind> named(String name) {
        return Arrays.stream(values())
                .filter(kind -> kind.toString().equals(name))
                .findFirst();
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
