package dev.paloverde.gpu.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Activation;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The shape of a vision transformer: what {@code config.json} says, with the defaults of transformers' config classes filled
 * in.
 *
 * @param family whose conventions the file follows
 * @param hidden width of the residual stream
 * @param intermediate width of the feed-forward layer
 * @param layers number of blocks
 * @param heads attention heads of a block; divides {@code hidden}
 * @param patch side of a patch in pixels
 * @param positionSide rows, and columns, of patches that there are position embeddings for
 * @param classTokens tokens before all others that have a position embedding of their own: 0 or 1
 * @param registers tokens behind that without one
 * @param activation of the feed-forward layer
 * @param normEpsilon added to the variance in every norm
 * @param queryKeyValueBias whether the projections to queries, keys and values have biases
 */
public record VisionConfiguration(
        VisionFamily family,
        int hidden,
        int intermediate,
        int layers,
        int heads,
        int patch,
        int positionSide,
        int classTokens,
        int registers,
        Activation activation,
        float normEpsilon,
        boolean queryKeyValueBias) {
    /** Red, green and blue. */
    static final int CHANNELS = 3;

    private static final int MOST_LAYERS = 4_096;
    private static final int WIDEST = 1 << 20;
    private static final int LARGEST = 1 << 14;

    /** {@return the family that a {@code config.json} is of; empty if it is not one of a vision transformer} */
    static Optional<VisionFamily> family(JsonNode tree) {
        String type = tree.path("model_type").asText("");
        return VisionFamily.ofModelType(type).or(() -> VisionFamily.ofPair(type));
    }

    /**
     * @param tree content of config.json
     * @param file for messages
     * @throws PaloverdeException UNSUPPORTED_MODEL if it is not a model that runs here, MODEL_CORRUPT if it contradicts
     *     itself
     */
    static VisionConfiguration of(JsonNode tree, Path file) {
        VisionFamily family = family(tree)
                .orElseThrow(() -> new PaloverdeException(
                        ErrorCode.UNSUPPORTED_MODEL,
                        "%s: model_type is %s; the vision models that run here are %s"
                                .formatted(file, tree.path("model_type"), VisionFamily.supported())));
        Fields whole = new Fields(tree, file);
        boolean pair = VisionFamily.ofPair(whole.text("model_type", "")).isPresent();
        Fields fields = pair ? whole.fields("vision_config") : whole;
        boolean dino = family.isDino();

        int hidden = fields.integer("hidden_size", 768, 1, WIDEST);
        int layers = fields.integer("num_hidden_layers", 12, 1, MOST_LAYERS);
        int heads = fields.integer("num_attention_heads", 12, 1, WIDEST);
        int patch = fields.integer("patch_size", dino ? 14 : 16, 1, LARGEST);
        int imageSize = fields.integer("image_size", 224, 1, LARGEST);
        if (hidden % heads != 0) {
            throw new PaloverdeException(
                    ErrorCode.MODEL_CORRUPT,
                    "%s: hidden_size, %d, is not a multiple of num_attention_heads, %d".formatted(file, hidden, heads));
        }
        if (fields.integer("num_channels", CHANNELS, 1, LARGEST) != CHANNELS) {
            throw unsupported(file, "num_channels", fields.node("num_channels"), "3, red, green and blue");
        }
        if (fields.flag("use_swiglu_ffn", false)) {
            throw unsupported(file, "use_swiglu_ffn", fields.node("use_swiglu_ffn"), "false");
        }
        int side = imageSize / patch;
        if (family == VisionFamily.SIGLIP2) {
            int patches = fields.integer("num_patches", 256, 1, LARGEST * LARGEST);
            side = (int) Math.round(Math.sqrt(patches));
            if (side * side != patches) {
                throw unsupported(file, "num_patches", fields.node("num_patches"), "a square");
            }
        }
        if (side < 1) {
            throw new PaloverdeException(
                    ErrorCode.MODEL_CORRUPT,
                    "%s: image_size, %d, is less than patch_size, %d".formatted(file, imageSize, patch));
        }
        return new VisionConfiguration(
                family,
                hidden,
                dino
                        ? (int) (hidden * fields.number("mlp_ratio", 4, 0.01, 1_000))
                        : fields.integer("intermediate_size", 3_072, 1, WIDEST),
                layers,
                heads,
                patch,
                side,
                dino ? 1 : 0,
                family == VisionFamily.DINOV2_WITH_REGISTERS ? fields.integer("num_register_tokens", 4, 0, LARGEST) : 0,
                activation(fields, dino ? "gelu" : "gelu_pytorch_tanh", file),
                (float) fields.number("layer_norm_eps", 1e-6, 0, 1),
                !dino || fields.flag("qkv_bias", true));
    }

    private static Activation activation(Fields fields, String otherwise, Path file) {
        return switch (fields.text("hidden_act", otherwise)) {
            case "gelu" -> Activation.GELU;
            case "gelu_pytorch_tanh", "gelu_new" -> Activation.GELU_TANH;
            default -> throw unsupported(file, "hidden_act", fields.node("hidden_act"), "gelu or gelu_pytorch_tanh");
        };
    }

    private static PaloverdeException unsupported(Path file, String key, JsonNode value, String supported) {
        return new PaloverdeException(
                ErrorCode.UNSUPPORTED_MODEL,
                "%s: %s is %s; what runs here is %s".formatted(file, key, value, supported));
    }

    /** {@return tokens that are not patches} */
    int prefix() {
        return classTokens + registers;
    }

    /** {@return numbers of a patch} */
    int patchNumbers() {
        return CHANNELS * patch * patch;
    }

    int headWidth() {
        return hidden / heads;
    }
}
