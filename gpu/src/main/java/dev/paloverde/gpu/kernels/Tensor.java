package dev.paloverde.gpu.kernels;

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

    @Override
    void close();
}
