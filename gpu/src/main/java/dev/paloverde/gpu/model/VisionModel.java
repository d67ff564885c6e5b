package dev.paloverde.gpu.model;

import dev.paloverde.gpu.image.Picture;
import java.util.List;

/** A vision encoder on a device. Confined to one thread at a time, but for {@link #prepare}; the caller closes it. */
public interface VisionModel extends AutoCloseable {
    /** What a patch's latent is. */
    enum Latents {
        /** The model's last hidden state, after its final norm: what transformers calls {@code last_hidden_state}. */
        HIDDEN,
        /**
         * The final norm without its gain and bias: mean 0 and variance 1 within each latent, as representation
         * autoencoders take them (Zheng et al., arXiv 2510.11690).
         */
        NORMALIZED
    }

    /** {@return the latents of an image, one for each patch, row by row from the top left} */
    int tokens();

    /** {@return the numbers of a latent} */
    int width();

    /**
     * Resizes and cuts a picture as the model's own processor does. Safe on any thread.
     *
     * @return of the size that {@link #encode} takes
     */
    Picture prepare(Picture picture);

    /** {@return the most images that the device can take in one step} */
    int mostImages();

    /**
     * Makes room for steps of up to this many images.
     *
     * @param images the most of a step, at most {@link #mostImages()}
     */
    void reserve(int images);

    /**
     * Normalises and encodes images, and need not wait for the device. What one gets does not depend on the others.
     *
     * @param images of {@link #prepare}; at least one, and at most as many as there is room for
     * @return owned by the caller
     */
    LateLatents encode(List<Picture> images);

    @Override
    void close();
}
