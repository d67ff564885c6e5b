package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.device.Buffer;
import java.util.Optional;
import java.util.Set;

/**
 * A weight matrix in the memory of a GPU: bf16, in tiles of 64 outputs by 64 inputs of 8 KiB each, tiles of the same outputs
 * one behind the other. A tile is what the matrix units read from shared memory, bit by bit: a row of 128 bytes for each
 * output, the 16-byte pieces of row r exchanged by {@code piece ^ r % 8} (the engine's 128-byte swizzle). Missing outputs
 * and inputs are zeros.
 *
 * <p>Or of eight bits a weight, in strips of 16 outputs as {@code products_fp8.cuh} says, with a scale for each
 * output, fp32, in the order of the outputs.
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
    private final Buffer scales;

    CudaMatrix(
            Set<Resource> books, CudaKernels kernels, int rows, int columns, Order order, Quantization quantization) {
        super(books);
        this.kernels = kernels;
        this.rows = rows;
        this.columns = columns;
        this.order = order;
        long weights = (long) CudaTensor.padded(rows) * CudaTensor.padded(columns);
        boolean quantized = quantization == Quantization.FP8;
        this.tiles = kernels.device().allocate(quantized ? weights : 2 * weights);
        this.scales = quantized ? kernels.device().allocate(4L * CudaTensor.padded(rows)) : null;
    }

    Buffer tiles() {
        ensureOpen();
        return tiles;
    }

    /** {@return the scales of the outputs, if the weights are e4m3 numbers} */
    Optional<Buffer> scales() {
        ensureOpen();
        return Optional.ofNullable(scales);
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
        return tiles.bytes() + (scales == null ? 0 : scales.bytes());
    }

    @Override
    String describe() {
        return "matrix of " + rows + " x " + columns;
    }

    @Override
    void release() {
        kernels.forgetRecordings();
        tiles.close();
        if (scales != null) {
            scales.close();
        }
    }
}
