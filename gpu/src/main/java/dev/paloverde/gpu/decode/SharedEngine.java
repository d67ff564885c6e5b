package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.model.ModelDirectory;
import dev.paloverde.gpu.model.Tokenizer;
import java.util.concurrent.atomic.AtomicBoolean;

/** One user's hold on an engine that others may use too. Safe for any number of threads. */
public final class SharedEngine implements AutoCloseable {
    private final BatchingEngine engine;
    private final ModelDirectory directory;
    private final String fingerprint;
    private final String draftFingerprint;
    private final Runnable release;
    private final AtomicBoolean released = new AtomicBoolean();

    SharedEngine(
            BatchingEngine engine,
            ModelDirectory directory,
            String fingerprint,
            String draftFingerprint,
            Runnable release) {
        this.engine = engine;
        this.directory = directory;
        this.fingerprint = fingerprint;
        this.draftFingerprint = draftFingerprint;
        this.release = release;
    }

    /** {@return the engine; closing it does not stop it for others, this object's {@link #close()} does what there is to do} */
    public Engine engine() {
        return new Borrowed(engine);
    }

    /** {@return the model's tokenizer; not to be closed} */
    public Tokenizer tokenizer() {
        return directory.tokenizer();
    }

    /** {@return the model's directory: configuration, chat template, defaults; not to be closed} */
    public ModelDirectory directory() {
        return directory;
    }

    /** {@return what stands for the contents of the model's files, part of every receipt} */
    public String fingerprint() {
        return fingerprint;
    }

    /** {@return what stands for the contents of the draft model's files; empty where there is none} */
    public String draftFingerprint() {
        return draftFingerprint;
    }

    /** {@return the version of the kernels that compute, part of every receipt} */
    public String kernelsVersion() {
        return engine.kernelsVersion();
    }

    /** {@return the limits it works within, none of them 0} */
    public EngineOptions options() {
        return engine.options();
    }

    boolean isOf(BatchingEngine other) {
        return engine == other;
    }

    /** Ends this use. Requests still in flight are not withdrawn; they may be lost when the engine is unloaded. */
    @Override
    public void close() {
        if (released.compareAndSet(false, true)) {
            release.run();
        }
    }
}
