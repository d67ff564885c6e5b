package dev.paloverde.udfs;

import static dev.paloverde.udfs.Operation.CHOOSE;
import static dev.paloverde.udfs.Operation.EMBED;
import static dev.paloverde.udfs.Operation.EMBED_IMAGE;
import static dev.paloverde.udfs.Operation.GENERATE;
import static dev.paloverde.udfs.Operation.SCORE;
import static dev.paloverde.udfs.Setting.Scope.RESOURCE;
import static dev.paloverde.udfs.Setting.Scope.RESULT;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.decode.Speculation;
import dev.paloverde.gpu.image.ImageLimits;
import dev.paloverde.gpu.kernels.Quantization;
import dev.paloverde.gpu.model.Pooling;
import dev.paloverde.gpu.model.VisionModel;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.commons.text.similarity.LevenshteinDistance;

/**
 * Every option there is, and the values of them for one use. The same keys serve everywhere: as
 * {@code spark.paloverde.<key>} in Spark's configuration, as {@code <key>} in the options of a call, as
 * {@code --<key>} of a job. An option of the call wins over the session's configuration, which wins over the default.
 *
 * <p>Immutable and serialisable: what was set travels from the driver to the executors as it was written.
 */
public final class Settings implements Serializable {
    private static final long serialVersionUID = 1L;

    private static final Set<Operation> ALL = EnumSet.allOf(Operation.class);
    private static final Set<Operation> TEXTS = EnumSet.complementOf(EnumSet.of(EMBED_IMAGE));
    private static final Set<Operation> IMAGES = EnumSet.of(EMBED_IMAGE);
    private static final Set<Operation> PROMPTED = EnumSet.of(GENERATE);
    private static final Set<Operation> SCORED = EnumSet.of(SCORE);

    /** What to do with a text that has bytes which are not UTF-8. */
    public enum OnInvalidUtf8 {
        ERROR,
        REPLACE
    }

    /** What to do with a text that does not fit. */
    public enum OnTooLong {
        ERROR,
        TRUNCATE
    }

    /** How a prompt becomes tokens. */
    public enum PromptStyle {
        PLAIN,
        CHAT
    }

    /** Where sampling settings come from that nobody has set. */
    public enum SamplingDefaults {
        GREEDY,
        MODEL
    }

    /** Whether a begin token is put in front. */
    public enum BeginToken {
        AUTO,
        NEVER
    }

    /** What becomes of an embedding's length. */
    public enum Normalize {
        NONE,
        L2
    }

    /** Where the engine computes. */
    public enum Device {
        AUTO,
        CPU,
        CUDA
    }

    // Model

    /** Where the model is. */
    public static final Setting<String> MODEL = Setting.text(
            "model",
            "a local directory, a Hadoop URI (hdfs:, s3a:, file:), or embedded:<name>",
            "embedded:sample-target",
            RESULT,
            ALL,
            "The Hugging Face model directory: config.json, *.safetensors, tokenizer.json, or for images"
                    + " preprocessor_config.json instead of that; pixels, for images, is no model but their patches. A URI is copied once per"
                    + " executor into cache-directory; embedded:<name> is a model that the jar carries.");

    /** Where the engine computes. */
    public static final Setting<Device> DEVICE = Setting.choice(
            "device",
            Device.AUTO,
            RESULT,
            ALL,
            "Where the engine computes: auto takes a GPU where there is one. The kernels that computed are part"
                    + " of every row's receipt; a device that was asked for and is not there is an error.");

    /** What becomes of the model's weights. */
    public static final Setting<Quantization> QUANTIZATION = Setting.choice(
            "quantization",
            Quantization.NONE,
            RESULT,
            TEXTS,
            "What becomes of the model's weights: none leaves them as they are; fp8 makes those of all layers' projections"
                    + " e4m3 numbers with a scale for each output, when they are loaded. Embedding, output head, norms and"
                    + " biases stay, and so does a draft model. On a GPU such weights take half the memory; a CPU computes"
                    + " the same, with more memory. It is the data-type of every row's receipt.");

    /** Ends the description of a limit that the engine can choose. */
    private static final String SUITS = " 0 for what suits the device.";

    // Input

