package dev.paloverde.gpu.kernels;

/** A weight vector on a device (a norm's gain, a projection's bias), kept in fp32. */
public interface Weights extends AutoCloseable {
    /** {@return the number of weights} */
    int length();

    @Override
    void close();
}
