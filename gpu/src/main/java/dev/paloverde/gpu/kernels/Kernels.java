package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.PaloverdeException;
import java.util.List;
import java.util.Optional;

/**
 * The operations a model is made of, on one device. One model code runs over every implementation. Where a device gains
 * from doing several at once, the composed operation is the one a model calls, and says of which it is composed.
 *
 * <p>Law: the value of a row depends on that row alone, never on how many rows are beside it, on the page ids it was
 * given, or on where a prefill was cut into steps. Every implementation reduces in an order fixed by the shapes of the
 * weights and by absolute positions. Within one {@link #version()} the same inputs give the same bits.
 *
 * <p>Instances are confined to one thread at a time. Objects an instance made are closed before it is.
 */
public abstract class Kernels implements AutoCloseable {
    /** {@return what the bits depend on: device family, arithmetic and revision of the kernels; part of every receipt} */
    public abstract String version();

    /** {@return the device and the variant in use, in words, for logs and manifests} */
    public abstract String description();

    /**
     * Makes room for activations.
     *
     * @param capacity most rows
     * @param columns numbers in a row
     */
    public abstract Tensor tensor(int capacity, int columns);

    /**
     * Makes room for sums that many products are added to, in fp32 whatever the device multiplies in: the residual stream.
     *
     * @param capacity most rows
     * @param columns numbers in a row
     */
    public Tensor residual(int capacity, int columns) {
        return tensor(capacity, columns);
    }

    /**
     * Loads matrices with the same number of columns, one below the other, as one.
     *
     * @param parts [rows_i, columns] each
     * @return [sum of rows_i, columns]
     */
    public abstract Matrix matrix(List<HostTensor> parts);

    /**
     * Loads vectors, one behind the other, as one.
     *
     * @param parts one row each
     */
    public abstract Weights weights(List<HostTensor> parts);

    /**
     * Loads the two matrices of a gated layer for {@link #multiplyGated}.
     *
     * @param gate [f, columns]
     * @param up [f, columns]
     * @return [2 f, columns]; in which order the device keeps the rows is its own affair
     */
    public Matrix gatedMatrix(HostTensor gate, HostTensor up) {
        return matrix(List.of(gate, up));
    }

    /**
     * As {@link #matrix}, for {@link #multiply} and {@link #multiplyAdd} alone.
     *
     * @param quantization what becomes of the weights
     */
    public Matrix projection(List<HostTensor> parts, Quantization quantization) {
        return quantization == Quantization.NONE
                ? matrix(parts)
                : matrix(parts.stream().<HostTensor>map(Fp8Tensor::new).toList());
    }

    /**
     * As {@link #gatedMatrix(HostTensor, HostTensor)}.
     *
     * @param quantization what becomes of the weights
     */
    public Matrix gatedMatrix(HostTensor gate, HostTensor up, Quantization quantization) {
        return quantization == Quantization.NONE
                ? gatedMatrix(gate, up)
                : gatedMatrix(new Fp8Tensor(gate), new Fp8Tensor(up));
    }

    /**
     * {@return the memory that quantised projections take, in bytes: here, they are fp32 numbers again}
     *
     * @param weights how many numbers they have
     */
    public long quantizedBytes(long weights) {
        return Float.BYTES * weights;
    }

    /** Loads the two biases of a gated layer, [f] each, in the order of {@link #gatedMatrix}. */
    public Weights gatedWeights(HostTensor gate, HostTensor up) {
        return weights(List.of(gate, up));
    }

    /**
     * Makes a key-value cache.
     *
     * @param layout what a page holds
     * @param pages how many
     */
    public abstract KvCache cache(KvLayout layout, int pages);

    /** {@return the error that lost the device to this process, so that only another process can use it; empty if none did} */
    public Optional<PaloverdeException> fault() {
        return Optional.empty();
    }

    /** {@return the size of one number in a key-value cache, in bytes} */
    public int cacheElementBytes() {
        return Float.BYTES;
    }

    /** {@return memory that is left for caches and activations, in bytes: here, what the Java heap can still grow by} */
    public long availableBytes() {
        Runtime runtime = Runtime.getRuntime();
        return runtime.maxMemory() - (runtime.totalMemory() - runtime.freeMemory());
    }

    /** {@return what suits the device, with the memory that is free now: 64 sequences, 512 rows, 16 tokens, 256 MiB here} */
    public Limits limits() {
        return new Limits(64, 512, 16, 256L << 20);
    }

    /** {@return the most rows that an operation outside of a step takes} */
    public int rowLimit() {
        return Integer.MAX_VALUE;
    }

