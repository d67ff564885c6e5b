package dev.paloverde.gpu.model;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Writes small tokenizers: one id for each of the 256 bytes, some merges, and special tokens, in the layout of the files
 * that Llama 3, Qwen and SmolLM come with.
 */
final class TestTokenizer {
    static final ObjectMapper JSON = new ObjectMapper();
    static final int BEGIN = 256;
    static final int END = 257;

    private final ObjectNode tree = JSON.createObjectNode();
    private final ObjectNode vocabulary = JSON.createObjectNode();
    private final ArrayNode merges = JSON.createArrayNode();

    private TestTokenizer() {
        for (int b = 0; b < 256; b++) {
            vocabulary.put(byteName(b), b);
        }
    }

    /** Bytes 0 to 255, then {@code <|begin|>}, {@code <|end|>} (special), {@code <tool>} (not special). */
    static TestTokenizer bytes() {
        TestTokenizer tokenizer = new TestTokenizer();
        tokenizer.tree.put("version", "1.0");
        tokenizer.tree.putNull("truncation");
        tokenizer.tree.putNull("padding");
        ArrayNode added = tokenizer.tree.putArray("added_tokens");
        tokenizer.added(added, BEGIN, "<|begin|>", "special");
        tokenizer.added(added, END, "<|end|>", "special");
        tokenizer.added(added, 258, "<tool>", "ordinary");
        tokenizer.tree.putNull("normalizer");
        tokenizer
                .tree
                .putObject("pre_tokenizer")
                .put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", true)
                .put("use_regex", true);
        ObjectNode template = tokenizer.tree.putObject("post_processor").put("type", "TemplateProcessing");
        template.set(
                "single",
                JSON.createArrayNode()
                        .add(JSON.createObjectNode()
                                .set(
                                        "SpecialToken",
                                        JSON.createObjectNode()
                                                .put("id", "<|begin|>")
                                                .put("type_id", 0)))
                        .add(JSON.createObjectNode()
                                .set(
                                        "Sequence",
                                        JSON.createObjectNode().put("id", "A").put("type_id", 0))));
        template.set("pair", template.get("single").deepCopy());
        ObjectNode begin = template.putObject("special_tokens").putObject("<|begin|>");
        begin.put("id", "<|begin|>");
        begin.putArray("ids").add(BEGIN);
        begin.putArray("tokens").add("<|begin|>");
        tokenizer
                .tree
                .putObject("decoder")
                .put("type", "ByteLevel")
                .put("add_prefix_space", true)
                .put("trim_offsets", true)
                .put("use_regex", true);
        return tokenizer;
    }

    /** Adds a merge of two names, and its product with the next id. */
    TestTokenizer merge(String left, String right, int id) {
        merges.add(JSON.createArrayNode().add(left).add(right));
        vocabulary.put(left + right, id);
        return this;
    }

    /** Gives a special token a place in the vocabulary too, as SmolLM's has. */
    TestTokenizer inVocabulary(String name, int id) {
        vocabulary.put(name, id);
        return this;
    }

    ObjectNode tree() {
        ObjectNode model = tree.putObject("model").put("type", "BPE");
        model.putNull("dropout");
        model.putNull("unk_token");
        model.putNull("continuing_subword_prefix");
        model.putNull("end_of_word_suffix");
        model.put("fuse_unk", false);
        model.put("byte_fallback", false);
        model.put("ignore_merges", true);
        model.set("vocab", vocabulary);
        model.set("merges", merges);
        return tree;
    }

    Path write(Path directory) {
        Path file = directory.resolve("tokenizer.json");
        write(file, tree());
        return file;
    }

    static void write(Path file, ObjectNode tree) {
        try {
            Files.write(file, JSON.writeValueAsBytes(tree));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The visible character that stands for a byte in byte-level vocabularies. */
    static String byteName(int value) {
        boolean printable = (value >= '!' && value <= '~') || (value >= 0xA1 && value <= 0xAC) || value >= 0xAE;
        if (printable) {
            return Character.toString(value);
        }
        int rank = 0;
        for (int b = 0; b < value; b++) {
            boolean shown = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
            rank += shown ? 0 : 1;
        }
        return Character.toString(256 + rank);
    }

    private void added(ArrayNode list, int id, String name, String kind) {
        list.addObject()
                .put("id", id)
                .put("content", name)
                .put("single_word", false)
                .put("lstrip", false)
                .put("rstrip", false)
                .put("normalized", false)
                .put("special", kind.equals("special"));
    }
}
