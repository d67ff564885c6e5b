package dev.paloverde.gpu.model;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.image.Picture;
import dev.paloverde.gpu.kernels.Heads;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.kernels.LateRows;
import dev.paloverde.gpu.kernels.PatchLayout;
import dev.paloverde.gpu.kernels.Tensor;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;

/**
 * The vision transformer that all families here are (Dosovitskiy et al., arXiv 2010.11929): patches through one matrix, a
 * learned embedding of each position, blocks of attention among all tokens of an image and a feed-forward layer, each behind
 * a norm, and a norm at the end. Where families differ, {@link VisionConfiguration} and {@link VisionWeights} say so.
 */
final class VisionTransformer implements VisionModel {
    private final Kernels kernels;
    private final VisionConfiguration shape;
    private final ImageProcessor processor;
    private final VisionWeights weights;
    private final int headWidth;
    private final PatchLayout layout;
    private final int sequence;
    private Activations activations;
    private int[] starts = {};

    private VisionTransformer(
            Kernels kernels, VisionConfiguration shape, ImageProcessor processor, VisionWeights weights) {
        this.kernels = kernels;
        this.shape = shape;
        this.processor = processor;
        this.weights = weights;
        headWidth = kernels.headWidth(shape.headWidth());
        layout = new PatchLayout(
                processor.width(),
                processor.height(),
                shape.patch(),
                shape.prefix(),
                shape.family() == VisionFamily.SIGLIP2
                        ? PatchLayout.Order.CHANNELS_LAST
                        : PatchLayout.Order.CHANNELS_FIRST,
                processor.values());
        sequence = layout.sequence();
    }

    /** Loads all weights; on failure nothing is left on the device. */
    static VisionTransformer load(
            Kernels kernels,
            VisionConfiguration shape,
            ImageProcessor processor,
            Latents latents,
            Checkpoint checkpoint) {
        return new VisionTransformer(
                kernels, shape, processor, VisionWeights.load(kernels, shape, processor, latents, checkpoint));
    }

    @Override
    public int tokens() {
        return layout.patches();
    }

    @Override
    public int width() {
        return shape.hidden();
    }

    @Override
    public Picture prepare(Picture picture) {
        return processor.fit(picture);
    }

    @Override
    public int mostImages() {
        return Math.max(1, kernels.rowLimit() / sequence);
    }

    @Override
    public void reserve(int images) {
        int rows = Math.multiplyExact(images, sequence);
        if (activations != null && activations.residual.capacity() >= rows) {
            return;
        }
        if (activations != null) {
            activations.close();
            activations = null;
        }
        activations = Activations.of(kernels, shape, headWidth, rows);
    }

    @Override
    public LateLatents encode(List<Picture> images) {
        int rows = images.size() * sequence;
        if (activations == null || rows == 0 || rows > activations.residual.capacity()) {
            throw new PaloverdeException(
                    ErrorCode.INTERNAL,
                    "a step of %d images was asked for, and there is room for %d tokens of %d an image"
                            .formatted(
                                    images.size(),
                                    activations == null ? 0 : activations.residual.capacity(),
                                    sequence));
        }
        activations.resize(rows);
        begin(images);
        for (VisionWeights.Block block : weights.blocks()) {
            attend(block);
            feedForward(block);
        }
        kernels.normalizeCentered(
                activations.residual,
                weights.norm().gain(),
                weights.norm().bias(),
                shape.normEpsilon(),
                activations.normed);
        LateRows fetched = kernels.fetch(activations.normed);
        return new LateLatents() {
            @Override
            public void await() {
                fetched.await();
            }

            @Override
            public boolean read(int image, float[] out) {
                return fetched.read(image * sequence + shape.prefix(), tokens(), out);
            }

            @Override
            public void close() {
                fetched.close();
            }
        };
    }

    /** The residual begins as what each position adds, and each patch through the first matrix. */
    private void begin(List<Picture> images) {
        int[] positions = new int[activations.residual.rows()];
        for (int row = 0; row < positions.length; row++) {
            positions[row] = row % sequence;
        }
        if (starts.length != images.size() + 1) {
            starts = new int[images.size() + 1];
            Arrays.setAll(starts, image -> image * sequence);
        }
        kernels.embed(weights.positions(), positions, activations.residual);
        kernels.cut(images.stream().map(Picture::rgb).toList(), layout, activations.patches);
        kernels.multiplyAdd(activations.patches, weights.patches(), null, activations.residual);
    }

    private void attend(VisionWeights.Block block) {
        Tensor projected = activations.projected;
        int all = shape.heads() * headWidth;
        kernels.normalizeCentered(
                activations.residual,
                block.attentionNorm().gain(),
                block.attentionNorm().bias(),
                shape.normEpsilon(),
                activations.normed);
        kernels.multiply(activations.normed, block.queryKeyValue(), block.queryKeyValueBias(), projected);
        kernels.attendWithin(
                new Heads(projected, 0, shape.heads(), headWidth),
                new Heads(projected, all, shape.heads(), headWidth),
                new Heads(projected, 2 * all, shape.heads(), headWidth),
                (float) (1 / Math.sqrt(shape.headWidth())),
                starts,
                activations.attended);
        kernels.multiplyAdd(activations.attended, block.output(), block.outputBias(), activations.residual);
    }

    private void feedForward(VisionWeights.Block block) {
        kernels.normalizeCentered(
                activations.residual,
                block.feedForwardNorm().gain(),
                block.feedForwardNorm().bias(),
                shape.normEpsilon(),
                activations.normed);
        kernels.multiplyActivated(
                activations.normed, block.up(), block.upBias(), shape.activation(), activations.inner);
        kernels.multiplyAdd(activations.inner, block.down(), block.downBias(), activations.residual);
    }

    @Override
    public void close() {
        if (activations != null) {
            activations.close();
            activations = null;
        }
        weights.close();
    }

    /**
     * What a step writes between its pixels and its latents.
     *
     * @param patches [rows, numbers of a patch]
     * @param residual [rows, hidden]
     * @param normed [rows, hidden]
     * @param projected [rows, 3 * heads * width]
     * @param attended [rows, heads * width]
     * @param inner [rows, intermediate]
     */
    private record Activations(
            Tensor patches, Tensor residual, Tensor normed, Tensor projected, Tensor attended, Tensor inner) {

        static Activations of(Kernels kernels, VisionConfiguration shape, int headWidth, int rows) {
            int all = shape.heads() * headWidth;
            int[] columns = {shape.patchNumbers(), shape.hidden(), 3 * all, all, shape.intermediate()};
            Deque<Tensor> made = new ArrayDeque<>();
            try {
                made.add(kernels.residual(rows, shape.hidden()));
                for (int width : columns) {
                    made.add(kernels.tensor(rows, width));
                }
            } catch (RuntimeException | Error e) {
                made.forEach(Tensor::close);
                throw e;
            }
            Tensor residual = made.remove();
            return new Activations(made.remove(), residual, made.remove(), made.remove(), made.remove(), made.remove());
        }

        void resize(int rows) {
            all().forEach(tensor -> tensor.resize(rows));
        }

        void close() {
            all().forEach(Tensor::close);
        }

        private List<Tensor> all() {
            return List.of(patches, residual, normed, projected, attended, inner);
        }
    }
}