    /** {@return the most rows that {@link #logProbabilities} takes well at once} */
    public int scoringRows() {
        return 256;
    }

    /** {@return how many CPU threads there are to compute with, the caller's included; 1 where another device computes} */
    public int threads() {
        return 1;
    }

    /**
     * Leaves CPU threads to others that compute at the same time. Changes no bit.
     *
     * @param most how many to compute with from the next operation on, the caller's included
     */
    public void limitThreads(int most) {}

    /** {@return how tokens are ranked on the device; empty where all logits come to the host for that} */
    public Optional<TokenRanker> ranker() {
        return Optional.empty();
    }

    /** {@return how tokens are chosen on the device; empty where logits have to come to the host for that} */
    public Optional<TokenChooser> chooser() {
        return Optional.empty();
    }

    /** {@return how a draft model runs on by itself; empty where it goes step by step, with logits on the host} */
    public Optional<TokenProposer> proposer() {
        return Optional.empty();
    }

    /**
     * Runs the operations of one step over a batch. A device may record what {@code operations} asks for and replay the
     * record for a later batch under an equal key: so equal keys mean the same operations on the same objects, whatever the
     * batch holds. Operations that take a {@link StepBatch} get this one.
     *
     * @param key whose operations they are
     * @param batch the rows
     * @param operations calls this object's operations; reads nothing back
     */
    public void step(Object key, StepBatch batch, Runnable operations) {
        operations.run();
    }

    /** {@code out[i] = table[tokens[i]]}: [rows, columns of table]. */
    public abstract void embed(Matrix table, int[] tokens, Tensor out);

    /** {@code out = in / sqrt(mean(in^2) + epsilon) * gain}, row by row (Zhang and Sennrich, arXiv 1910.07467). */
    public abstract void normalize(Tensor in, Weights gain, float epsilon, Tensor out);

    /** {@code out = in * weight^T + bias}. {@code bias} may be null. */
    public abstract void multiply(Tensor in, Matrix weight, Weights bias, Tensor out);

    /** {@code residual += in * weight^T + bias}. {@code bias} may be null. */
    public abstract void multiplyAdd(Tensor in, Matrix weight, Weights bias, Tensor residual);

    /**
     * A gated layer's first half, {@code out = silu(g) * u} with {@code [g, u] = in * weight^T + bias}: a
     * product and its gate at once, so that nobody sees [rows, 2 f] numbers.
     *
     * @param weight from {@link #gatedMatrix}, [2 f, columns of in]
     * @param bias from {@link #gatedWeights}, or null
     * @param out [rows, f]
     */
    public abstract void multiplyGated(Tensor in, Matrix weight, Weights bias, Tensor out);

    /**
     * What attention needs done to a step's projections: norms of query and key heads where there are any, queries and keys
     * turned by their rows' positions, keys and values of all rows written to their pages. Queries change in place; what
     * {@code keys} holds afterwards is undefined.
     *
     * @param norms null where the family has none
     */
    public abstract void appendRotated(
            KvCache cache,
            int layer,
            Heads queries,
            Heads keys,
            Heads values,
            HeadNorms norms,
            Rotary rotary,
            StepBatch batch);

    /**
     * Softmax attention of each row's queries over its sequence's positions in the cache, its own included (already
     * appended). Query heads are grouped: {@code queries.count()} is a multiple of the cache's heads.
     *
     * @param out [rows, queries.count * width]
     */
    public abstract void attend(
            Heads queries, KvCache cache, int layer, Attention attention, StepBatch batch, Tensor out);

    /**
     * Images become rows of patches.
     *
     * @param images [height, width, 3] samples of each; not changed by anyone afterwards
     * @param out [images * sequence, numbers of a patch]
     */
    public abstract void cut(List<byte[]> images, PatchLayout layout, Tensor out);

    /**
     * Rows to the host, as they are when all operations asked for so far are done; need not wait for that.
     *
     * @param rows of {@link #tensor}
     * @return owned by the caller
     */
    public abstract LateRows fetch(Tensor rows);

