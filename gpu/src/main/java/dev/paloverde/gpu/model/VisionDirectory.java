package dev.paloverde.gpu.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Kernels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A vision model as Hugging Face's {@code save_pretrained} writes it: {@code config.json}, {@code preprocessor_config.json},
 * safetensors. Nothing in it is executed; everything in it is checked. Safe for any number of threads.
 */
public final class VisionDirectory {
    private static final String CONFIGURATION = "config.json";
    private static final String PREPROCESSOR = "preprocessor_config.json";
    private static final String PROCESSOR = "processor_config.json";

    private final Path path;
    private final VisionConfiguration configuration;
    private final ImageProcessor processor;
    private final WeightFiles weights;
    private String fingerprint;

    private VisionDirectory(Path path) {
        this.path = path;
        Path file = path.resolve(CONFIGURATION);
        configuration = VisionConfiguration.of(ModelJson.read(file), file);
        processor = readProcessor();
        weights = WeightFiles.of(path);
    }

    /** In a file of its own, or as a part of that of a processor for images and texts. */
    private ImageProcessor readProcessor() {
        Path own = path.resolve(PREPROCESSOR);
        Optional<JsonNode> tree = ModelJson.readIfPresent(own);
        if (tree.isPresent()) {
            return ImageProcessor.of(tree.get(), own, configuration);
        }
        Path whole = path.resolve(PROCESSOR);
        JsonNode part = ModelJson.readIfPresent(whole)
                .map(found -> found.path("image_processor"))
                .filter(JsonNode::isObject)
                .orElseThrow(() -> new PaloverdeException(
                        ErrorCode.MODEL_NOT_FOUND,
                        ("there is no %s in %s, which says how images are resized and normalised; save the model's image"
                                        + " processor beside it")
                                .formatted(PREPROCESSOR, path)));
        return ImageProcessor.of(part, whole, configuration);
    }

    /** {@return whether a directory holds a vision model, by its config.json} */
    public static boolean isVision(Path path) {
        return ModelJson.readIfPresent(path.resolve(CONFIGURATION))
                .flatMap(VisionConfiguration::family)
                .isPresent();
    }

    /**
     * Opens a model directory and reads its configuration.
     *
     * @param path a local directory
     * @throws PaloverdeException MODEL_NOT_FOUND, MODEL_CORRUPT or UNSUPPORTED_MODEL
     */
    public static VisionDirectory open(Path path) {
        if (!Files.isDirectory(path)) {
            throw new PaloverdeException(
                    ErrorCode.MODEL_NOT_FOUND,
                    ("there is no model directory at %s; give a local directory with config.json,"
                                    + " preprocessor_config.json and model.safetensors in it")
                            .formatted(path.toAbsolutePath()));
        }
        return new VisionDirectory(path);
    }

    /** {@return where the model lies} */
    public Path path() {
        return path;
    }

    /** {@return the shape of the model} */
    public VisionConfiguration configuration() {
        return configuration;
    }

    /** {@return what is done to a picture before the model} */
    ImageProcessor processor() {
        return processor;
    }

    /** {@return latents of an image} */
    public int tokens() {
        return processor.width() / configuration.patch() * (processor.height() / configuration.patch());
    }

    /** {@return the size of the weight files, in bytes} */
    public long weightBytes() {
        return weights.files().stream()
                .mapToLong(file -> file.toFile().length())
                .sum();
    }

    /**
     * {@return 64 hexadecimal digits that stand for everything that results depend on: names and contents of configuration,
     * processor and weights} Reads all of them, once.
     */
    public synchronized String fingerprint() {
        if (fingerprint == null) {
            List<Path> files = new ArrayList<>(weights.files());
            weights.index().ifPresent(files::add);
            for (String name : List.of(CONFIGURATION, PREPROCESSOR, PROCESSOR)) {
                if (Files.isRegularFile(path.resolve(name))) {
                    files.add(path.resolve(name));
                }
            }
            fingerprint = Fingerprint.of(files);
        }
        return fingerprint;
    }

    /**
     * Loads the weights onto a device.
     *
     * @param kernels the device's operations; must outlive the model
     * @param latents what {@link VisionModel#encode} gives
     * @return owned by the caller
     * @throws PaloverdeException MODEL_CORRUPT, TENSOR_MISSING, UNSUPPORTED_MODEL or OUT_OF_MEMORY
     */
    public VisionModel load(Kernels kernels, VisionModel.Latents latents) {
        try (Checkpoint checkpoint = Checkpoint.open(weights)) {
            return VisionTransformer.load(kernels, configuration, processor, latents, checkpoint);
        } catch (InternalError e) {
            // what the virtual machine throws when a file that is mapped has become shorter
            throw new PaloverdeException(
                    ErrorCode.MODEL_CORRUPT,
                    "the weights in %s changed while they were read (%s); keep model files as they are while jobs run"
                            .formatted(path, e.getMessage()),
                    e);
        }
    }
}
