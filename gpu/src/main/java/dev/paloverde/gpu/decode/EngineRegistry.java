package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.DevicePart;
import dev.paloverde.gpu.kernels.Devices;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.kernels.Quantization;
import dev.paloverde.gpu.model.LanguageModel;
import dev.paloverde.gpu.model.ModelDirectory;
import dev.paloverde.gpu.model.Tokenizer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Engines by what they are, counted by who uses them. */
final class EngineRegistry {
    private static final Logger LOG = LoggerFactory.getLogger(EngineRegistry.class);

    private final Duration idle;
    private final Map<EngineSpec, Entry> entries = new HashMap<>();
    private final ScheduledExecutorService unloader = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "paloverde-unload");
        thread.setDaemon(true);
        return thread;
    });

    /** @param idle how long an engine without users is kept */
    EngineRegistry(Duration idle) {
        this.idle = idle;
    }

    SharedEngine acquire(EngineSpec spec, String expectedFingerprint) {
        EngineSpec key = spec.canonical();
        SharedEngine shared = hold(key);
        if (matches(shared, expectedFingerprint)) {
            return shared;
        }
        String found = shared.fingerprint();
        if (fingerprint(key.model()).equals(expectedFingerprint)) {
            // the files were replaced since this engine was loaded: it serves who holds it, and nobody new
            retire(key, shared);
            shared = hold(key);
            if (matches(shared, expectedFingerprint)) {
                return shared;
            }
        }
        shared.close();
        throw new PaloverdeException(
                ErrorCode.MODEL_CHANGED,
                ("the files in %s have the fingerprint %s, and the job was planned with %s; put the same files on every"
                                + " host, or run the job again")
                        .formatted(key.model(), found, expectedFingerprint));
    }

    private static String fingerprint(Path model) {
        try (ModelDirectory directory = ModelDirectory.open(model)) {
            return directory.fingerprint();
        }
    }

    private static boolean matches(SharedEngine shared, String expected) {
        return expected == null || expected.equals(shared.fingerprint());
    }

    private SharedEngine hold(EngineSpec key) {
        Entry entry;
        synchronized (this) {
            entry = entries.get(key);
            if (entry == null || entry.broken()) {
                entry = new Entry(key);
                entries.put(key, entry);
            }
            entry.users++;
        }
        Entry held = entry;
        try {
            Resident resident = held.resident.get();
            return new SharedEngine(
                    resident.engine(),
                    resident.directory(),
                    resident.fingerprint(),
                    resident.draftFingerprint(),
                    () -> release(held));
        } catch (InterruptedException e) {
            release(held);
            Thread.currentThread().interrupt();
            throw new PaloverdeException(
                    ErrorCode.CANCELLED, "interrupted while the model in " + key.model() + " was being loaded", e);
        } catch (ExecutionException e) {
            synchronized (this) {
                entries.remove(key, held);
            }
            if (e.getCause() instanceof PaloverdeException failure) {
                throw new PaloverdeException(failure.code(), failure.getMessage(), failure);
            }
            throw new PaloverdeException(
                    ErrorCode.ENGINE_FAILED,
                    "the model in " + key.model() + " could not be loaded: " + e.getCause(),
                    e);
        }
    }

    private void retire(EngineSpec key, SharedEngine shared) {
        synchronized (this) {
            Entry entry = entries.get(key);
            if (entry != null && shared.isOf(entry.engineIfLoaded())) {
                entries.remove(key);
            }
        }
        shared.close();
    }

    private void release(Entry entry) {
        synchronized (this) {
            entry.users--;
            entry.lastRelease = System.nanoTime();
            if (entry.users == 0) {
                long delay = entries.get(entry.key) == entry ? idle.toNanos() : 0;
                unloader.schedule(() -> unloadIfUnused(entry), delay, TimeUnit.NANOSECONDS);
            }
        }
    }

    /** Comes after each release of a last use, so that where there was another use since then, another call follows. */
    private void unloadIfUnused(Entry entry) {
        synchronized (this) {
            boolean current = entries.get(entry.key) == entry;
            if (entry.users > 0 || current && System.nanoTime() - entry.lastRelease < idle.toNanos()) {
                return;
            }
            entries.remove(entry.key, entry);
            if (entry.unloaded) {
                return;
            }
            entry.unloaded = true;
        }
        entry.unload();
    }

    void closeIdle() {
        List<Entry> unused = new ArrayList<>();
        synchronized (this) {
            for (Entry entry : List.copyOf(entries.values())) {
                if (entry.users == 0) {
                    entries.remove(entry.key);
                    entry.unloaded = true;
                    unused.add(entry);
                }
            }
        }
        unused.forEach(Entry::unload);
    }

    /** An engine that is there or being loaded. Its counters are the registry's. */
    private final class Entry {
        private final EngineSpec key;
        private final CompletableFuture<Resident> resident;
        private int users;
        private long lastRelease;
        private boolean unloaded;

        Entry(EngineSpec key) {
            this.key = key;
            Loading loading = new Loading(key);
            this.resident = BatchingEngine.start(
                            "paloverde-engine-" + key.model().getFileName(), loading, key.options(), key.speculation())
                    .thenApply(engine ->
                            new Resident(engine, loading.directory, loading.fingerprint, loading.draftFingerprint))
                    .whenComplete((loaded, failure) -> {
                        if (failure != null && loading.directory != null) {
                            loading.directory.close();
                        }
                    });
        }

        BatchingEngine engineIfLoaded() {
            return resident.isDone() && !resident.isCompletedExceptionally()
                    ? resident.join().engine()
                    : null;
        }

        /** {@return whether it will never serve anyone again} */
        boolean broken() {
            return resident.isCompletedExceptionally()
                    || resident.isDone() && !resident.join().engine().open();
        }

        void unload() {
            resident.thenAccept(loaded -> {
                loaded.engine().close();
                loaded.directory().close();
                LOG.info("unloaded {}", key.model());
            });
        }
    }

    private record Resident(
            BatchingEngine engine, ModelDirectory directory, String fingerprint, String draftFingerprint) {}

    /** Loads on the engine's thread, so that an interrupted task does not leave half a model. */
    private final class Loading implements Supplier<LoadedModel> {
        private final EngineSpec spec;
        private ModelDirectory directory;
        private String fingerprint;
        private String draftFingerprint = "";

        Loading(EngineSpec spec) {
            this.spec = spec;
        }

        @Override
        public LoadedModel get() {
            long begin = System.nanoTime();
            directory = ModelDirectory.open(spec.model());
            Kernels kernels = null;
            try {
                Tokenizer tokenizer = directory.tokenizer();
                int drafters = spec.draft().map(DraftSpec::multiprocessors).orElse(0);
                kernels = Devices.open(
                        spec.device(), spec.threads(), new DevicePart(role(DevicePart.Role.TARGET), drafters));
                requireRoom(directory, kernels, spec.quantization());
                fingerprint = directory.fingerprint();
                LanguageModel model = directory.load(kernels, spec.quantization());
                LOG.info("loaded {} in {} ms", spec.model(), (System.nanoTime() - begin) / 1_000_000);
                int[] ends = directory.generationDefaults().ends().stream()
                        .mapToInt(Integer::intValue)
                        .toArray();
                return new LoadedModel(kernels, model, tokenizer, ends, loadDraft(kernels));
            } catch (Throwable e) {
                if (kernels != null) {
                    kernels.close();
                }
                throw e;
            }
        }

        private LoadedDraft loadDraft(Kernels beside) {
            if (spec.draft().isEmpty()) {
                return null;
            }
            DraftSpec drafting = spec.draft().get();
            try (ModelDirectory draft = ModelDirectory.open(drafting.model())) {
                requireSameTokens(draft);
                Kernels kernels = Devices.open(
                        drafting.device().isEmpty() ? spec.device() : drafting.device(),
                        spec.threads(),
                        new DevicePart(role(DevicePart.Role.DRAFT), drafting.multiprocessors()));
                try {
                    requireSameBits(beside, kernels);
                    requireRoom(draft, kernels, Quantization.NONE);
                    draftFingerprint = draft.fingerprint();
                    return new LoadedDraft(kernels, draft.load(kernels));
                } catch (Throwable e) {
                    kernels.close();
                    throw e;
                }
            }
        }

        /** {@return a model's role where two of them compute at the same time on one device; else it is alone there} */
        private DevicePart.Role role(DevicePart.Role beside) {
            boolean together = spec.speculation().strategy() == Speculation.Strategy.SSD
                    && spec.draft().filter(draft -> draft.device().isEmpty()).isPresent();
            return together ? beside : DevicePart.Role.MODEL;
        }

        /** With the rule of rejection a text depends on the draft model's bits, and a receipt names one sort of kernels. */
        private void requireSameBits(Kernels ours, Kernels theirs) {
            if (spec.speculation().changesResults() && !ours.version().equals(theirs.version())) {
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "rule is rejection, and the draft model would run on %s (%s), the model on %s (%s): results would depend on it; use the same sort of device, or rule=coupled"
                                .formatted(theirs.description(), theirs.version(), ours.description(), ours.version()));
            }
        }

        private void requireSameTokens(ModelDirectory draft) {
            Tokenizer ours = directory.tokenizer();
            Tokenizer theirs = draft.tokenizer();
            int vocabulary = directory.configuration().vocabulary();
            String difference = null;
            if (draft.configuration().vocabulary() != vocabulary) {
                difference = "vocab_size is %d there and %d here"
                        .formatted(draft.configuration().vocabulary(), vocabulary);
            } else if (theirs.vocabulary() != ours.vocabulary()) {
                difference =
                        "its tokenizer has %d ids and this one's %d".formatted(theirs.vocabulary(), ours.vocabulary());
            }
            for (int token = 0; difference == null && token < ours.vocabulary(); token++) {
                int[] one = {token};
                String here = ours.decode(one);
                String there = theirs.decode(one);
                if (!here.equals(there) || ours.isSpecial(token) != theirs.isSpecial(token)) {
                    difference = "token %d is '%s' there and '%s' here".formatted(token, there, here);
                }
            }
            if (difference != null) {
                throw new PaloverdeException(
                        ErrorCode.TOKENIZER_MISMATCH,
                        "the draft model in %s does not have the vocabulary of the model in %s: %s; take a draft model of the"
                                        .formatted(spec.draft().get().model(), spec.model(), difference)
                                + " same family, or set drafter=lookup");
            }
        }

        /** {@return what else helps, if it does: on this device a quantized weight is a byte} */
        private String smaller(ModelDirectory of, Kernels kernels) {
            return of == directory && spec.quantization() == Quantization.NONE && kernels.quantizedBytes(2) == 2
                    ? ", or set quantization=fp8, with which a weight takes a byte"
                    : "";
        }

        /** Says so beforehand where even the weights do not fit, since who runs out of memory cannot choose what fails. */
        private void requireRoom(ModelDirectory of, Kernels kernels, Quantization quantization) {
            long weights = of.weightBytes(kernels, quantization);
            if (weights > kernels.availableBytes()) {
                // models that are only kept for the case that someone asks for them again
                closeIdle();
            }
            long available = kernels.availableBytes();
            if (weights > available) {
                throw new PaloverdeException(
                        ErrorCode.OUT_OF_MEMORY,
                        ("the weights in %s take %d bytes and the key-value cache up to %d, and %d are left of the memory"
                                        + " allowed (%s); raise the memory (on the CPU, the Java heap: executor or"
                                        + " driver memory), or take a smaller model%s")
                                .formatted(
                                        of.path(),
                                        weights,
                                        spec.options().kvBytes(),
                                        available,
                                        kernels.description(),
                                        smaller(of, kernels)));
            }
        }
    }
}
