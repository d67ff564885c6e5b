package dev.paloverde.gpu.kernels;

/**
 * Rows of a tensor on their way to the host, as they were when they were asked for. A device may still be at work on them:
 * {@link #await} waits. Unlike the kernels they come from, they may be waited for and read by any threads, by several at once;
 * the last closes them, before the kernels are closed.
 */
public interface LateRows extends AutoCloseable {
    /** Waits until the rows are there. Nothing is read before. */
    void await();

    /**
     * Copies neighbouring rows.
     *
     * @param first the first of them
     * @param count how many
     * @param out the first {@code count} * columns numbers: row-major
     * @return whether all of them are finite
     */
    boolean read(int first, int count, float[] out);

    @Override
    void close();
}
