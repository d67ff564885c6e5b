package dev.paloverde.gpu.kernels;

import java.nio.ByteBuffer;

/**
 * A weight as its file holds it: row-major, little-endian, on the host. A vector is a matrix of one row. Reading one
 * never copies the file; buffers stay valid as long as the file that gave them is open.
 */
public interface HostTensor {
    /** {@return the name in the file, for messages} */
    String name();

    /** {@return how its numbers are stored} */
    DataType type();

    /** {@return the number of rows (outputs, for a projection)} */
    int rows();

    /** {@return the number of columns (inputs, for a projection)} */
    int columns();

    /**
     * Rows as they lie in the file.
     *
     * @param first the first row
     * @param count how many rows, few enough that they take less than 2 GiB
     * @return a little-endian buffer of {@code count * columns() * type().bytes()} bytes, its position at its start
     */
    ByteBuffer rows(int first, int count);

    /** {@return all its numbers as fp32, which every fp16 and every bf16 number is, row-major} */
    default float[] numbers() {
        float[] numbers = new float[Math.multiplyExact(rows(), columns())];
        float[] row = new float[columns()];
        for (int i = 0; i < rows(); i++) {
            HostNumbers.read(rows(i, 1), type(), row, row.length);
            System.arraycopy(row, 0, numbers, i * row.length, row.length);
        }
        return numbers;
    }
}
