package dev.paloverde.gpu.vision;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The vision engines of this JVM: one for each {@link VisionSpec}, shared by all who ask for it, kept for a minute after the
 * last has let go of it.
 */
public final class VisionEngines {
    private static final Duration IDLE = Duration.ofMinutes(1);
    private static final Map<VisionSpec, Entry> ENTRIES = new HashMap<>();
    private static final ScheduledExecutorService UNLOADER = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "paloverde-vision-unload");
        thread.setDaemon(true);
        return thread;
    });

    private VisionEngines() {}

    /** An engine and who uses it; guarded by {@link #ENTRIES}. */
    private static final class Entry {
        private final VisionEngine engine;
        private int users;
        private int uses;

        Entry(VisionEngine engine) {
            this.engine = engine;
        }
    }

    /** One user's hold on an engine. Closing it twice is harmless. */
    public static final class Held implements AutoCloseable {
        private final Entry entry;
        private final Runnable release;
        private final AtomicBoolean released = new AtomicBoolean();

        private Held(Entry entry, Runnable release) {
            this.entry = entry;
            this.release = release;
        }

        /** {@return the engine} */
        public VisionEngine engine() {
            return entry.engine;
        }

        @Override
        public void close() {
            if (released.compareAndSet(false, true)) {
                release.run();
            }
        }
    }

    /**
     * Gives access to the engine of a specification, after loading it where it is not there.
     *
     * @param spec which engine
     * @param fingerprint that the model's files must have; empty for any
     * @throws PaloverdeException of job scope if the model cannot be loaded, {@code MODEL_CHANGED} if its files are others
     */
    public static Held acquire(VisionSpec spec, String fingerprint) {
        VisionSpec key = spec.canonical();
        Entry entry;
        synchronized (ENTRIES) {
            entry = ENTRIES.get(key);
            if (entry == null || !entry.engine.open()) {
                entry = new Entry(new VisionEngine(key));
                ENTRIES.put(key, entry);
            }
            entry.users++;
            entry.uses++;
        }
        Entry found = entry;
        Held held = new Held(found, () -> release(key, found));
        try {
            found.engine.awaitLoaded();
        } catch (InterruptedException e) {
            held.close();
            Thread.currentThread().interrupt();
            throw new PaloverdeException(
                    ErrorCode.CANCELLED, "interrupted while the model in " + key.model() + " was being loaded", e);
        } catch (PaloverdeException e) {
            synchronized (ENTRIES) {
                ENTRIES.remove(key, found);
            }
            throw e;
        }
        if (!fingerprint.isEmpty() && !fingerprint.equals(found.engine.fingerprint())) {
            held.close();
            throw new PaloverdeException(
                    ErrorCode.MODEL_CHANGED,
                    "the files in %s have the fingerprint %s, and the job was planned with %s; put the same files on every host, or run the job again"
                            .formatted(key.model(), found.engine.fingerprint(), fingerprint));
        }
        return held;
    }

    private static void release(VisionSpec key, Entry entry) {
        synchronized (ENTRIES) {
            entry.users--;
            int seen = entry.uses;
            UNLOADER.schedule(
                    () -> {
                        synchronized (ENTRIES) {
                            if (entry.users > 0 || entry.uses != seen) {
                                return;
                            }
                            ENTRIES.remove(key, entry);
                        }
                        entry.engine.close();
                    },
                    IDLE.toMillis(),
                    TimeUnit.MILLISECONDS);
        }
    }

    /** Unloads engines that nobody uses now. */
    public static void closeIdle() {
        synchronized (ENTRIES) {
            ENTRIES.values().removeIf(entry -> {
                if (entry.users == 0) {
                    entry.engine.close();
                }
                return entry.users == 0;
            });
        }
    }
}
