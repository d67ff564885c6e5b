package dev.paloverde.gpu.kernels;

import java.util.Arrays;

/**
 * Activations on a device: rows by columns, row-major. The number of rows changes from step to step within a fixed
 * capacity; operations work on the rows that are set.
 */
public interface Tensor extends AutoCloseable {
    /** {@return the most rows it can hold} */
    int capacity();

    /** {@return the rows that operations read and write} */
    int rows();

    /** {@return the numbers in a row} */
    int columns();

    /**
     * Sets how many rows count. What stood in them is undefined afterwards.
     *
     * @param rows from 0 to {@link #capacity()}
     */
    void resize(int rows);

    /**
     * Copies one row to the host.
     *
     * @param row from 0 to {@link #rows()}, exclusive
     * @return its {@link #columns()} numbers
     */
    float[] read(int row);

    /**
     * Sets one row from the host.
     *
     * @param row from 0 to {@link #rows()}, exclusive
     * @param values its {@link #columns()} numbers
     */
    void write(int row, float[] values);

    /**
     * Sets neighbouring rows from the host, in one copy where the device gains from that.
     *
     * @param first the first of them
     * @param values at least {@code count * columns()} numbers, row-major
     * @param count how many rows
     */
    default void write(int first, float[] values, int count) {
        for (int i = 0; i < count; i++) {
            write(first + i, Arrays.copyOfRange(values, i * columns(), (i + 1) * columns()));
        }
    }

    @Override
    void close();
}
