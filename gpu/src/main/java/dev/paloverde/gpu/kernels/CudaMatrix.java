package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.device.Buffer;
import java.util.Set;

/**
 * A weight matrix in the memory of a GPU: bf16, in tiles of 64 outputs by 64 inputs of 8 KiB each, tiles of the same outputs
 * one behind the other. A tile is what the matrix units read from shared memory, bit by bit: a row of 128 bytes for each
 * output, the 16-byte pieces of row r exchanged by {@code piece ^ r % 8} (the engine's 128-byte swizzle). Missing outputs
 * and inputs are zeros.
 */
final class CudaMatrix extends Resource implements Matrix {
    /** How the outputs stand. */
    enum Order {
        /** As they were given. */
        GIVEN,
        /** Eight of the gate, eight of what it gates, and so on: a thread's part of a product has both. */
        GATED
    }

    private final CudaKernels kernels;
    private final int rows;
    private final int columns;
    private final Order order;
    private final Buffer tiles;

    CudaMatrix(Set<Resource> books, CudaKernels kernels, int rows, int columns, Order order) {
        super(books);
        this.kernels = kernels;
        this.rows = rows;
        this.columns = columns;
        this.order = order;
        this.tiles = kernels.device().allocate(2L * CudaTensor.padded(rows) * CudaTensor.padded(columns));
    }

    Buffer tiles() {
        ensureOpen();
        return tiles;
    }

    Order order() {
        return order;
    }

    @Override
    public int rows() {
        return rows;
    }

    @Override
    public int columns() {
        return columns;
    }

    /** {@return the inputs, rounded up to whole tiles} */
    int paddedColumns() {
        return CudaTensor.padded(columns);
    }

    @Override
    public long bytes() {
        return tiles.bytes();
    }

    @Override
    String describe() {
        return "matrix of " + rows + " x " + columns;
    }

    @Override
    void release() {
        kernels.forgetRecordings();
        tiles.close();
    }
}