    /** Malformed texts. */
    public static final Setting<OnInvalidUtf8> ON_INVALID_UTF8 = Setting.choice(
            "on-invalid-utf8",
            OnInvalidUtf8.ERROR,
            RESULT,
            TEXTS,
            "What a text with bytes that are not UTF-8 gets: the row's status becomes error with code INVALID_UTF8, or"
                    + " each malformed sequence is replaced by U+FFFD.");

    /** Long texts. */
    public static final Setting<OnTooLong> ON_TOO_LONG = Setting.choice(
            "on-too-long",
            OnTooLong.ERROR,
            RESULT,
            EnumSet.of(GENERATE, CHOOSE, EMBED),
            "What a text gets that does not fit into the context: an error with code INPUT_TOO_LONG, or it is cut and"
                    + " the row's status becomes truncated. A prompt and a context to choose by keep their end, a text"
                    + " to embed keeps its beginning. A text to score is never cut, see window.");

    /** The begin token of prompts. */
    public static final Setting<BeginToken> BEGIN_TOKEN = Setting.choice(
            "begin-token",
            BeginToken.AUTO,
            RESULT,
            EnumSet.of(GENERATE, EMBED),
            "Whether a plain prompt and a text to embed begin with the model's begin token: auto puts it there if the"
                    + " model has one, never leaves it out. A chat template says so itself; a text to score always has"
                    + " one token in front.");

    /** How a prompt becomes tokens. */
    public static final Setting<PromptStyle> PROMPT_STYLE = Setting.choice(
            "prompt-style",
            PromptStyle.PLAIN,
            RESULT,
            PROMPTED,
            "Whether the prompt is continued as it stands, or is the user's turn of a conversation that the model's"
                    + " chat template renders.");

    /** The system turn of a conversation. */
    public static final Setting<String> SYSTEM_PROMPT = Setting.text(
            "system-prompt",
            "any text; empty for none",
            "",
            RESULT,
            PROMPTED,
            "What the system says before the prompt; only with prompt-style=chat.");

    // Generation

    /** The most tokens to generate. */
    public static final Setting<Integer> MAX_TOKENS =
            Setting.whole("max-tokens", 128, 1, 1 << 20, RESULT, PROMPTED, "The most tokens to generate for a row.");

    /** Where sampling settings come from that nobody has set. */
    public static final Setting<SamplingDefaults> SAMPLING_DEFAULTS = Setting.choice(
            "sampling-defaults",
            SamplingDefaults.GREEDY,
            RESULT,
            PROMPTED,
            "What temperature, top-k, top-p, min-p and repetition-penalty are where nobody has set them: the defaults"
                    + " of this table, or those of the model's generation_config.json.");

    /** Randomness. */
    public static final Setting<Double> TEMPERATURE = Setting.decimal(
            "temperature", 0, 0, 100, PROMPTED, "Divides the logits before sampling; 0 takes the most likely token.");

    /** Filter by rank. */
    public static final Setting<Integer> TOP_K = Setting.whole(
            "top-k", 0, 0, Integer.MAX_VALUE, RESULT, PROMPTED, "Sample from the k most likely tokens; 0 for all.");

    /** Filter by probability. */
    public static final Setting<Double> TOP_P = Setting.positive(
            "top-p", 1, 1, PROMPTED, "Sample from the most likely tokens whose probability reaches p; 1 for all.");

    /** Filter by relative probability. */
    public static final Setting<Double> MIN_P = Setting.decimal(
            "min-p", 0, 0, 1, PROMPTED, "Sample from tokens at least p times as likely as the most likely; 0 for all.");

    /** Penalty on tokens seen. */
    public static final Setting<Double> REPETITION_PENALTY = Setting.positive(
            "repetition-penalty",
            1,
            1_000_000,
            PROMPTED,
            "Divides positive and multiplies negative logits of tokens seen in the prompt or the output; 1 for none.");

    /** Where to stop. */
    public static final Setting<List<String>> STOP =
            Setting.texts("stop", PROMPTED, "Texts that end a generation; the output ends before the first of them.");

    /** End tokens as ordinary tokens. */
    public static final Setting<Boolean> IGNORE_END = Setting.flag(
            "ignore-end", false, RESULT, PROMPTED, "Whether generation goes on after an end token, for benchmarks.");

