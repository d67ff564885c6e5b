package dev.paloverde.gpu.model;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.HostTensor;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.kernels.Matrix;
import dev.paloverde.gpu.kernels.Weights;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;

/**
 * The weights of a vision transformer on a device. What can be folded is: a patch's bias into the table of positions, the
 * scale of a layer (DINOv2's {@code lambda1}) into the matrix before it, and the width of heads that a device wants into
 * zeros around them.
 *
 * @param positions [tokens, hidden] what each token of an image begins with
 * @param patches [hidden, numbers of a patch]
 * @param blocks from the first to the last
 * @param norm the last
 * @param owned all of these, to be closed
 */
record VisionWeights(Matrix positions, Matrix patches, List<Block> blocks, Norm norm, Deque<AutoCloseable> owned) {
    /** A norm's gain and bias, as wide as the residual. */
    record Norm(Weights gain, Weights bias) {}

    /**
     * Weights of a block.
     *
     * @param queryKeyValue [3 * heads * width, hidden]
     * @param queryKeyValueBias null where there is none
     * @param output [hidden, heads * width]
     * @param up [intermediate, hidden]
     * @param down [hidden, intermediate]
     */
    record Block(
            Norm attentionNorm,
            Matrix queryKeyValue,
            Weights queryKeyValueBias,
            Matrix output,
            Weights outputBias,
            Norm feedForwardNorm,
            Matrix up,
            Weights upBias,
            Matrix down,
            Weights downBias) {}

    static VisionWeights load(
            Kernels kernels,
            VisionConfiguration shape,
            ImageProcessor processor,
            VisionModel.Latents latents,
            Checkpoint checkpoint) {
        Loader loader = new Loader(kernels, shape, checkpoint);
        try {
            return loader.load(processor, latents);
        } catch (RuntimeException | Error e) {
            closeAll(loader.owned);
            throw e;
        }
    }

    void close() {
        closeAll(owned);
    }

    private static void closeAll(Deque<AutoCloseable> owned) {
        while (!owned.isEmpty()) {
            try {
                owned.pop().close();
            } catch (Exception e) {
                throw new PaloverdeException(ErrorCode.INTERNAL, "a weight could not be given back: " + e, e);
            }
        }
    }

    /** How a family names the tensors of a block. */
    private record Names(
            String block,
            String attentionNorm,
            String query,
            String key,
            String value,
            String output,
            String feedForwardNorm) {
        static final Names SIGLIP = new Names(
                "encoder.layers.%d.",
                "layer_norm1",
                "self_attn.q_proj",
                "self_attn.k_proj",
                "self_attn.v_proj",
                "self_attn.out_proj",
                "layer_norm2");
        static final Names DINO = new Names(
                "encoder.layer.%d.",
                "norm1",
                "attention.attention.query",
                "attention.attention.key",
                "attention.attention.value",
                "attention.output.dense",
                "norm2");
    }

    /** The names of tensors, and who owns what was made of them. */
    private static final class Loader {
        private final Kernels kernels;
        private final VisionConfiguration shape;
        private final Checkpoint checkpoint;
        private final String prefix;
        private final int headWidth;
        private final Deque<AutoCloseable> owned = new ArrayDeque<>();

        Loader(Kernels kernels, VisionConfiguration shape, Checkpoint checkpoint) {
            this.kernels = kernels;
            this.shape = shape;
            this.checkpoint = checkpoint;
            headWidth = kernels.headWidth(shape.headWidth());
            String first = shape.family().isDino()
                    ? "embeddings.patch_embeddings.projection.weight"
                    : "embeddings.patch_embedding.weight";
            // a model with a head or with a half for text has the encoder under a name
            prefix =
                    List.of("vision_model.", "dinov2.", "dinov2_with_registers.", "vision_model.vision_model.", "")
                            .stream()
                            .filter(candidate -> checkpoint.has(candidate + first))
                            .findFirst()
                            .orElse("");
        }

        VisionWeights load(ImageProcessor processor, VisionModel.Latents latents) {
            boolean dino = shape.family().isDino();
            String patch = dino ? "embeddings.patch_embeddings.projection." : "embeddings.patch_embedding.";
            Matrix patches = keep(kernels.matrix(
                    List.of(checkpoint.reshaped(prefix + patch + "weight", shape.hidden(), shape.patchNumbers()))));
            Matrix positions = keep(kernels.matrix(
                    List.of(positions(processor, checkpoint.vector(prefix + patch + "bias", shape.hidden())))));
            List<Block> blocks = new ArrayList<>();
            for (int layer = 0; layer < shape.layers(); layer++) {
                blocks.add(block(layer, dino ? Names.DINO : Names.SIGLIP));
            }
            return new VisionWeights(positions, patches, blocks, last(dino, latents), owned);
        }

        private Norm last(boolean dino, VisionModel.Latents latents) {
            if (latents == VisionModel.Latents.HIDDEN) {
                return norm(prefix + (dino ? "layernorm" : "post_layernorm"));
            }
            float[] ones = new float[shape.hidden()];
            Arrays.fill(ones, 1);
            return new Norm(
                    keep(kernels.weights(List.of(new ComputedTensor("ones", 1, shape.hidden(), ones)))),
                    keep(kernels.weights(
                            List.of(new ComputedTensor("zeros", 1, shape.hidden(), new float[shape.hidden()])))));
        }

