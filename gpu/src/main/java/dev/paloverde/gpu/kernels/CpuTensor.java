package dev.paloverde.gpu.kernels;

import java.util.Arrays;
import java.util.Set;

/** Activations in one heap array, row-major, without gaps. */
final class CpuTensor extends Resource implements Tensor {
    private final int capacity;
    private final int columns;
    private float[] values;
    private int rows;

    CpuTensor(Set<Resource> books, int capacity, int columns) {
        super(books);
        this.capacity = capacity;
        this.columns = columns;
        this.values = new float[capacity * columns];
    }

    /** {@return [capacity, columns]} */
    float[] values() {
        ensureOpen();
        return values;
    }

    @Override
    public int capacity() {
        return capacity;
    }

    @Override
    public int rows() {
        return rows;
    }

    @Override
    public int columns() {
        return columns;
    }

    @Override
    public void resize(int newRows) {
        if (newRows < 0 || newRows > capacity) {
            throw Shapes.wrong(describe() + " cannot have " + newRows + " rows; make it larger");
        }
        rows = newRows;
    }

    @Override
    public float[] read(int row) {
        ensureOpen();
        Shapes.index(row, rows, "row");
        return Arrays.copyOfRange(values, row * columns, (row + 1) * columns);
    }

    @Override
    public void write(int row, float[] source) {
        ensureOpen();
        Shapes.index(row, rows, "row");
        Shapes.same(source.length, columns, "numbers given for a row", "columns of the tensor");
        System.arraycopy(source, 0, values, row * columns, columns);
    }

    @Override
    public void write(int first, float[] source, int count) {
        ensureOpen();
        Shapes.atLeast(rows, first + count, "rows of the tensor", "rows to write");
        Shapes.atLeast(source.length, count * columns, "numbers given", "numbers of the rows");
        System.arraycopy(source, 0, values, first * columns, count * columns);
    }

    @Override
    String describe() {
        return "tensor of " + capacity + " x " + columns;
    }

    @Override
    void release() {
        values = null;
    }
}