    /** The key of all randomness. */
    public static final Setting<Long> SEED = Setting.seed(
            "seed", PROMPTED, "Random numbers are a function of it, of the row's content and of the position.");

    /** When a proposed token is taken. */
    public static final Setting<Speculation.Rule> SPECULATION_RULE = Setting.choice(
            "speculation-rule",
            Speculation.Rule.COUPLED,
            RESULT,
            PROMPTED,
            "When a token that was guessed ahead is taken (see strategy): coupled, if it is the one that would be chosen"
                    + " anyhow, so that results are the same bits with any strategy and without; or rejection, as speculative"
                    + " sampling is published: other results of the same law. Then draft model, drafter,"
                    + " speculation-tokens, fan-out and fan-out-spread are part of the receipt.");

    /** The factor of Saguaro sampling. */
    public static final Setting<Double> SPECULATION_RESIDUAL = Setting.decimal(
            "speculation-residual",
            1,
            0,
            1,
            PROMPTED,
            "With speculation-rule=rejection, what the draft model's weights of guessed tokens are multiplied with: less"
                    + " than 1 makes more guesses right and fewer tokens accepted.");

    // Scoring

    /** Tokens in a scoring window. */
    public static final Setting<Integer> WINDOW = Setting.whole(
            "window",
            0,
            0,
            Integer.MAX_VALUE,
            RESULT,
            SCORED,
            "Tokens in a window of a text that is longer than it, at least 2; 0 for the model's context.");

    /** From one scoring window to the next. */
    public static final Setting<Integer> STRIDE = Setting.whole(
            "stride",
            0,
            0,
            Integer.MAX_VALUE,
            RESULT,
            SCORED,
            "Tokens from the beginning of one window to that of the next, less than window; 0 for half the window.");

    /** Per-token log-probabilities. */
    public static final Setting<Boolean> TOKEN_LOG_PROBABILITIES = Setting.flag(
            "token-log-probabilities",
            false,
            RESULT,
            SCORED,
            "Whether the result has a column token_log_probabilities, one value for each token.");

    // Embedding

    /** Which hidden states count. */
    public static final Setting<Pooling> POOLING = Setting.choice(
            "pooling",
            Pooling.MEAN,
            RESULT,
            EnumSet.of(EMBED),
            "Whether an embedding is the mean of all tokens' last hidden states, or the last token's.");

    /** Length of embeddings. */
    public static final Setting<Normalize> NORMALIZE = Setting.choice(
            "normalize",
            Normalize.NONE,
            RESULT,
            EnumSet.of(EMBED),
            "Whether an embedding is left as it is, or divided by its Euclidean length.");

    // Images

    /** What a patch's latent is. */
    public static final Setting<VisionModel.Latents> LATENTS = Setting.choice(
            "latents",
            VisionModel.Latents.NORMALIZED,
            RESULT,
            IMAGES,
            "What an image's latents are: normalized, the final norm without its gain and bias, mean 0 and variance 1 within"
                    + " each latent, as representation autoencoders take them; or hidden, the model's last hidden states.");

    /** Pixels of an image. */
    public static final Setting<Integer> MAX_PIXELS = Setting.whole(
            "max-pixels",
            (int) ImageLimits.STANDARD.maxPixels(),
            1,
            500_000_000,
            RESULT,
            IMAGES,
            "The most pixels an image may claim; one with more is not decoded, and its row gets the code IMAGE_TOO_LARGE.");

    /** Images of a step. */
    public static final Setting<Integer> STEP_IMAGES = Setting.whole(
            "step-images", 0, 0, 4096, RESOURCE, IMAGES, "The most images of one step of a vision engine;" + SUITS);

    // Resources

    /** What the model's files must be. */
    public static final Setting<String> MODEL_FINGERPRINT = Setting.text(
            "model-fingerprint",
            "64 hexadecimal digits; empty for any",
            "",
            RESOURCE,
            ALL,
            "What the model's files must be, as receipts have it; a job fails with MODEL_CHANGED where an executor finds"
                    + " others.");

    /** CPU threads. */
    public static final Setting<Integer> THREADS = Setting.whole(
            "threads",
            0,
            0,
            1024,
            RESOURCE,
            ALL,
            "CPU threads that the kernels of an engine may use; 0 for all processors.");

