package dev.paloverde.gpu.model;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Attention;
import dev.paloverde.gpu.kernels.Decoder;
import dev.paloverde.gpu.kernels.DecoderLayer;
import dev.paloverde.gpu.kernels.HeadNorms;
import dev.paloverde.gpu.kernels.HostTensor;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.kernels.KvCache;
import dev.paloverde.gpu.kernels.KvLayout;
import dev.paloverde.gpu.kernels.Matrix;
import dev.paloverde.gpu.kernels.Quantization;
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
    private final Matrix embedding;
    private final Decoder decoder;
    private final Matrix head;
    private final Deque<AutoCloseable> owned;
    private Decoder.Room activations;

    private Transformer(Kernels kernels, ModelConfiguration shape, Loader loader) {
        this.kernels = kernels;
        this.shape = shape;
        owned = loader.owned;
        embedding = loader.matrix("model.embed_tokens.weight", shape.vocabulary(), shape.hidden());
        List<DecoderLayer> layers = new ArrayList<>();
        for (int layer = 0; layer < shape.layers(); layer++) {
            layers.add(loader.layer(layer));
        }
        decoder = new Decoder(
                layers,
                shape.queryHeads(),
                shape.keyValueHeads(),
                shape.headWidth(),
                shape.rotary(),
                loader.norm("model.norm.weight", shape.hidden()),
                shape.normEpsilon());
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
        if (activations != null && activations.residual().capacity() >= stepRows) {
            return;
        }
        if (activations != null) {
            tensors(activations).forEach(Tensor::close);
            activations = null;
        }
        activations = room(stepRows);
    }

    @Override
    public Tensor forward(StepBatch batch, KvCache cache) {
        requireReserved(batch);
        resize(batch.rows());
        kernels.step(List.of(activations, cache), batch, () -> run(batch, cache));
        return activations.normed();
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
                    resize(batch.rows());
                    run(batch, cache);
                    return activations.normed();
                },
                tokens);
    }

    private void requireReserved(StepBatch batch) {
        if (activations == null || batch.rows() > activations.residual().capacity()) {
            throw new PaloverdeException(
                    ErrorCode.INTERNAL,
                    "a step of %d rows was asked for and room reserved for %d"
                            .formatted(
                                    batch.rows(),
                                    activations == null
                                            ? 0
                                            : activations.residual().capacity()));
        }
    }

    private void run(StepBatch batch, KvCache cache) {
        kernels.embed(embedding, batch.tokens(), activations.residual());
        kernels.decode(decoder, activations, cache, batch);
    }

    private Decoder.Room room(int rows) {
        int queries = shape.queryHeads() * shape.headWidth();
        int keyValues = shape.keyValueHeads() * shape.headWidth();
        int[] columns = {shape.hidden(), queries + 2 * keyValues, queries, shape.intermediate()};
        Deque<AutoCloseable> made = new ArrayDeque<>();
        List<Tensor> tensors = new ArrayList<>();
        try {
            Tensor residual = kernels.residual(rows, shape.hidden());
            made.push(residual);
            for (int width : columns) {
                Tensor tensor = kernels.tensor(rows, width);
                made.push(tensor);
                tensors.add(tensor);
            }
            return new Decoder.Room(residual, tensors.get(0), tensors.get(1), tensors.get(2), tensors.get(3));
        } catch (RuntimeException | Error e) {
            closeAll(made);
            throw e;
        }
    }

    private void resize(int rows) {
        tensors(activations).forEach(tensor -> tensor.resize(rows));
    }

    private static List<Tensor> tensors(Decoder.Room room) {
        return List.of(room.residual(), room.normed(), room.projected(), room.attended(), room.gated());
    }

    @Override
    public void close() {
        if (activations != null) {
            tensors(activations).forEach(Tensor::close);
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

        DecoderLayer layer(int layer) {
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
            return new DecoderLayer(
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
}
