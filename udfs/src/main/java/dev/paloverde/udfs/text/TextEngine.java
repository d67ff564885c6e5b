package dev.paloverde.udfs.text;

import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.decode.Engine;
import dev.paloverde.gpu.decode.EngineOptions;
import dev.paloverde.gpu.decode.EngineSpec;
import dev.paloverde.gpu.decode.Engines;
import dev.paloverde.gpu.decode.SharedEngine;
import dev.paloverde.gpu.decode.SpeculationRound;
import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Settings;
import dev.paloverde.udfs.arrow.BatchContext;
import java.util.ArrayList;
import java.util.List;

/** A task's hold on the executor's engine. */
final class TextEngine implements AutoCloseable {
    private final SharedEngine shared;
    private final Engine engine;
    private final EngineMeter meter;
    private final Feeders feeders;
    private final int places;
    private final String roundDirectory;
    private final List<SpeculationRound> rounds = new ArrayList<>();

    private TextEngine(SharedEngine shared, EngineSpec spec, String roundDirectory) {
        this.roundDirectory = roundDirectory;
        this.shared = shared;
        this.engine = shared.engine();
        this.meter = EngineMeter.of(spec, engine);
        this.feeders = Feeders.of(spec);
        this.places = shared.options().maxSequences();
    }

    /**
     * Finds the model and gets its engine, loading it if no one has it.
     *
     * @throws PaloverdeException of job scope
     */
    static TextEngine open(Settings settings) {
        LostDevice.watch();
        EngineOptions options = new EngineOptions(
                settings.value(Settings.MAX_SEQUENCES),
                settings.value(Settings.STEP_TOKENS),
                settings.value(Settings.PAGE_TOKENS),
                settings.value(Settings.KV_MEMORY),
                settings.value(Settings.MAX_QUEUED_TOKENS));
        EngineSpec spec = new EngineSpec(
                TextModel.path(settings),
                TaskDevice.of(settings),
                TextModel.threads(settings),
                options,
                settings.speculation(),
                TextModel.draft(settings),
                settings.value(Settings.QUANTIZATION));
        String fingerprint = settings.value(Settings.MODEL_FINGERPRINT);
        return new TextEngine(
                fingerprint.isEmpty() ? Engines.acquire(spec) : Engines.acquire(spec, fingerprint),
                spec,
                settings.value(Settings.SPECULATION_ROUNDS));
    }

    Engine engine() {
        return engine;
    }

    /** {@return the tasks of this JVM that have rows for the engine} */
    Feeders feeders() {
        return feeders;
    }

    /** {@return how many sequences it works on at once} */
    int places() {
        return places;
    }

    TextModel model() {
        return new TextModel(shared.directory());
    }

    /** {@return the digest of what every result of these settings depends on besides its row} */
    String receipt(Operation operation, Settings settings) {
        return TextModel.receipt(
                        shared.fingerprint(), shared.draftFingerprint(), shared.kernelsVersion(), settings, operation)
                .digest();
    }

    /** See {@link EngineMeter#forget}. */
    void forget() {
        meter.forget(engine);
    }

    void count(BatchContext context) {
        meter.count(engine, places, context);
        if (!roundDirectory.isEmpty()) {
            rounds.addAll(meter.newRounds(engine));
        }
    }

    @Override
    public void close() {
        try {
            RoundLog.write(roundDirectory, TextModel.executor(), rounds, TextModel.hadoop());
            rounds.clear();
        } finally {
            shared.close();
        }
    }
}
