package dev.paloverde.gpu.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Attention;
import dev.paloverde.gpu.kernels.Rotary;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The shape of a model: what {@code config.json} says, the defaults of transformers' config classes filled in, and the
 * ways in which families differ made explicit, so that nothing below this record asks for the family.
 *
 * @param family whose conventions the file follows
 * @param vocabulary rows of the embedding
 * @param hidden width of the residual stream
 * @param intermediate width of the feed-forward layer
 * @param layers number of blocks
 * @param queryHeads query heads of a block
 * @param keyValueHeads key-value heads of a block; divides {@code queryHeads}
 * @param headWidth dimension of a head, even
 * @param context most positions of a sequence
 * @param normEpsilon added to the mean square in every norm
 * @param tiedEmbeddings whether the output projection is the embedding
 * @param queryKeyValueBias whether the projections to queries, keys and values have biases
 * @param outputBias whether attention's output projection has a bias
 * @param feedForwardBias whether the three projections of the feed-forward layer have biases
 * @param queryKeyNorm whether queries and keys are normalised head by head before they are rotated
 * @param windows [layers] positions a query of that layer sees, its own included; {@link Attention#UNLIMITED} for all
 * @param theta base of the rotary frequencies
 * @param scaling how those are stretched
 */
public record ModelConfiguration(
        ModelFamily family,
        int vocabulary,
        int hidden,
        int intermediate,
        int layers,
        int queryHeads,
        int keyValueHeads,
        int headWidth,
        int context,
        float normEpsilon,
        boolean tiedEmbeddings,
        boolean queryKeyValueBias,
        boolean outputBias,
        boolean feedForwardBias,
        boolean queryKeyNorm,
        List<Integer> windows,
        double theta,
        RotaryScaling scaling) {

    private static final int MOST_LAYERS = 4_096;
    private static final int WIDEST = 1 << 20;

    public ModelConfiguration {
        windows = List.copyOf(windows);
    }

    /**
     * Reads a configuration by itself, for what can be known of a model without its weights.
     *
     * @param file a config.json
     * @throws PaloverdeException MODEL_NOT_FOUND, UNSUPPORTED_MODEL or MODEL_CORRUPT
     */
    public static ModelConfiguration read(Path file) {
        return of(ModelJson.read(file), file);
    }

    /**
     * @param tree content of config.json
     * @param file for messages
     * @throws PaloverdeException UNSUPPORTED_MODEL if it is not a model that runs here, MODEL_CORRUPT if it contradicts
     *     itself
     */
    static ModelConfiguration of(JsonNode tree, Path file) {
        Fields fields = new Fields(tree, file);
        ModelFamily family = family(fields);
        refuse(fields);
        Defaults defaults = Defaults.of(family);

        int vocabulary = fields.integer("vocab_size", defaults.vocabulary, 1, Integer.MAX_VALUE - 8);
        int hidden = fields.integer("hidden_size", 4_096, 1, WIDEST);
        int intermediate = fields.integer("intermediate_size", defaults.intermediate, 1, WIDEST);
        int layers = fields.integer("num_hidden_layers", 32, 1, MOST_LAYERS);
        int queryHeads = fields.integer("num_attention_heads", 32, 1, WIDEST);
        int keyValueHeads = fields.integer(
                "num_key_value_heads",
                tree.has("num_key_value_heads") ? queryHeads : defaults.keyValueHeads(queryHeads),
                1,
                WIDEST);
        if (queryHeads % keyValueHeads != 0) {
            throw new PaloverdeException(
                    ErrorCode.MODEL_CORRUPT,
                    "%s: num_attention_heads, %d, is not a multiple of num_key_value_heads, %d"
                            .formatted(file, queryHeads, keyValueHeads));
        }
        int implied = family == ModelFamily.QWEN3 ? 128 : hidden / queryHeads;
        if (!fields.has("head_dim") && family != ModelFamily.QWEN3 && hidden % queryHeads != 0) {
            throw new PaloverdeException(
                    ErrorCode.MODEL_CORRUPT,
                    "%s: hidden_size, %d, is not a multiple of num_attention_heads, %d, and there is no head_dim"
                            .formatted(file, hidden, queryHeads));
        }
        int headWidth = fields.has("head_dim") ? fields.integer("head_dim", implied, 1, WIDEST) : implied;
        if (headWidth < 2 || headWidth % 2 != 0) {
            throw new PaloverdeException(
                    ErrorCode.MODEL_CORRUPT,
                    "%s: a head is %d wide; it must be even, since rotary embeddings turn pairs"
                            .formatted(file, headWidth));
        }
        if ((long) queryHeads * headWidth > WIDEST) {
            throw new PaloverdeException(
                    ErrorCode.MODEL_CORRUPT,
                    "%s: %d heads of %d are %,d wide; at most %,d are supported"
                            .formatted(file, queryHeads, headWidth, (long) queryHeads * headWidth, WIDEST));
        }

        int positions = fields.integer("max_position_embeddings", defaults.positions, 1, Integer.MAX_VALUE);
        Fields rotary = fields.fields("rope_scaling");
        if (rotary.object().isEmpty()) {
            rotary = fields.fields("rope_parameters");
        }
        double theta = rotary.number("rope_theta", fields.number("rope_theta", 10_000, 1, 1e15), 1, 1e15);
        for (Fields place : List.of(fields, rotary)) {
            if (place.number("partial_rotary_factor", 1, 0, 1) != 1) {
                throw unsupported(file, "partial_rotary_factor " + place.node("partial_rotary_factor"), "1");
            }
        }
        RotaryScaling scaling = RotaryScaling.of(rotary, fields, positions);
        for (float frequency : scaling.rotary(headWidth, theta).frequencies()) {
            if (!Float.isFinite(frequency)) {
                throw new PaloverdeException(
                        ErrorCode.MODEL_CORRUPT,
                        "%s: the rotary parameters %s with rope_theta %s give the frequency %s"
                                .formatted(file, rotary.object(), theta, frequency));
            }
        }

        boolean attentionBias =
                (family == ModelFamily.LLAMA || family == ModelFamily.QWEN3) && fields.flag("attention_bias", false);
        return new ModelConfiguration(
                family,
                vocabulary,
                hidden,
                intermediate,
                layers,
                queryHeads,
                keyValueHeads,
                headWidth,
                scaling.context(positions),
                (float) fields.number("rms_norm_eps", 1e-6, 0, 1),
                fields.flag("tie_word_embeddings", false),
                attentionBias || family == ModelFamily.QWEN2,
                attentionBias,
                family == ModelFamily.LLAMA && fields.flag("mlp_bias", false),
                family == ModelFamily.QWEN3,
                windows(fields, family, layers),
                theta,
                scaling);
    }

    /** {@return rotary frequencies with the scaling applied} */
    public Rotary rotary() {
        return scaling.rotary(headWidth, theta);
    }

    private static ModelFamily family(Fields fields) {
        JsonNode architectures = fields.node("architectures");
        if (architectures.isArray() && !architectures.isEmpty()) {
            for (JsonNode architecture : architectures) {
                var family = ModelFamily.ofArchitecture(architecture.asText());
                if (family.isPresent()) {
                    return family.get();
                }
            }
            throw unsupported(fields.file(), "architecture " + architectures, ModelFamily.supported());
        }
        String type = fields.text("model_type", "");
        return ModelFamily.ofModelType(type)
                .orElseThrow(
                        () -> unsupported(fields.file(), "model_type '%s'".formatted(type), ModelFamily.supported()));
    }

    private static void refuse(Fields fields) {
        if (fields.has("quantization_config")) {
            String method = fields.fields("quantization_config").text("quant_method", "unknown");
            throw new PaloverdeException(
                    ErrorCode.UNSUPPORTED_MODEL,
                    "%s: the weights are quantised (%s); use the bf16, fp16 or fp32 version of the model"
                            .formatted(fields.file(), method));
        }
        String activation = fields.text("hidden_act", "silu");
        if (!activation.equals("silu") && !activation.equals("swish")) {
            throw unsupported(fields.file(), "hidden_act '%s'".formatted(activation), "'silu'");
        }
    }

    private static List<Integer> windows(Fields fields, ModelFamily family, int layers) {
        switch (family) {
            case LLAMA -> {
                return Collections.nCopies(layers, Attention.UNLIMITED);
            }
            case MISTRAL -> {
                refuseLayerTypes(fields);
                // absent means the class's default, null means none
                return Collections.nCopies(
                        layers,
                        fields.integer(
                                "sliding_window",
                                fields.object().has("sliding_window") ? Attention.UNLIMITED : 4_096,
                                1,
                                Attention.UNLIMITED));
            }
            default -> {
                return qwenWindows(fields, layers);
            }
        }
    }

    private static List<Integer> qwenWindows(Fields fields, int layers) {
        boolean windowed = fields.flag("use_sliding_window", false);
        boolean none = !windowed || (fields.object().has("sliding_window") && !fields.has("sliding_window"));
        int window = none ? Attention.UNLIMITED : fields.integer("sliding_window", 4_096, 1, Attention.UNLIMITED);
        int full = fields.integer("max_window_layers", 28, 0, Integer.MAX_VALUE);
        JsonNode types = fields.node("layer_types");
        if (types.isMissingNode()) {
            return IntStream.range(0, layers)
                    .mapToObj(layer -> layer >= full ? window : Attention.UNLIMITED)
                    .toList();
        }
        if (!types.isArray() || types.size() != layers) {
            throw fields.wrong("layer_types", types, "a list of %d, one for each layer".formatted(layers));
        }
        return IntStream.range(0, layers)
                .mapToObj(layer -> switch (types.get(layer).asText()) {
                    case "full_attention" -> Attention.UNLIMITED;
                    case "sliding_attention" -> {
                        if (none) {
                            throw fields.wrong(
                                    "layer_types",
                                    types,
                                    "full_attention throughout, or sliding_window a number and use_sliding_window true");
                        }
                        yield window;
                    }
                    default ->
                        throw unsupported(
                                fields.file(),
                                "layer type " + types.get(layer),
                                "\"full_attention\" and \"sliding_attention\"");
                })
                .toList();
    }

    /** {@return how many numbers the projections of all layers have} */
    public long projectionWeights() {
        long queries = (long) queryHeads * headWidth;
        long keyValues = (long) keyValueHeads * headWidth;
        return layers * hidden * (2 * (queries + keyValues) + 3L * intermediate);
    }

    /** transformers' Mistral gives every layer the window, whatever {@code layer_types} says. */
    private static void refuseLayerTypes(Fields fields) {
        JsonNode types = fields.node("layer_types");
        for (JsonNode type : types) {
            if (!type.asText().equals(types.get(0).asText())) {
                throw unsupported(fields.file(), "layer_types that differ in a Mistral", "one type for all layers");
            }
        }
    }

    private static PaloverdeException unsupported(Path file, String what, String supported) {
        return new PaloverdeException(
                ErrorCode.UNSUPPORTED_MODEL, "%s has %s; Paloverde runs %s".formatted(file, what, supported));
    }

    /** Where transformers' config classes differ in their defaults. */
    private record Defaults(int vocabulary, int intermediate, int positions, int fixedKeyValueHeads) {
        private static final int AS_QUERIES = 0;

        static Defaults of(ModelFamily family) {
            return switch (family) {
                case LLAMA -> new Defaults(32_000, 11_008, 2_048, AS_QUERIES);
                case QWEN2, QWEN3 -> new Defaults(151_936, 22_016, 32_768, 32);
                case MISTRAL -> new Defaults(32_000, 14_336, 131_072, 8);
            };
        }

        int keyValueHeads(int queryHeads) {
            return fixedKeyValueHeads == AS_QUERIES ? queryHeads : fixedKeyValueHeads;
        }
    }
}
