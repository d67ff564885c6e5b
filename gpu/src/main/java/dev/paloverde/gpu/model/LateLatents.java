package dev.paloverde.gpu.model;

/**
 * The latents of a step's images, which a device may still be computing or sending: {@link #await} waits. May be waited for and
 * read by any threads, by several at once; the last closes them, before the model is closed.
 */
public interface LateLatents extends AutoCloseable {
    /** Waits until the latents are there. Nothing is read before. */
    void await();

    /**
     * Copies the latents of one image.
     *
     * @param image which of the step's
     * @param out [tokens, width]
     * @return whether all of them are finite
     */
    boolean read(int image, float[] out);

    @Override
    void close();
}
