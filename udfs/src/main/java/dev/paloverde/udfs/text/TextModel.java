package dev.paloverde.udfs.text;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.decode.DraftSpec;
import dev.paloverde.gpu.decode.Receipt;
import dev.paloverde.gpu.kernels.Devices;
import dev.paloverde.gpu.kernels.Quantization;
import dev.paloverde.gpu.model.ModelDirectory;
import dev.paloverde.gpu.model.Tokenizer;
import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Setting;
import dev.paloverde.udfs.Settings;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SortedMap;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkEnv;
import org.apache.spark.deploy.SparkHadoopUtil;

/**
 * What the functions ask of a model's directory, before and without its weights.
 *
 * @param directory closed by whoever opened it, unless it is shared
 */
public record TextModel(ModelDirectory directory) {
    private static final ConcurrentHashMap<Path, TextModel> SHARED = new ConcurrentHashMap<>();

    /**
     * {@return the model of some settings, opened once and kept for the life of the JVM: a tokenizer takes long to open and
     * little to keep} Loads no weights.
     *
     * @throws PaloverdeException of job scope
     */
    public static TextModel shared(Settings settings) {
        return SHARED.computeIfAbsent(path(settings), path -> new TextModel(ModelDirectory.open(path)));
    }

    /** {@return the local directory of the model of some settings, after bringing it here where it lies elsewhere} */
    public static Path path(Settings settings) {
        return find(settings, Settings.MODEL);
    }

    /** {@return the local directory of the draft model of some settings, if they ask for one} */
    static Optional<DraftSpec> draft(Settings settings) {
        return settings.speculation().needsDraftModel()
                ? Optional.of(new DraftSpec(
                        find(settings, Settings.DRAFT_MODEL),
                        settings.value(Settings.DRAFT_DEVICE),
                        settings.value(Settings.DRAFT_MULTIPROCESSORS)))
                : Optional.empty();
    }

    private static Path find(Settings settings, Setting<String> which) {
        return new ModelStore(settings.value(Settings.CACHE_DIRECTORY), hadoop()).find(settings.value(which));
    }

    /** {@return the name of this executor among all} */
    static String executor() {
        return SparkEnv.get() == null ? "local" : SparkEnv.get().executorId();
    }

    static Configuration hadoop() {
        return SparkEnv.get() == null
                ? new Configuration()
                : SparkHadoopUtil.get().newConfiguration(SparkEnv.get().conf());
    }

    /** {@return the device that settings name, as {@link Devices#open} takes it} */
    public static String device(Settings settings) {
        return settings.value(Settings.DEVICE).name().toLowerCase(Locale.ROOT);
    }

    /** {@return the device of some settings, and where they leave it open what this host has} */
    public static String deviceHere(Settings settings) {
        return Devices.resolve(device(settings));
    }

    /** {@return CPU threads of an engine} */
    public static int threads(Settings settings) {
        int threads = settings.value(Settings.THREADS);
        return threads == 0 ? Runtime.getRuntime().availableProcessors() : threads;
    }

    /**
     * {@return what results of these settings depend on besides their rows, as it is on this machine} Reads the model's
     * files, but loads no weights.
     *
     * @throws PaloverdeException of job scope
     */
    public static Receipt receipt(Settings settings, Operation operation) {
        try (ModelDirectory directory = ModelDirectory.open(path(settings))) {
            String draft = "";
            if (settings.speculation().changesResults() && draft(settings).isPresent()) {
                try (ModelDirectory drafting =
                        ModelDirectory.open(draft(settings).get().model())) {
                    draft = drafting.fingerprint();
                }
            }
            return receipt(directory.fingerprint(), draft, Devices.version(device(settings)), settings, operation);
        }
    }

    /** @param draft fingerprint of the draft model; counts only where results depend on it */
    static Receipt receipt(String fingerprint, String draft, String kernels, Settings settings, Operation operation) {
        SortedMap<String, Object> parameters = settings.parameters(operation);
        if (settings.speculation().changesResults()) {
            parameters.put("draft-fingerprint", draft);
        }
        return new Receipt(
                fingerprint,
                kernels,
                operation.toString(),
                parameters,
                operation == Operation.GENERATE ? settings.value(Settings.SEED) : 0,
                dataType(settings.value(Settings.QUANTIZATION)));
    }

    private static String dataType(Quantization quantization) {
        return switch (quantization) {
            case NONE -> "as-stored";
            case FP8 -> "fp8";
        };
    }

    Tokenizer tokenizer() {
        return directory.tokenizer();
    }

    /** {@return the most positions a sequence may have; the model's, so that no limit of memory changes a result} */
    int context() {
        return directory.configuration().context();
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
        if (directory.generationDefaults().begin().isPresent()) {
            return directory.generationDefaults().begin().getAsInt();
        }
        List<Integer> ends = directory.generationDefaults().ends();
        if (ends.isEmpty()) {
            throw new PaloverdeException(
                    ErrorCode.UNSUPPORTED_MODEL,
                    "the model in %s has neither a begin nor an end token, and so nothing to put before a text to score;"
                                    .formatted(directory.path())
                            + " name one as bos_token_id in its config.json");
        }
        return ends.get(0);
    }

    /** {@return the tokens before a prompt or a text to embed} */
    int[] prefix(Settings settings) {
        return settings.value(Settings.BEGIN_TOKEN) == Settings.BeginToken.AUTO
                ? tokenizer().prefix()
                : new int[0];
    }

    static int[] concat(int[] head, int[] tail) {
        int[] all = Arrays.copyOf(head, head.length + tail.length);
        System.arraycopy(tail, 0, all, head.length, tail.length);
        return all;
    }
}
