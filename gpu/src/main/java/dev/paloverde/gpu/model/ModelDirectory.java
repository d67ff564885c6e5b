package dev.paloverde.gpu.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.kernels.Quantization;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A model as Hugging Face's {@code save_pretrained} writes it. Nothing in it is executed; everything in it is checked.
 * Parts are read when they are first asked for, and once. Safe for any number of threads.
 */
public final class ModelDirectory implements AutoCloseable {
    private static final String CONFIGURATION = "config.json";
    private static final String GENERATION = "generation_config.json";
    private static final String TOKENIZER = "tokenizer.json";

    private static final Logger LOG = LoggerFactory.getLogger(ModelDirectory.class);

    private final Path path;
    private final JsonNode tree;
    private final ModelConfiguration configuration;
    private final GenerationDefaults generationDefaults;
    private final WeightFiles weights;
    private Tokenizer tokenizer;
    private Optional<ChatTemplate> chatTemplate;
    private String fingerprint;

    private ModelDirectory(Path path) {
        this.path = path;
        Path file = path.resolve(CONFIGURATION);
        tree = ModelJson.read(file);
        configuration = ModelConfiguration.of(tree, file);
        Path generation = path.resolve(GENERATION);
        generationDefaults = GenerationDefaults.of(
                ModelJson.readIfPresent(generation).orElse(JsonNodeFactory.instance.objectNode()),
                tree,
                configuration.family(),
                configuration.vocabulary(),
                generation);
        weights = WeightFiles.of(path);
    }

    /**
     * Opens a model directory and reads its configuration.
     *
     * @param path a local directory
     * @throws PaloverdeException MODEL_NOT_FOUND, MODEL_CORRUPT or UNSUPPORTED_MODEL
     */
    public static ModelDirectory open(Path path) {
        if (!Files.isDirectory(path)) {
            throw new PaloverdeException(
                    ErrorCode.MODEL_NOT_FOUND,
                    ("there is no model directory at %s; give a local directory with config.json, tokenizer.json and"
                                    + " model.safetensors in it")
                            .formatted(path.toAbsolutePath()));
        }
        return new ModelDirectory(path);
    }

    /** {@return where the model lies} */
    public Path path() {
        return path;
    }

    /** {@return the shape of the model} */
    public ModelConfiguration configuration() {
        return configuration;
    }

    /** {@return the tokens that begin and end texts, and how the authors would sample} */
    public GenerationDefaults generationDefaults() {
        return generationDefaults;
    }

    /**
     * {@return the tokenizer; owned by this directory}
     *
     * @throws PaloverdeException MODEL_NOT_FOUND or MODEL_CORRUPT; TOKENIZER_MISMATCH if it has ids that the model's
     *     embedding does not have
     */
    public synchronized Tokenizer tokenizer() {
        if (tokenizer == null) {
            Path file = path.resolve(TOKENIZER);
            Tokenizer opened = HuggingFaceTokenizer.open(file, SpecialTokens.names(path));
            if (opened.vocabulary() > configuration.vocabulary()) {
                int ids = opened.vocabulary();
                opened.close();
                throw new PaloverdeException(
                        ErrorCode.TOKENIZER_MISMATCH,
                        ("%s has token ids up to %,d, and the model's embedding has %,d rows (vocab_size in %s); use the"
                                        + " tokenizer that came with the model")
                                .formatted(file, ids - 1, configuration.vocabulary(), CONFIGURATION));
            }
            tokenizer = opened;
        }
        return tokenizer;
    }

    /**
     * {@return how conversations are written for this model, if it says}
     *
     * @throws PaloverdeException MODEL_CORRUPT if what it says is not a template
     */
    public synchronized Optional<ChatTemplate> chatTemplate() {
        if (chatTemplate == null) {
            chatTemplate = ChatTemplate.read(path);
        }
        return chatTemplate;
    }

    /**
     * {@return 64 hexadecimal digits that stand for everything that results depend on: names and contents of
     * configuration, tokenizer, chat template and weights, wherever the directory lies and however old it is} Reads
     * all of them, once.
     */
    public synchronized String fingerprint() {
        if (fingerprint == null) {
            List<Path> files = new ArrayList<>(weights.files());
            weights.index().ifPresent(files::add);
            Stream.of(CONFIGURATION, GENERATION, TOKENIZER)
                    .map(path::resolve)
                    .filter(Files::isRegularFile)
                    .forEach(files::add);
            Stream.concat(SpecialTokens.files(path), ChatTemplate.files(path))
                    .distinct()
                    .filter(Files::isRegularFile)
                    .forEach(files::add);
            fingerprint = Fingerprint.of(files);
        }
        return fingerprint;
    }

    /**
     * {@return 64 hexadecimal digits that stand for everything that token ids depend on: names and contents of
     * configuration and tokenizer, without the weights}
     */
    public String tokenizerFingerprint() {
        return Fingerprint.of(Stream.concat(
                        Stream.of(CONFIGURATION, GENERATION, TOKENIZER).map(path::resolve), SpecialTokens.files(path))
                .filter(Files::isRegularFile)
                .toList());
    }

    /** {@return the size of the weight files, in bytes} */
    public long weightBytes() {
        return weights.files().stream()
                .mapToLong(file -> file.toFile().length())
                .sum();
    }

    /**
     * {@return the memory that the weights take on a device, in bytes}
     *
     * @param kernels the device's operations
     * @param quantization as in {@link #load(Kernels, Quantization)}
     * @throws PaloverdeException MODEL_CORRUPT
     */
    public long weightBytes(Kernels kernels, Quantization quantization) {
        if (quantization == Quantization.NONE) {
            return weightBytes();
        }
        try (Checkpoint checkpoint = Checkpoint.open(weights)) {
            return weightBytes()
                    - checkpoint.projectionBytes()
                    + kernels.quantizedBytes(configuration.projectionWeights());
        }
    }

    /** As {@link #load(Kernels, Quantization)}, without quantization. */
    public LanguageModel load(Kernels kernels) {
        return load(kernels, Quantization.NONE);
    }

    /**
     * Loads the weights onto a device.
     *
     * @param kernels the device's operations; must outlive the model
     * @param quantization what becomes of the projections of all layers; embedding, output projection, norms and biases
     *     stay as they are
     * @return owned by the caller; independent of this directory from then on
     * @throws PaloverdeException MODEL_CORRUPT, TENSOR_MISSING, UNSUPPORTED_MODEL or OUT_OF_MEMORY
     */
    public LanguageModel load(Kernels kernels, Quantization quantization) {
        long begin = System.nanoTime();
        try (Checkpoint checkpoint = Checkpoint.open(weights)) {
            LanguageModel model = Transformer.load(kernels, configuration, checkpoint, quantization);
            double seconds = (System.nanoTime() - begin) / 1e9;
            double gigabytes = weightBytes() / 1e9;
            LOG.info(
                    "{}: {} in {}",
                    path,
                    "%.2f GB of weights".formatted(gigabytes),
                    "%.2f s (%.1f GB/s)".formatted(seconds, gigabytes / seconds));
            return model;
        } catch (InternalError e) {
            // what the virtual machine throws when a file that is mapped has become shorter
            throw new PaloverdeException(
                    ErrorCode.MODEL_CORRUPT,
                    "the weights in %s changed while they were read (%s); keep model files as they are while jobs run"
                            .formatted(path, e.getMessage()),
                    e);
        }
    }

    @Override
    public synchronized void close() {
        if (tokenizer != null) {
            tokenizer.close();
        }
    }
}
