package dev.paloverde.gpu.model;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Attention;
import dev.paloverde.gpu.kernels.HeadNorms;
import dev.paloverde.gpu.kernels.Heads;
import dev.paloverde.gpu.kernels.HostTensor;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.kernels.KvCache;
import dev.paloverde.gpu.kernels.KvLayout;
import dev.paloverde.gpu.kernels.Matrix;
import dev.paloverde.gpu.kernels.Quantization;
import dev.paloverde.gpu.kernels.Rotary;
import dev.paloverde.gpu.kernels.StepBatch;
import dev.paloverde.gpu.kernels.Tensor;
import dev.paloverde.gpu.kernels.TokenProposer;
import dev.paloverde.gpu.kernels.Weights;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * The decoder-only transformer that all families here are: before each half of a block a root-mean-square norm, grouped
 * query attention over rotated queries and keys, a gated feed-forward layer (Touvron et al., arXiv 2302.13971). Where
 * families differ, {@link ModelConfiguration} says so. Projections that read the same input are one matrix: queries, keys
 * and values; gate and up.
 */
final class Transformer implements LanguageModel {
    private final Kernels kernels;
    private final ModelConfiguration shape;
    private final Rotary rotary;
    private final Matrix embedding;
    private final List<Block> blocks;
    private final Weights norm;
    private final Matrix head;
    private final Deque<AutoCloseable> owned;
    private Activations activations;

    private Transformer(Kernels kernels, ModelConfiguration shape, Loader loader) {
        this.kernels = kernels;
        this.shape = shape;
        owned = loader.owned;
        rotary = shape.rotary();
        embedding = loader.matrix("model.embed_tokens.weight", shape.vocabulary(), shape.hidden());
        blocks = new ArrayList<>();
        for (int layer = 0; layer < shape.layers(); layer++) {
            blocks.add(loader.block(layer));
        }
        norm = loader.norm("model.norm.weight", shape.hidden());
        head = shape.tiedEmbeddings() ? embedding : loader.matrix("lm_head.weight", shape.vocabulary(), shape.hidden());
    }

    /**
     * Loads all weights; on failure nothing is left on the device.
     *
     * @param quantization of the projections of all layers; embedding, output projection, norms and biases stay as they
     *     are
     */
    static Transformer load(
            Kernels kernels, ModelConfiguration shape, Checkpoint checkpoint, Quantization quantization) {
        Loader loader = new Loader(kernels, shape, checkpoint, quantization);
        try {
            Transformer model = new Transformer(kernels, shape, loader);
            checkpoint.reportUnused();
            return model;
        } catch (RuntimeException | Error e) {
            closeAll(loader.owned);
            throw e;
        }
    }

    @Override
    public int vocabulary() {
        return shape.vocabulary();
    }

    @Override
    public int context() {
        return shape.context();
    }

    @Override
    public KvLayout kvLayout(int pageTokens) {
        return new KvLayout(shape.layers(), shape.keyValueHeads(), shape.headWidth(), pageTokens);
    }

    @Override
    public Matrix head() {
        return head;
    }

    @Override
    public void reserve(int stepRows) {
        if (activations != null && activations.residual.capacity() >= stepRows) {
            return;
        }
        if (activations != null) {
            activations.close();
            activations = null;
        }
        activations = Activations.of(kernels, shape, stepRows);
    }

    @Override
    public Tensor forward(StepBatch batch, KvCache cache) {
        requireReserved(batch);
        activations.resize(batch.rows());
        kernels.step(List.of(activations, cache), batch, () -> run(batch, cache));
        return activations.normed;
    }

    @Override
    public void extend(TokenProposer.Chain chain, KvCache cache, int[] tokens) {
        requireReserved(chain.batch());
        TokenProposer proposer = kernels.proposer()
                .orElseThrow(() -> new PaloverdeException(
                        ErrorCode.INTERNAL, "chains of steps on " + kernels.description() + "; go step by step"));
        proposer.extend(
                List.of(activations, cache),
                chain,
                head,
                batch -> {
                    activations.resize(batch.rows());
                    run(batch, cache);
                    return activations.normed;
                },
                tokens);
    }