    /** Sequences in flight. */
    public static final Setting<Integer> MAX_SEQUENCES = Setting.whole(
            "max-sequences", 0, 0, 65536, RESOURCE, TEXTS, "The most sequences in flight in an engine;" + SUITS);

    /** Rows of a step. */
    public static final Setting<Integer> STEP_TOKENS = Setting.whole(
            "step-tokens",
            0,
            0,
            1 << 20,
            RESOURCE,
            TEXTS,
            "The most tokens of one forward step; a longer prefill is cut into chunks;" + SUITS);

    /** Page size. */
    public static final Setting<Integer> PAGE_TOKENS = Setting.whole(
            "page-tokens", 0, 0, 1024, RESOURCE, TEXTS, "Positions in a page of the key-value cache;" + SUITS);

    /** Cache size. */
    public static final Setting<Long> KV_MEMORY =
            Setting.bytes("kv-memory", "0", 0, 1L << 50, TEXTS, "Memory for the key-value cache of an engine;" + SUITS);

    /** Tokens waiting. */
    public static final Setting<Integer> MAX_QUEUED_TOKENS = Setting.whole(
            "max-queued-tokens",
            1 << 20,
            1,
            Integer.MAX_VALUE,
            RESOURCE,
            TEXTS,
            "Tokens that may wait for admission to an engine before tasks wait too.");

    /** Whether tokens are guessed ahead. */
    public static final Setting<Speculation.Strategy> STRATEGY = Setting.choice(
            "strategy",
            Speculation.Strategy.AUTOREGRESSIVE,
            RESOURCE,
            TEXTS,
            "How tokens are generated: autoregressive, one a step; speculative, a few are guessed and verified in one"
                    + " step; ssd, while they are verified the next ones are guessed for the likely outcomes.");

    /** Who guesses. */
    public static final Setting<Speculation.Drafting> DRAFTER = Setting.choice(
            "drafter",
            Speculation.Drafting.MODEL,
            RESOURCE,
            TEXTS,
            "Who guesses tokens: the draft-model; a lookup of what followed the last tokens earlier in prompt and output,"
                    + " which needs no model; or both, for each row the one that was right more often.");

    /** Where the draft model is. */
    public static final Setting<String> DRAFT_MODEL = Setting.text(
            "draft-model",
            "as model; empty for none",
            "",
            RESOURCE,
            TEXTS,
            "A smaller model with the same tokenizer, which guesses tokens ahead: embedded:sample-draft for"
                    + " embedded:sample-target. Its memory comes on top; its share of kv-memory grows with its layers.");

    /** Where the draft model runs. */
    public static final Setting<String> DRAFT_DEVICE = Setting.text(
            "draft-device",
            "cpu, cuda, or cuda:1 for the second GPU of a process; empty for the model's own",
            "",
            RESOURCE,
            TEXTS,
            "Where the draft model runs, if not where the model does: on a GPU of its own it takes nothing from the model.");

    /** Multiprocessors of the draft model. */
    public static final Setting<Integer> DRAFT_MULTIPROCESSORS = Setting.whole(
            "draft-multiprocessors",
            0,
            0,
            1024,
            RESOURCE,
            TEXTS,
            "With strategy=ssd on one GPU, how many of its multiprocessors are set apart for the draft model, rounded up to"
                    + " a multiple of 8; 0 where both models use all of them.");

    /** Tokens of a round. */
    public static final Setting<Integer> SPECULATION_TOKENS = Setting.whole(
            "speculation-tokens", 5, 1, 64, RESOURCE, TEXTS, "The most tokens guessed ahead of a row in a step.");

    /** Guesses of an outcome. */
    public static final Setting<Integer> FAN_OUT = Setting.whole(
            "fan-out",
            3,
            0,
            64,
            RESOURCE,
            TEXTS,
            "With strategy=ssd, for how many outcomes of a step the next tokens are guessed: on average for each number"
                    + " of tokens that can be accepted.");

    /** How guesses are shared out. */
    public static final Setting<Speculation.Spread> FAN_OUT_SPREAD = Setting.choice(
            "fan-out-spread",
            Speculation.Spread.GEOMETRIC,
            RESOURCE,
            TEXTS,
            "Whether the numbers of accepted tokens get guesses by how likely they are, as measured, or all the same.");

