package dev.paloverde.data.text;

/**
 * One document: a line of a JSONL file.
 *
 * @param id unique in a corpus: source, seed and index
 * @param source the label of its {@link TextSource}
 * @param text its text, never empty
 */
public record Document(String id, String source, String text) {}