    private void requireReserved(StepBatch batch) {
        if (activations == null || batch.rows() > activations.residual.capacity()) {
            throw new PaloverdeException(
                    ErrorCode.INTERNAL,
                    "a step of %d rows was asked for and room reserved for %d"
                            .formatted(batch.rows(), activations == null ? 0 : activations.residual.capacity()));
        }
    }

    private void run(StepBatch batch, KvCache cache) {
        kernels.embed(embedding, batch.tokens(), activations.residual);
        for (int layer = 0; layer < blocks.size(); layer++) {
            Block block = blocks.get(layer);
            attend(block, layer, batch, cache);
            feedForward(block);
        }
        kernels.normalize(activations.residual, norm, shape.normEpsilon(), activations.normed);
    }

    /** {@code residual += W_o attention(rotate(norm(W_q x)), rotate(norm(W_k x)), W_v x)}, x the normed residual. */
    private void attend(Block block, int layer, StepBatch batch, KvCache cache) {
        Tensor projected = activations.projected;
        int width = shape.headWidth();
        Heads queries = new Heads(projected, 0, shape.queryHeads(), width);
        Heads keys = new Heads(projected, shape.queryHeads() * width, shape.keyValueHeads(), width);
        Heads values = new Heads(
                projected, (shape.queryHeads() + shape.keyValueHeads()) * width, shape.keyValueHeads(), width);

        kernels.normalize(activations.residual, block.attentionNorm, shape.normEpsilon(), activations.normed);
        kernels.multiply(activations.normed, block.queryKeyValue, block.queryKeyValueBias, projected);
        kernels.appendRotated(cache, layer, queries, keys, values, block.headNorms, rotary, batch);
        kernels.attend(queries, cache, layer, block.attention, batch, activations.attended);
        kernels.multiplyAdd(activations.attended, block.output, block.outputBias, activations.residual);
    }

    /** {@code residual += W_down (silu(W_gate x) * W_up x)}, x the normed residual. */
    private void feedForward(Block block) {
        kernels.normalize(activations.residual, block.feedForwardNorm, shape.normEpsilon(), activations.normed);
        kernels.multiplyGated(activations.normed, block.gateUp, block.gateUpBias, activations.gated);
        kernels.multiplyAdd(activations.gated, block.down, block.downBias, activations.residual);
    }

