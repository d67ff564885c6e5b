package dev.paloverde.gpu.kernels;

/** Keys and values of past positions on a device, in pages. Which page belongs to whom is the engine's affair. */
public interface KvCache extends AutoCloseable {
    /** {@return what a page holds} */
    KvLayout layout();

    /** {@return the number of pages} */
    int pages();

    @Override
    void close();
}