    /** What follows a wrong guess. */
    public static final Setting<Speculation.Fallback> SPECULATION_FALLBACK = Setting.choice(
            "speculation-fallback",
            Speculation.Fallback.MEASURED,
            RESOURCE,
            TEXTS,
            "With strategy=ssd, what a row gets whose outcome was not guessed: tokens of the draft model, for which all"
                    + " wait; those of a lookup; or whichever gives more tokens in a second, as measured.");

    /** Whether guessing has to pay. */
    public static final Setting<Speculation.Pace> SPECULATION_PACE = Setting.choice(
            "speculation-pace",
            Speculation.Pace.MEASURED,
            RESOURCE,
            TEXTS,
            "Whether tokens are guessed only while that gives more tokens in a second, as measured for each number of"
                    + " rows in flight, or always. With speculation-rule=rejection it is always.");

    /** Where rounds are written down. */
    public static final Setting<String> SPECULATION_ROUNDS = Setting.text(
            "speculation-rounds",
            "a directory that executors can write to; empty for nowhere",
            "",
            RESOURCE,
            TEXTS,
            "Where what came of guessing ahead is written down step by step, as Parquet: the last 16384 steps of an engine"
                    + " each time that a task asks.");

    /** Rows of a batch. */
    public static final Setting<Integer> BATCH_ROWS =
            Setting.whole("batch-rows", 64, 1, 1 << 16, RESOURCE, ALL, "The most rows of an Arrow batch.");

    /** Bytes of a batch. */
    public static final Setting<Long> BATCH_BYTES = Setting.bytes(
            "batch-bytes", "4m", 1, 1L << 30, ALL, "An Arrow batch ends with the row that reaches this size.");

    /** Rows ahead. */
    public static final Setting<Integer> AHEAD_ROWS = Setting.whole(
            "ahead-rows",
            1024,
            1,
            1 << 20,
            RESOURCE,
            ALL,
            "Rows that a task may have read and not yet given out. More keep the engine fuller; a LIMIT that stops"
                    + " early wastes up to as many.");

    /** Bytes ahead. */
    public static final Setting<Long> AHEAD_BYTES = Setting.bytes(
            "ahead-bytes",
            "64m",
            1,
            1L << 40,
            ALL,
            "Memory of the rows that a task may have read and not yet given out; one batch is always allowed.");

    /** Local copies of models. */
    public static final Setting<String> CACHE_DIRECTORY = Setting.text(
            "cache-directory",
            "a local directory; empty for paloverde-<user> in java.io.tmpdir",
            "",
            RESOURCE,
            ALL,
            "Where executors keep copies of models that lie elsewhere.");

    private static final List<Setting<?>> REGISTRY = List.of(
            MODEL,
            DEVICE,
            QUANTIZATION,
            ON_INVALID_UTF8,
            ON_TOO_LONG,
            BEGIN_TOKEN,
            PROMPT_STYLE,
            SYSTEM_PROMPT,
            MAX_TOKENS,
            SAMPLING_DEFAULTS,
            TEMPERATURE,
            TOP_K,
            TOP_P,
            MIN_P,
            REPETITION_PENALTY,
            STOP,
            IGNORE_END,
            SEED,
            SPECULATION_RULE,
            SPECULATION_RESIDUAL,
            WINDOW,
            STRIDE,
            TOKEN_LOG_PROBABILITIES,
            POOLING,
            NORMALIZE,
            LATENTS,
            MAX_PIXELS,
            STEP_IMAGES,
            MODEL_FINGERPRINT,
            THREADS,
            MAX_SEQUENCES,
            STEP_TOKENS,
            PAGE_TOKENS,
            KV_MEMORY,
            MAX_QUEUED_TOKENS,
            STRATEGY,
            DRAFTER,
            DRAFT_MODEL,
            DRAFT_DEVICE,
            DRAFT_MULTIPROCESSORS,
            SPECULATION_TOKENS,
            FAN_OUT,
            FAN_OUT_SPREAD,
            SPECULATION_FALLBACK,
            SPECULATION_PACE,
            SPECULATION_ROUNDS,
            BATCH_ROWS,
            BATCH_BYTES,
            AHEAD_ROWS,
            AHEAD_BYTES,
            CACHE_DIRECTORY);

