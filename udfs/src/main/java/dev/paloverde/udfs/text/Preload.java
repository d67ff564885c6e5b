package dev.paloverde.udfs.text;

import dev.paloverde.gpu.decode.ScoringRequest;
import dev.paloverde.udfs.Settings;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An engine that is loaded before any task asks for it, and kept until this is closed: for a driver that is the executor
 * too, and has other things to do first. It is asked one small thing, so that what Java loads and compiles at the first
 * use is on its way as well.
 *
 * <p>Nothing fails here: whatever is wrong with the model is said where rows need it.
 */
public final class Preload implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Preload.class);
    private static final String TEXT = "It was early, and nobody was up yet but the birds.";

    private final CompletableFuture<TextEngine> engine = new CompletableFuture<>();

    private Preload() {}

    /** Begins, on a thread of its own. */
    public static Preload begin(Settings settings) {
        Preload preload = new Preload();
        Thread thread = new Thread(() -> preload.run(settings), "paloverde-preload");
        thread.setDaemon(true);
        thread.start();
        return preload;
    }

    /** {@return one that has nothing to load} */
    public static Preload none() {
        return new Preload();
    }

    private void run(Settings settings) {
        try {
            TextEngine opened = TextEngine.open(settings);
            try {
                warm(opened);
            } finally {
                engine.complete(opened);
            }
        } catch (RuntimeException | Error e) {
            LOG.debug("the model could not be loaded ahead of its use", e);
            engine.completeExceptionally(e);
        }
    }

    private static void warm(TextEngine opened) {
        int[] tokens = TextModel.concat(
                new int[] {opened.model().anchor()}, opened.model().tokenizer().encode(TEXT));
        int window = Math.min(tokens.length, opened.model().context());
        try {
            opened.engine()
                    .score(new ScoringRequest(tokens, window, Math.max(1, window / 2)))
                    .join();
        } finally {
            opened.forget();
        }
        LOG.debug("the engine is ready: {}", opened.engine().metrics());
    }

    /** Lets go of the engine, at once or as soon as it is loaded. */
    @Override
    public void close() {
        engine.thenAccept(TextEngine::close);
    }
}
