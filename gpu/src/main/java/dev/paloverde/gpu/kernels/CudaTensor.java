package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.device.Buffer;
import java.nio.ByteBuffer;
import java.util.Set;

/**
 * Activations in the memory of a GPU, row-major. Sums are fp32 without gaps; what feeds products is bf16, each row padded
 * with zeros to a multiple of 64 numbers, with a descriptor beside it by which the copy engine fetches tiles.
 */
final class CudaTensor extends Resource implements Tensor {
    /** Columns that a product takes at a time. */
    static final int TILE = 64;

    private static final int DESCRIPTOR_BYTES = 256;

    /** How numbers are kept. */
    enum Kind {
        /** fp32 that products are added to. */
        RESIDUAL(4),
        /** bf16 that products are made of. */
        OPERAND(2);

        private final int bytes;

        Kind(int bytes) {
            this.bytes = bytes;
        }
    }

    private final CudaKernels kernels;
    private final Kind kind;
    private final int capacity;
    private final int columns;
    private final int stride;
    private final Buffer values;
    private final Buffer descriptor;
    private int rows;
    private float[] mirror;
    private long mirrored = -1;

    CudaTensor(Set<Resource> books, CudaKernels kernels, Kind kind, int capacity, int columns) {
        super(books);
        this.kernels = kernels;
        this.kind = kind;
        this.capacity = capacity;
        this.columns = columns;
        this.stride = kind == Kind.OPERAND ? padded(columns) : columns;
        long tall = padded(Math.max(capacity, 1));
        values = kernels.device().allocate(tall * stride * kind.bytes);
        kernels.stream().fill(values, 0, (byte) 0, values.bytes());
        descriptor = kind == Kind.OPERAND ? kernels.device().allocate(DESCRIPTOR_BYTES) : null;
    }

    /** {@return the least multiple of 64 that is not less} */
    static int padded(int size) {
        return Math.addExact(size, TILE - 1) / TILE * TILE;
    }

    Kind kind() {
        return kind;
    }

    Buffer values() {
        ensureOpen();
        return values;
    }

    Buffer descriptor() {
        ensureOpen();
        if (descriptor == null) {
            throw Shapes.wrong(describe() + " holds sums; products are made of operands, from Kernels.tensor");
        }
        return descriptor;
    }

    /** {@return numbers from one row to the next} */
    int stride() {
        return stride;
    }

    /** {@return rows of memory, at least {@link #capacity()}} */
    int tall() {
        return padded(Math.max(capacity, 1));
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

    /** Fetches all rows at once the first time after anything was queued: who reads one row reads others. */
    @Override
    public float[] read(int row) {
        ensureOpen();
        kernels.attach();
        Shapes.index(row, rows, "row");
        if (mirrored != kernels.launches() || mirror.length < rows * columns) {
            if (mirror == null || mirror.length < rows * columns) {
                mirror = new float[rows * columns];
            }
            fetch();
            mirrored = kernels.launches();
        }
        float[] numbers = new float[columns];
        System.arraycopy(mirror, row * columns, numbers, 0, columns);
        return numbers;
    }

    private void fetch() {
        int perCopy =
                (int) Math.max(1, Math.min(rows, kernels.staging().capacity() / 2 / ((long) stride * kind.bytes)));
        for (int first = 0; first < rows; first += perCopy) {
            int count = Math.min(perCopy, rows - first);
            long rowBytes = (long) stride * kind.bytes;
            ByteBuffer bytes = kernels.staging().fetch(values, first * rowBytes, (int) (count * rowBytes));
            for (int i = 0; i < count; i++) {
                for (int column = 0; column < columns; column++) {
                    int at = (i * stride + column) * kind.bytes;
                    mirror[(first + i) * columns + column] =
                            kind == Kind.OPERAND ? Float.intBitsToFloat(bytes.getShort(at) << 16) : bytes.getFloat(at);
                }
            }
        }
    }

    @Override
    public void write(int row, float[] source) {
        ensureOpen();
        kernels.attach();
        Shapes.index(row, rows, "row");
        Shapes.same(source.length, columns, "numbers given for a row", "columns of the tensor");
        CudaStaging.Piece piece = kernels.staging().piece(columns * kind.bytes);
        for (int column = 0; column < columns; column++) {
            if (kind == Kind.OPERAND) {
                piece.bytes().putShort(column * 2, HostNumbers.floatToBf16(source[column]));
            } else {
                piece.bytes().putFloat(column * 4, source[column]);
            }
        }
        piece.send(values, (long) row * stride * kind.bytes);
        mirrored = -1;
    }

    @Override
    public void write(int first, float[] source, int count) {
        ensureOpen();
        Shapes.atLeast(rows, first + count, "rows of the tensor", "rows to write");
        Shapes.atLeast(source.length, count * columns, "numbers given", "numbers of the rows");
        long rowBytes = (long) stride * kind.bytes;
        int perCopy = (int) Math.max(1, Math.min(count, kernels.staging().capacity() / 4 / rowBytes));
        for (int done = 0; done < count; done += perCopy) {
            int some = Math.min(perCopy, count - done);
            CudaStaging.Piece piece = kernels.staging().piece((int) (some * rowBytes));
            for (int row = 0; row < some; row++) {
                put(source, (done + row) * columns, piece.bytes(), (int) (row * rowBytes));
            }
            piece.send(values, (first + done) * rowBytes);
        }
        mirrored = -1;
    }

    /** One row, with zeros in its padding. */
    private void put(float[] source, int from, ByteBuffer target, int to) {
        for (int column = 0; column < stride; column++) {
            float number = column < columns ? source[from + column] : 0;
            if (kind == Kind.OPERAND) {
                target.putShort(to + 2 * column, HostNumbers.floatToBf16(number));
            } else {
                target.putFloat(to + 4 * column, number);
            }
        }
    }

    @Override
    String describe() {
        return "tensor of " + capacity + " x " + columns;
    }

    @Override
    void release() {
        kernels.forgetRecordings();
        values.close();
        if (descriptor != null) {
            descriptor.close();
        }
    }
}
