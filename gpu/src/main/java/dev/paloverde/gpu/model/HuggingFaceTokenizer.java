package dev.paloverde.gpu.model;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** A {@code tokenizer.json} run by Hugging Face's own library. */
final class HuggingFaceTokenizer implements Tokenizer {
    private final TokenizersLibrary library = TokenizerLibrary.library();
    private final ReadWriteLock closing = new ReentrantReadWriteLock();
    private final Map<Integer, String> special;
    private final int vocabulary;
    private final int[] prefix;
    private long whole;
    private long plain;

    private HuggingFaceTokenizer(TokenizerFile content, Path file) {
        special = content.special();
        vocabulary = content.vocabulary();
        whole = create(content.whole(), file);
        try {
            plain = special.isEmpty() ? whole : create(content.plain(), file);
            prefix = findPrefix();
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    /**
     * @param file a tokenizer.json
     * @param named tokens that other files of the model call special
     */
    static HuggingFaceTokenizer open(Path file, Set<String> named) {
        return new HuggingFaceTokenizer(TokenizerFile.read(file, named), file);
    }

    @Override
    public int[] encode(String text) {
        return encode(text, Vocabulary.PLAIN);
    }

    @Override
    public int[] encodeTemplate(String rendered) {
        return encode(rendered, Vocabulary.WHOLE);
    }

    @Override
    public int[] prefix() {
        return prefix.clone();
    }

    @Override
    public String decode(int[] tokens) {
        long[] ids = Arrays.stream(tokens)
                .filter(token -> !special.containsKey(token))
                .asLongStream()
                .toArray();
        if (ids.length == 0) {
            return "";
        }
        Lock lock = closing.readLock();
        lock.lock();
        try {
            return library.decode(handle(Vocabulary.WHOLE), ids, false);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public int vocabulary() {
        return vocabulary;
    }

    @Override
    public boolean isSpecial(int token) {
        return special.containsKey(token);
    }

    @Override
    public void close() {
        Lock lock = closing.writeLock();
        lock.lock();
        try {
            if (plain != 0 && plain != whole) {
                library.deleteTokenizer(plain);
            }
            if (whole != 0) {
                library.deleteTokenizer(whole);
            }
            plain = 0;
            whole = 0;
        } finally {
            lock.unlock();
        }
    }

    private enum Vocabulary {
        WHOLE,
        PLAIN
    }

    private int[] encode(String text, Vocabulary which) {
        requireWellFormed(text);
        if (text.isEmpty()) {
            return new int[0];
        }
        Lock lock = closing.readLock();
        lock.lock();
        try {
            return ids(library.encode(handle(which), text, false));
        } finally {
            lock.unlock();
        }
    }

    private int[] ids(long encoding) {
        try {
            long[] ids = library.getTokenIds(encoding);
            int[] tokens = new int[ids.length];
            for (int i = 0; i < ids.length; i++) {
                tokens[i] = (int) ids[i];
            }
            return tokens;
        } finally {
            library.deleteEncoding(encoding);
        }
    }

    private long handle(Vocabulary which) {
        if (whole == 0) {
            throw new PaloverdeException(ErrorCode.INTERNAL, "the tokenizer was used after it was closed");
        }
        return which == Vocabulary.WHOLE ? whole : plain;
    }

    private long create(String json, Path file) {
        try {
            return library.createTokenizerFromString(json);
        } catch (RuntimeException e) {
            throw new PaloverdeException(
                    ErrorCode.MODEL_CORRUPT,
                    "%s is not a tokenizer that Hugging Face's library reads (%s); download it again"
                            .formatted(file, e.getMessage()),
                    e);
        }
    }

    /** What stands before the tokens of a text when the tokenizer adds what it adds. */
    private int[] findPrefix() {
        String probe = "a";
        int[] bare = ids(library.encode(whole, probe, false));
        int[] dressed = ids(library.encode(whole, probe, true));
        for (int start = 0; start + bare.length <= dressed.length; start++) {
            if (Arrays.equals(bare, Arrays.copyOfRange(dressed, start, start + bare.length))) {
                return Arrays.copyOf(dressed, start);
            }
        }
        return new int[0];
    }

    /** A surrogate without its partner has no UTF-8, and the library would put another character in its place. */
    private static void requireWellFormed(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!Character.isSurrogate(c)) {
                continue;
            }
            if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
                continue;
            }
            throw new PaloverdeException(
                    ErrorCode.INVALID_UTF8,
                    "character %,d of the text is U+%04X, half of a surrogate pair; remove it or replace it with U+FFFD"
                            .formatted(i, (int) c));
        }
    }
}
