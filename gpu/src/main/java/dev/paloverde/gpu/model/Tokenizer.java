package dev.paloverde.gpu.model;

/** Text to token ids and back. Safe for any number of threads. */
public interface Tokenizer extends AutoCloseable {
    /**
     * {@return token ids of a text, with no special tokens added; special tokens written in the text are text, not
     * commands}
     */
    int[] encode(String text);

    /** {@return token ids of a rendered chat template, in which special tokens written out are special tokens} */
    int[] encodeTemplate(String rendered);

    /**
     * {@return what the tokenizer itself would put before a text: a begin token for most Llamas, nothing for Qwen}
     */
    int[] prefix();

    /** {@return the text of token ids, special tokens left out} */
    String decode(int[] tokens);

    /** {@return the number of ids, the highest id plus one} */
    int vocabulary();

    /** {@return whether an id is a special token} */
    boolean isSpecial(int token);

    @Override
    void close();
}
