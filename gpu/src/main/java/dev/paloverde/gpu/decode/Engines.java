package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.PaloverdeException;
import java.time.Duration;
import java.util.function.Consumer;

/**
 * The engines of this JVM: one for each {@link EngineSpec}, shared by all who ask for it. The first to ask waits while
 * the model is loaded, and so does who asks meanwhile. An engine that nobody uses is kept for a minute, since the next
 * task usually wants it, and is then unloaded.
 */
public final class Engines {
    private static final EngineRegistry REGISTRY = new EngineRegistry(Duration.ofMinutes(1));

    private static volatile Consumer<PaloverdeException> faultListener = error -> {};

    private Engines() {}

    /** Tells who listens that an engine's device is lost to this process. */
    public static void lost(PaloverdeException error) {
        faultListener.accept(error);
    }

    /**
     * Gives access to the engine of a specification, after loading it where it is not there.
     *
     * @param spec which engine
     * @return to be closed when no longer used; closing it twice is harmless
     * @throws PaloverdeException of job scope if the model cannot be loaded, with the same cause for all who waited; the
     *     next to ask tries again. {@code CANCELLED} if the thread is interrupted while it waits
     */
    public static SharedEngine acquire(EngineSpec spec) {
        return REGISTRY.acquire(spec, null);
    }

    /**
     * As {@link #acquire(EngineSpec)}, for a model whose files must be the ones that the job was planned with.
     *
     * @param spec which engine
     * @param fingerprint of the model directory, as {@link SharedEngine#fingerprint()} gives it
     * @throws PaloverdeException also {@code MODEL_CHANGED} if the files are others
     */
    public static SharedEngine acquire(EngineSpec spec, String fingerprint) {
        return REGISTRY.acquire(spec, fingerprint);
    }

    /**
     * Says what to do when a device is lost to this process, after the requests of its engine have failed: leave the process,
     * so that another can begin anew. Called on the engine's thread; the last that was given is called.
     *
     * @param listener gets the error that lost the device
     */
    public static void onFault(Consumer<PaloverdeException> listener) {
        faultListener = listener;
    }

    /** Unloads now what is only kept for the case that it is asked for again. */
    public static void closeIdle() {
        REGISTRY.closeIdle();
    }
}