    /** What a receipt has besides the parameters. */
    private static final Set<Setting<?>> BY_THEMSELVES = Set.of(MODEL, DEVICE, QUANTIZATION, SEED);

    private final TreeMap<String, String> written;

    private Settings(TreeMap<String, String> written) {
        this.written = written;
    }

    /** {@return all settings, in the order of the reference} */
    public static List<Setting<?>> all() {
        return REGISTRY;
    }

    /** {@return the settings that have a meaning for an operation, in the order of the reference} */
    public static List<Setting<?>> of(Operation operation) {
        return REGISTRY.stream()
                .filter(setting -> setting.operations().contains(operation))
                .toList();
    }

    /**
     * Puts together what a call and its session say.
     *
     * @param operation what it is for; an option of the call that has no meaning for it is refused
     * @param call options of the call, by key
     * @param session Spark's configuration; keys that do not begin with {@code spark.paloverde.} are not looked at
     * @throws PaloverdeException {@code INVALID_OPTION} on an unknown key or a value out of range
     */
    public static Settings resolve(Operation operation, Map<String, String> call, Map<String, String> session) {
        TreeMap<String, String> written = new TreeMap<>();
        ofSession(session).forEach((key, value) -> {
            if (named(key, REGISTRY, Setting.PREFIX).operations().contains(operation)) {
                written.put(key, value);
            }
        });
        call.forEach((key, value) -> {
            Setting<?> setting = named(key, REGISTRY, "");
            if (!setting.operations().contains(operation)) {
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "%s has no option %s; it is one of %s. %s takes %s"
                                .formatted(
                                        operation.sqlName(),
                                        key,
                                        setting.operations().stream()
                                                .map(Operation::sqlName)
                                                .collect(Collectors.joining(", ")),
                                        operation.sqlName(),
                                        keys(of(operation))));
            }
            setting.parse(value);
            written.put(key, value);
        });
        Settings settings = new Settings(written);
        settings.check();
        return settings;
    }

    /**
     * {@return the settings of a session by key, all of them read once to see that they can be} What is only for jobs
     * or for other parts has a dot in its key, and is not looked at.
     *
     * @throws PaloverdeException {@code INVALID_OPTION} on an unknown key or a value out of range
     */
    public static SortedMap<String, String> ofSession(Map<String, String> session) {
        TreeMap<String, String> found = new TreeMap<>();
        session.forEach((sparkKey, value) -> {
            if (!sparkKey.startsWith(Setting.PREFIX)) {
                return;
            }
            String key = sparkKey.substring(Setting.PREFIX.length());
            if (key.indexOf('.') < 0) {
                Setting<?> setting = named(key, REGISTRY, Setting.PREFIX);
                try {
                    setting.parse(value);
                } catch (PaloverdeException e) {
                    throw new PaloverdeException(e.code(), Setting.PREFIX + e.getMessage());
                }
                found.put(key, value);
            }
        });
        return found;
    }

    /**
     * {@return the setting of a key}
     *
     * @throws PaloverdeException {@code INVALID_OPTION}, naming the nearest key, if there is none
     */
    public static Setting<?> named(String key) {
        return named(key, REGISTRY, "");
    }

    private static Setting<?> named(String key, Collection<Setting<?>> among, String prefix) {
        return among.stream()
                .filter(setting -> setting.key().equals(key))
                .findFirst()
                .orElseThrow(() -> new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "there is no option %s%s; the nearest is %s%s. There are %s"
                                .formatted(prefix, key, prefix, nearest(key, among), keys(among))));
    }

    private static String keys(Collection<Setting<?>> settings) {
        return settings.stream().map(Setting::key).collect(Collectors.joining(", "));
    }

    private static String nearest(String key, Collection<Setting<?>> among) {
        return among.stream()
                .map(Setting::key)
                .min(Comparator.comparingInt(
                        candidate -> LevenshteinDistance.getDefaultInstance().apply(key, candidate)))
                .orElseThrow();
    }

    private void check() {
        int window = value(WINDOW);
        if (window == 1) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "window is 1; a window has a token of context and one to score: 2 or more, or 0 for the context");
        }
        if (window > 0 && value(STRIDE) >= window) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "stride is %d and window is %d; stride must be less than window, or tokens between windows would"
                                    .formatted(value(STRIDE), window)
                            + " have no context");
        }
        if (value(STRATEGY) != Speculation.Strategy.AUTOREGRESSIVE) {
            checkDrafter();
        }
        if (!value(SYSTEM_PROMPT).isEmpty() && isSet(PROMPT_STYLE) && value(PROMPT_STYLE) != PromptStyle.CHAT) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "system-prompt is set and prompt-style is plain; set prompt-style=chat, or put the text into the"
                            + " prompt");
        }
    }

    private void checkDrafter() {
        String draftDevice = value(DRAFT_DEVICE);
        if (!draftDevice.isEmpty() && !draftDevice.matches("cpu|cuda(:\\d{1,3})?")) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "draft-device is \"%s\"; use cpu, cuda, or cuda:1 for the second GPU of the process"
                            .formatted(draftDevice));
        }
        if (value(DRAFT_MULTIPROCESSORS) > 0
                && (!draftDevice.isEmpty() || value(STRATEGY) != Speculation.Strategy.SSD)) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "draft-multiprocessors is %d, which is for strategy=ssd with both models on one GPU; set it to 0, or"
                                    .formatted(value(DRAFT_MULTIPROCESSORS))
                            + " strategy=ssd without draft-device");
        }
        boolean lookup = value(DRAFTER) == Speculation.Drafting.LOOKUP;
        if (lookup && value(STRATEGY) == Speculation.Strategy.SSD) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "strategy is ssd and drafter lookup, which takes no time, so that there is nothing to do ahead; set"
                            + " strategy=speculative, or drafter=model");
        }
        if (!lookup && value(DRAFT_MODEL).isEmpty()) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "strategy is %s and there is no draft-model; name one with the model's tokenizer, or set"
                                    .formatted(value(STRATEGY).name().toLowerCase(Locale.ROOT))
                            + " strategy=speculative and drafter=lookup");
        }
    }

    /** {@return how tokens are guessed ahead} */
    public Speculation speculation() {
        return new Speculation(
                value(STRATEGY),
                value(DRAFTER),
                value(SPECULATION_TOKENS),
                value(FAN_OUT),
                value(FAN_OUT_SPREAD),
                value(SPECULATION_FALLBACK),
                value(SPECULATION_PACE),
                value(SPECULATION_RULE),
                value(SPECULATION_RESIDUAL));
    }

    /** {@return the value of a setting, its default if nobody has set it} */
    public <T> T value(Setting<T> setting) {
        return setting.parse(written.getOrDefault(setting.key(), setting.standard()));
    }

    /** {@return whether the call or the session has set it} */
    public boolean isSet(Setting<?> setting) {
        return written.containsKey(setting.key());
    }

    /** {@return what was set, by key, as it was written} */
    public SortedMap<String, String> written() {
        return Collections.unmodifiableSortedMap(written);
    }

    /**
     * {@return the parameters of a receipt: for every setting that can change a result of the operation its value,
     * defaults included; texts, numbers, truth values and lists} Model, device, quantization and seed are left out: a
     * receipt has the model's fingerprint, the kernels' version, the weights' type and the seed by themselves.
     */
    public SortedMap<String, Object> parameters(Operation operation) {
        TreeMap<String, Object> parameters = new TreeMap<>();
        for (Setting<?> setting : of(operation)) {
            if (setting.scope() == RESULT && !BY_THEMSELVES.contains(setting)) {
                Object value = value(setting);
                parameters.put(setting.key(), value instanceof Enum<?> ? value.toString() : value);
            }
        }
        if (speculation().changesResults()) {
            for (Setting<?> setting : List.of(DRAFTER, SPECULATION_TOKENS, FAN_OUT, FAN_OUT_SPREAD)) {
                parameters.put(setting.key(), String.valueOf(value(setting)));
            }
        }
        return parameters;
    }

    /** {@return these settings with one of them set} */
    public Settings with(Setting<?> setting, String value) {
        setting.parse(value);
        TreeMap<String, String> changed = new TreeMap<>(written);
        changed.put(setting.key(), value);
        Settings settings = new Settings(changed);
        settings.check();
        return settings;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Settings settings && settings.written.equals(written);
    }

    @Override
    public int hashCode() {
        return written.hashCode();
    }

    @Override
    public String toString() {
        return new ArrayList<>(written.entrySet()).toString();
    }
}
