package dev.paloverde.gpu.model;

import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;

/**
 * Hugging Face's tokenizers, through DJL's binding. The binding is used below DJL's own tokenizer class because that
 * one reads back tokens, spans and masks of every text, where only ids are wanted here, and calls home.
 */
final class TokenizerLibrary {
    private static TokenizersLibrary loaded;

    private TokenizerLibrary() {}

    /** {@return the binding, its native library loaded} */
    static synchronized TokenizersLibrary library() {
        if (loaded == null) {
            loaded = load();
        }
        return loaded;
    }

    private static TokenizersLibrary load() {
        // From the jar, never from the network; and not the variant for a GPU, which is not in the jar.
        setIfAbsent("ai.djl.offline", "true");
        setIfAbsent("RUST_FLAVOR", "cpu");
        setIfAbsent("OPT_OUT_TRACKING", "true");
        Thread thread = Thread.currentThread();
        ClassLoader before = thread.getContextClassLoader();
        try {
            if (System.getenv("ENGINE_CACHE_DIR") == null && System.getenv("DJL_CACHE_DIR") == null) {
                // Of this process alone: home may be read-only, and two processes may unpack at once.
                setIfAbsent("ENGINE_CACHE_DIR", temporaryDirectory().toString());
            }
            // DJL looks for its resources there
            thread.setContextClassLoader(TokenizersLibrary.class.getClassLoader());
            LibUtils.checkStatus();
            return TokenizersLibrary.LIB;
        } catch (IOException | RuntimeException | LinkageError e) {
            throw new PaloverdeException(
                    ErrorCode.DEVICE_UNAVAILABLE,
                    ("the native tokenizer library for %s on %s cannot be loaded (%s); it is unpacked to %s, which must be"
                                    + " writable and not mounted noexec: set -Djava.io.tmpdir")
                            .formatted(
                                    System.getProperty("os.name"),
                                    System.getProperty("os.arch"),
                                    e,
                                    System.getProperty("java.io.tmpdir")),
                    e);
        } finally {
            thread.setContextClassLoader(before);
        }
    }

    private static void setIfAbsent(String property, String value) {
        if (System.getProperty(property) == null && System.getenv(property) == null) {
            System.setProperty(property, value);
        }
    }

    private static Path temporaryDirectory() throws IOException {
        Path directory = Files.createTempDirectory("paloverde-tokenizers-");
        Runtime.getRuntime().addShutdownHook(new Thread(() -> delete(directory), "paloverde-tokenizers-cleanup"));
        return directory;
    }

    private static void delete(Path directory) {
        try (Stream<Path> paths = Files.walk(directory)) {
            paths.sorted(Comparator.reverseOrder()).forEach(TokenizerLibrary::deleteOne);
        } catch (IOException | UncheckedIOException e) {
            // what is left, the system's own cleaning of temporary files takes
        }
    }

    private static void deleteOne(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
