package dev.paloverde.udfs.text;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.decode.Engine;
import dev.paloverde.gpu.decode.EngineOptions;
import dev.paloverde.gpu.decode.EngineSpec;
import dev.paloverde.gpu.decode.Engines;
import dev.paloverde.gpu.decode.Receipt;
import dev.paloverde.gpu.decode.SharedEngine;
import dev.paloverde.gpu.model.ModelDirectory;
import dev.paloverde.gpu.model.Tokenizer;
import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Settings;
import dev.paloverde.udfs.arrow.BatchContext;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkEnv;
import org.apache.spark.deploy.SparkHadoopUtil;

/** A task's hold on the executor's engine, and what all functions ask of its model. */
final class TextEngine implements AutoCloseable {
    private final SharedEngine shared;
    private final Engine engine;
    private final EngineMeter meter;
    private final int places;

    private TextEngine(SharedEngine shared, EngineSpec spec) {
        this.shared = shared;
        this.engine = shared.engine();
        this.meter = EngineMeter.of(spec, engine);
        this.places = spec.options().maxSequences();
    }

    /**
     * Finds the model and gets its engine, loading it if no one has it.
     *
     * @throws PaloverdeException of job scope
     */
    static TextEngine open(Settings settings) {
        EngineOptions options = new EngineOptions(
                settings.value(Settings.MAX_SEQUENCES),
                settings.value(Settings.STEP_TOKENS),
                settings.value(Settings.PAGE_TOKENS),
                settings.value(Settings.KV_MEMORY),
                settings.value(Settings.MAX_QUEUED_TOKENS));
        int threads = settings.value(Settings.THREADS);
        EngineSpec spec = new EngineSpec(
                new ModelStore(settings.value(Settings.CACHE_DIRECTORY), hadoop())
                        .find(settings.value(Settings.MODEL)),
                settings.value(Settings.DEVICE).name().toLowerCase(Locale.ROOT),
                threads == 0 ? Runtime.getRuntime().availableProcessors() : threads,
                options);
        String fingerprint = settings.value(Settings.MODEL_FINGERPRINT);
        return new TextEngine(
                fingerprint.isEmpty() ? Engines.acquire(spec) : Engines.acquire(spec, fingerprint), spec);
    }

    private static Configuration hadoop() {
        return SparkEnv.get() == null
                ? new Configuration()
                : SparkHadoopUtil.get().newConfiguration(SparkEnv.get().conf());
    }

    Engine engine() {
        return engine;
    }

    Tokenizer tokenizer() {
        return shared.tokenizer();
    }

    ModelDirectory directory() {
        return shared.directory();
    }

    /** {@return the most positions a sequence may have; the model's, so that no limit of memory changes a result} */
    int context() {
        return shared.directory().configuration().context();
    }

    /**
     * {@return the token that stands before a text to score, so that its first token is scored too: the tokenizer's
     * begin token, else the model's, else its end-of-text token (the convention of lm-evaluation-harness)}
     */
    int anchor() {
        int[] prefix = tokenizer().prefix();
        if (prefix.length > 0) {
            return prefix[prefix.length - 1];
        }
        var defaults = directory().generationDefaults();
        if (defaults.begin().isPresent()) {
            return defaults.begin().getAsInt();
        }
        List<Integer> ends = defaults.ends();
        if (ends.isEmpty()) {
            throw new PaloverdeException(
                    ErrorCode.UNSUPPORTED_MODEL,
                    "the model in %s has neither a begin nor an end token, and so nothing to put before a text to score;"
                                    .formatted(directory().path())
                            + " name one as bos_token_id in its config.json");
        }
        return ends.get(0);
    }

    /** {@return the tokens before a prompt or a text to embed} */
    int[] prefix(Settings settings) {
        return settings.value(Settings.BEGIN_TOKEN) == Settings.BeginToken.AUTO ? tokenizer().prefix() : new int[0];
    }

    /** {@return what every result of these settings depends on besides its row} */
    String receipt(Operation operation, Settings settings) {
        return new Receipt(
                        shared.fingerprint(),
                        shared.kernelsVersion(),
                        operation.toString(),
                        settings.parameters(operation),
                        operation == Operation.GENERATE ? settings.value(Settings.SEED) : 0,
                        "as-stored")
                .digest();
    }

    void count(BatchContext context) {
        meter.count(engine, places, context);
    }

    @Override
    public void close() {
        shared.close();
    }

    static int[] concat(int[] head, int[] tail) {
        int[] all = Arrays.copyOf(head, head.length + tail.length);
        System.arraycopy(tail, 0, all, head.length, tail.length);
        return all;
    }
}
