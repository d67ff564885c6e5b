package dev.paloverde.udfs;

import java.util.Locale;

/** What a model can be asked to do with a row. */
public enum Operation {
    /** Continues a prompt. */
    GENERATE,
    /** Says how likely a text is. */
    SCORE,
    /** Says how likely each of several continuations of a context is. */
    CHOOSE,
    /** Turns a text into a vector. */
    EMBED,
    /** Turns an image into a latent for each of its patches. */
    EMBED_IMAGE;

    /** {@return the name of the SQL function, {@code llm_generate} for instance} */
    public String sqlName() {
        return this == EMBED_IMAGE ? "image_embed" : "llm_" + toString();
    }

    /** {@return the name in lower case, as users write it} */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
