package dev.paloverde.gpu.kernels;

/** A weight matrix on a device, in the layout its kernels like best: {@code rows} outputs by {@code columns} inputs. */
public interface Matrix extends AutoCloseable {
    /** {@return the number of outputs} */
    int rows();

    /** {@return the number of inputs} */
    int columns();

    /** {@return the memory it takes on its device, in bytes} */
    long bytes();

    @Override
    void close();
}