        /** {@return what each token begins with: class and register tokens, then each patch's position and bias} */
        private HostTensor positions(ImageProcessor processor, HostTensor bias) {
            int hidden = shape.hidden();
            int side = shape.positionSide();
            int rows = processor.height() / shape.patch();
            int columns = processor.width() / shape.patch();
            int known = side * side + shape.classTokens();
            String name =
                    shape.family().isDino() ? "embeddings.position_embeddings" : "embeddings.position_embedding.weight";
            float[] table = checkpoint.reshaped(prefix + name, known, hidden).numbers();
            float[] grid = PositionGrid.fit(
                    shape.family(),
                    Arrays.copyOfRange(table, shape.classTokens() * hidden, table.length),
                    side,
                    rows,
                    columns,
                    hidden);
            float[] all = new float[(shape.prefix() + rows * columns) * hidden];
            if (shape.classTokens() > 0) {
                float[] token = checkpoint
                        .reshaped(prefix + "embeddings.cls_token", 1, hidden)
                        .numbers();
                for (int i = 0; i < hidden; i++) {
                    all[i] = token[i] + table[i];
                }
            }
            if (shape.registers() > 0) {
                float[] registers = checkpoint
                        .reshaped(prefix + "embeddings.register_tokens", shape.registers(), hidden)
                        .numbers();
                System.arraycopy(registers, 0, all, shape.classTokens() * hidden, registers.length);
            }
            float[] biases = bias.numbers();
            int first = shape.prefix() * hidden;
            for (int i = 0; i < grid.length; i++) {
                all[first + i] = grid[i] + biases[i % hidden];
            }
            return new ComputedTensor("positions", all.length / hidden, hidden, all);
        }

        private Block block(int layer, Names names) {
            String block = prefix + names.block.formatted(layer);
            int hidden = shape.hidden();
            List<String> inputs = List.of(block + names.query, block + names.key, block + names.value);
            float[] attentionScale = scale(block + "layer_scale1.lambda1");
            float[] feedForwardScale = scale(block + "layer_scale2.lambda1");
            return new Block(
                    norm(block + names.attentionNorm),
                    keep(kernels.matrix(inputs.stream()
                            .map(name -> padRows(checkpoint.matrix(name + ".weight", hidden, hidden)))
                            .toList())),
                    shape.queryKeyValueBias()
                            ? keep(kernels.weights(inputs.stream()
                                    .map(name -> padVector(checkpoint.vector(name + ".bias", hidden)))
                                    .toList()))
                            : null,
                    keep(kernels.matrix(List.of(scaled(
                            padColumns(checkpoint.matrix(block + names.output + ".weight", hidden, hidden)),
                            attentionScale)))),
                    keep(kernels.weights(List.of(
                            scaledVector(checkpoint.vector(block + names.output + ".bias", hidden), attentionScale)))),
                    norm(block + names.feedForwardNorm),
                    keep(kernels.matrix(
                            List.of(checkpoint.matrix(block + "mlp.fc1.weight", shape.intermediate(), hidden)))),
                    keep(kernels.weights(List.of(checkpoint.vector(block + "mlp.fc1.bias", shape.intermediate())))),
                    keep(kernels.matrix(List.of(scaled(
                            checkpoint.matrix(block + "mlp.fc2.weight", hidden, shape.intermediate()),
                            feedForwardScale)))),
                    keep(kernels.weights(List.of(
                            scaledVector(checkpoint.vector(block + "mlp.fc2.bias", hidden), feedForwardScale)))));
        }

        private float[] scale(String name) {
            return shape.family().isDino()
                    ? checkpoint.vector(name, shape.hidden()).numbers()
                    : null;
        }

        private Norm norm(String name) {
            return new Norm(
                    keep(kernels.weights(List.of(checkpoint.vector(name + ".weight", shape.hidden())))),
                    keep(kernels.weights(List.of(checkpoint.vector(name + ".bias", shape.hidden())))));
        }

        /** Each output times its scale. */
        private static HostTensor scaled(HostTensor matrix, float[] scale) {
            if (scale == null) {
                return matrix;
            }
            float[] values = matrix.numbers();
            for (int i = 0; i < values.length; i++) {
                values[i] *= scale[i / matrix.columns()];
            }
            return new ComputedTensor(matrix.name(), matrix.rows(), matrix.columns(), values);
        }

        private static HostTensor scaledVector(HostTensor vector, float[] scale) {
            if (scale == null) {
                return vector;
            }
            float[] values = vector.numbers();
            for (int i = 0; i < values.length; i++) {
                values[i] *= scale[i];
            }
            return new ComputedTensor(vector.name(), 1, vector.columns(), values);
        }

        /** Rows of zeros behind those of each head. */
        private HostTensor padRows(HostTensor matrix) {
            return headWidth == shape.headWidth()
                    ? matrix
                    : new ComputedTensor(
                            matrix.name(),
                            shape.heads() * headWidth,
                            matrix.columns(),
                            pad(matrix.numbers(), 1, matrix.columns()));
        }

        private HostTensor padVector(HostTensor vector) {
            return headWidth == shape.headWidth()
                    ? vector
                    : new ComputedTensor(vector.name(), 1, shape.heads() * headWidth, pad(vector.numbers(), 1, 1));
        }

        /** Columns of zeros behind those of each head. */
        private HostTensor padColumns(HostTensor matrix) {
            return headWidth == shape.headWidth()
                    ? matrix
                    : new ComputedTensor(
                            matrix.name(),
                            matrix.rows(),
                            shape.heads() * headWidth,
                            pad(matrix.numbers(), matrix.rows(), 1));
        }

        /** {@return [times, heads, headWidth, each] of [times, heads, shape.headWidth, each]} */
        private float[] pad(float[] values, int times, int each) {
            int from = shape.headWidth() * each;
            int to = headWidth * each;
            float[] padded = new float[times * shape.heads() * to];
            for (int head = 0; head < times * shape.heads(); head++) {
                System.arraycopy(values, head * from, padded, head * to, from);
            }
            return padded;
        }

        private <T extends AutoCloseable> T keep(T made) {
            owned.push(made);
            return made;
        }
    }
}