    /**
     * All layers of a step, and the norm behind them. Of each layer first {@code residual += W_o attention(rotate(norm(W_q x)),
     * rotate(norm(W_k x)), W_v x)}, then {@code residual += W_down (silu(W_gate x) * W_up x)}, x being the normed residual
     * each time; last {@code normed = norm(residual)}. Composed of {@link #normalize}, {@link #multiply}, {@link
     * #appendRotated}, {@link #attend}, {@link #multiplyAdd} and {@link #multiplyGated}, with their bits.
     *
     * @param room tensors of the batch's rows; what all but {@code normed} hold afterwards is undefined
     * @param batch the running step's
     */
    public void decode(Decoder decoder, Decoder.Room room, KvCache cache, StepBatch batch) {
        int width = decoder.width();
        Heads queries = new Heads(room.projected(), 0, decoder.queries(), width);
        Heads keys = new Heads(room.projected(), decoder.queries() * width, decoder.keyValues(), width);
        Heads values = new Heads(
                room.projected(), (decoder.queries() + decoder.keyValues()) * width, decoder.keyValues(), width);
        for (int number = 0; number < decoder.layers().size(); number++) {
            DecoderLayer layer = decoder.layers().get(number);
            normalize(room.residual(), layer.attentionNorm(), decoder.epsilon(), room.normed());
            multiply(room.normed(), layer.queryKeyValue(), layer.queryKeyValueBias(), room.projected());
            appendRotated(cache, number, queries, keys, values, layer.headNorms(), decoder.rotary(), batch);
            attend(queries, cache, number, layer.attention(), batch, room.attended());
            multiplyAdd(room.attended(), layer.output(), layer.outputBias(), room.residual());
            normalize(room.residual(), layer.feedForwardNorm(), decoder.epsilon(), room.normed());
            multiplyGated(room.normed(), layer.gateUp(), layer.gateUpBias(), room.gated());
            multiplyAdd(room.gated(), layer.down(), layer.downBias(), room.residual());
        }
        normalize(room.residual(), decoder.norm(), decoder.epsilon(), room.normed());
    }

    /**
     * {@code out = (in - mean(in)) / sqrt(variance(in) + epsilon) * gain + bias}, row by row (Ba, Kiros and Hinton, arXiv
     * 1607.06450). The variance is the mean of squares.
     */
    public abstract void normalizeCentered(Tensor in, Weights gain, Weights bias, float epsilon, Tensor out);

    /** {@code out = activation(in * weight^T + bias)}. */
    public abstract void multiplyActivated(Tensor in, Matrix weight, Weights bias, Activation activation, Tensor out);

    /** {@return the width that heads of this many numbers are padded to for {@link #attendWithin}, with zeros} */
    public int headWidth(int width) {
        return width;
    }

    /**
     * Softmax attention without a cache and without a mask: each row sees all rows of its own block, those before it and
     * those behind it. As many key heads as query heads, {@link #headWidth} wide.
     *
     * @param scale what scores are multiplied by
     * @param starts [blocks + 1] the first row of each block, and the number of rows; not changed by anyone afterwards
     * @param out [rows, queries.count * width]
     */
    public abstract void attendWithin(Heads queries, Heads keys, Heads values, float scale, int[] starts, Tensor out);

    /** {@code out[i] = in[rows[i]]}. */
    public abstract void gather(Tensor in, int[] rows, Tensor out);

    /**
     * Logits of few rows, to the host.
     *
     * @param hidden [rows, columns of head]
     * @param out at least rows * vocabulary numbers; row-major
     */
    public abstract void logits(Tensor hidden, Matrix head, float[] out);

    /**
     * Log-probability of one token per row under softmax of the logits, never holding rows * vocabulary numbers.
     *
     * @param hidden [rows, columns of head]
     * @param targets [rows] token ids
     * @param logProbabilities [rows] out: natural logarithms
     * @param best [rows] out: the most likely token, the lowest id on a tie
     */
    public abstract void logProbabilities(
            Tensor hidden, Matrix head, int[] targets, float[] logProbabilities, int[] best);

    /**
     * As {@link #logProbabilities}, but need not wait for the device.
     *
     * @param hidden [rows, columns of head]
     * @param targets [rows] token ids
     * @return the targets' log-probabilities, and the most likely tokens
     */
    public LateAnswers score(Tensor hidden, Matrix head, int[] targets) {
        float[] logProbabilities = new float[targets.length];
        int[] best = new int[targets.length];
        logProbabilities(hidden, head, targets, logProbabilities, best);
        return LateAnswers.of(best, logProbabilities);
    }

    /** Copies the first {@code tokens} positions of a page, all layers, to another page of the same cache. */
    public abstract void copyPage(KvCache cache, int from, int to, int tokens);

    /** {@link #copyPage}s, of pages of which none is both copied from and to. */
    public void copyPages(KvCache cache, int[] from, int[] to, int[] tokens) {
        for (int i = 0; i < from.length; i++) {
            copyPage(cache, from[i], to[i], tokens[i]);
        }
    }

    @Override
    public abstract void close();
}