    @Override
    public void close() {
        if (activations != null) {
            activations.close();
            activations = null;
        }
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

    /**
     * Weights of a block. Biases and the norms of heads are null where the family has none.
     *
     * @param queryKeyValue [(queries + 2 keyValues) * width, hidden]
     * @param output [hidden, queries * width]
     * @param gateUp [2 intermediate, hidden]
     * @param down [hidden, intermediate]
     */
    private record Block(
            Weights attentionNorm,
            Matrix queryKeyValue,
            Weights queryKeyValueBias,
            HeadNorms headNorms,
            Attention attention,
            Matrix output,
            Weights outputBias,
            Weights feedForwardNorm,
            Matrix gateUp,
            Weights gateUpBias,
            Matrix down,
            Weights downBias) {}

    /** The names of tensors, and who owns what was made of them. */
    private static final class Loader {
        private final Kernels kernels;
        private final ModelConfiguration shape;
        private final Checkpoint checkpoint;
        private final Quantization quantization;
        private final Deque<AutoCloseable> owned = new ArrayDeque<>();

        Loader(Kernels kernels, ModelConfiguration shape, Checkpoint checkpoint, Quantization quantization) {
            this.kernels = kernels;
            this.shape = shape;
            this.checkpoint = checkpoint;
            this.quantization = quantization;
        }

        Block block(int layer) {
            String attention = "model.layers.%d.self_attn.".formatted(layer);
            String feedForward = "model.layers.%d.mlp.".formatted(layer);
            int width = shape.headWidth();
            int queries = shape.queryHeads() * width;
            int keyValues = shape.keyValueHeads() * width;
            List<Part> inputs = List.of(
                    new Part(attention + "q_proj", queries),
                    new Part(attention + "k_proj", keyValues),
                    new Part(attention + "v_proj", keyValues));
            List<Part> output = List.of(new Part(attention + "o_proj", shape.hidden()));
            Part gate = new Part(feedForward + "gate_proj", shape.intermediate());
            Part up = new Part(feedForward + "up_proj", shape.intermediate());
            List<Part> down = List.of(new Part(feedForward + "down_proj", shape.hidden()));
            return new Block(
                    norm("model.layers.%d.input_layernorm.weight".formatted(layer), shape.hidden()),
                    projection(inputs, shape.hidden()),
                    shape.queryKeyValueBias() ? bias(inputs) : null,
                    shape.queryKeyNorm()
                            ? new HeadNorms(
                                    norm(attention + "q_norm.weight", width),
                                    norm(attention + "k_norm.weight", width),
                                    shape.normEpsilon())
                            : null,
                    new Attention(
                            (float) (1 / Math.sqrt(width)), shape.windows().get(layer)),
                    projection(output, queries),
                    shape.outputBias() ? bias(output) : null,
                    norm("model.layers.%d.post_attention_layernorm.weight".formatted(layer), shape.hidden()),
                    keep(kernels.gatedMatrix(weight(gate, shape.hidden()), weight(up, shape.hidden()), quantization)),
                    shape.feedForwardBias() ? keep(kernels.gatedWeights(bias(gate), bias(up))) : null,
                    projection(down, shape.intermediate()),
                    shape.feedForwardBias() ? bias(down) : null);
        }

        Matrix matrix(String name, int rows, int columns) {
            return keep(kernels.matrix(List.of(checkpoint.matrix(name, rows, columns))));
        }

        Weights norm(String name, int length) {
            return keep(kernels.weights(List.of(checkpoint.vector(name, length))));
        }

        private Matrix projection(List<Part> parts, int columns) {
            return keep(kernels.projection(
                    parts.stream().map(part -> weight(part, columns)).toList(), quantization));
        }

        private HostTensor weight(Part part, int columns) {
            return checkpoint.matrix(part.name + ".weight", part.rows, columns);
        }

        private Weights bias(List<Part> parts) {
            return keep(kernels.weights(parts.stream().map(this::bias).toList()));
        }

        private HostTensor bias(Part part) {
            return checkpoint.vector(part.name + ".bias", part.rows);
        }

        private <T extends AutoCloseable> T keep(T made) {
            owned.push(made);
            return made;
        }

        /** One projection among those that are stacked. */
        private record Part(String name, int rows) {}
    }

    /**
     * What a step writes between its first row and its last.
     *
     * @param residual [rows, hidden]
     * @param normed [rows, hidden]
     * @param projected [rows, (queries + 2 keyValues) * width]
     * @param attended [rows, queries * width]
     * @param gated [rows, intermediate]
     */
    private record Activations(Tensor residual, Tensor normed, Tensor projected, Tensor attended, Tensor gated) {

        static Activations of(Kernels kernels, ModelConfiguration shape, int rows) {
            int queries = shape.queryHeads() * shape.headWidth();
            int keyValues = shape.keyValueHeads() * shape.headWidth();
            int[] columns = {shape.hidden(), queries + 2 * keyValues, queries, shape.intermediate()};
            Deque<AutoCloseable> made = new ArrayDeque<>();
            List<Tensor> tensors = new ArrayList<>();
            try {
                Tensor residual = kernels.residual(rows, shape.hidden());
                made.push(residual);
                tensors.add(residual);
                for (int width : columns) {
                    Tensor tensor = kernels.tensor(rows, width);
                    made.push(tensor);
                    tensors.add(tensor);
                }
            } catch (RuntimeException | Error e) {
                closeAll(made);
                throw e;
            }
            return new Activations(tensors.get(0), tensors.get(1), tensors.get(2), tensors.get(3), tensors.get(4));
        }

        void resize(int rows) {
            for (Tensor tensor : all()) {
                tensor.resize(rows);
            }
        }

        void close() {
            all().forEach(Tensor::close);
        }

        private List<Tensor> all() {
            return List.of(residual, normed, projected, attended, gated);
        }
    }
}
