package dev.paloverde.gpu.kernels;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Set;

/**
 * A weight matrix cut into panels of {@link #PANEL} outputs: {@code [panel][input][output in panel]}. The outputs of a
 * panel are neighbours, so they lie along SIMD lanes, and a panel is read once from end to end. The last panel is filled
 * up with zero outputs. bf16 stays bf16; fp16 becomes fp32, since Java 17 has no conversion that keeps up with memory.
 */
final class CpuMatrix extends Resource implements Matrix {
    /** Outputs in a panel. */
    static final int PANEL = 32;

    /** An array cannot hold all of a large one, and a heap in regions likes small arrays better. */
    private static final int MOST_ELEMENTS_PER_BLOCK = 1 << 22;

    private final int rows;
    private final int columns;
    private final int panelsPerBlock;
    private float[][] floats;
    private short[][] halves;

    private CpuMatrix(Set<Resource> books, int rows, int columns, boolean half) {
        super(books);
        this.rows = rows;
        this.columns = columns;
        int panelElements = Math.multiplyExact(columns, PANEL);
        panelsPerBlock = Math.max(1, MOST_ELEMENTS_PER_BLOCK / panelElements);
        int blocks = (panels() + panelsPerBlock - 1) / panelsPerBlock;
        floats = half ? null : new float[blocks][];
        halves = half ? new short[blocks][] : null;
        for (int block = 0; block < blocks; block++) {
            int elements = Math.min(panelsPerBlock, panels() - block * panelsPerBlock) * panelElements;
            if (half) {
                halves[block] = new short[elements];
            } else {
                floats[block] = new float[elements];
            }
        }
    }

    /** Packs matrices of the same number of columns, one below the other. */
    static CpuMatrix pack(Set<Resource> books, List<HostTensor> parts) {
        int columns = parts.get(0).columns();
        long rows = 0;
        boolean half = true;
        for (HostTensor part : parts) {
            if (part.columns() != columns) {
                throw Shapes.wrong("tensor " + part.name() + " has " + part.columns() + " columns, where "
                        + parts.get(0).name() + " above it has " + columns);
            }
            rows += part.rows();
            half &= part.type() == DataType.BF16;
        }
        CpuMatrix matrix = new CpuMatrix(books, Math.toIntExact(rows), columns, half);
        try {
            int first = 0;
            for (HostTensor part : parts) {
                matrix.fill(first, part);
                first += part.rows();
            }
            return matrix;
        } catch (RuntimeException | Error e) {
            matrix.close();
            throw e;
        }
    }

    private void fill(int first, HostTensor part) {
        short[] halfRows = new short[halves == null ? 0 : PANEL * columns];
        float[] floatRows = new float[halves == null ? PANEL * columns : 0];
        for (int from = 0; from < part.rows(); ) {
            // as far as the panel goes
            int row = first + from;
            int lane = row % PANEL;
            int count = Math.min(PANEL - lane, part.rows() - from);
            ByteBuffer source = part.rows(from, count);
            int target = offset(row / PANEL) + lane;
            if (halves == null) {
                HostNumbers.read(source, part.type(), floatRows, count * columns);
                interleave(floatRows, count, floats(row / PANEL), target);
            } else {
                source.asShortBuffer().get(halfRows, 0, count * columns);
                interleave(halfRows, count, halves(row / PANEL), target);
            }
            from += count;
        }
    }

    private void interleave(float[] source, int count, float[] target, int offset) {
        for (int row = 0; row < count; row++) {
            for (int column = 0; column < columns; column++) {
                target[offset + column * PANEL + row] = source[row * columns + column];
            }
        }
    }

    private void interleave(short[] source, int count, short[] target, int offset) {
        for (int row = 0; row < count; row++) {
            for (int column = 0; column < columns; column++) {
                target[offset + column * PANEL + row] = source[row * columns + column];
            }
        }
    }

    /** {@return the number of panels} */
    int panels() {
        return (rows + PANEL - 1) / PANEL;
    }

    /** {@return the outputs of a panel that are not filling} */
    int width(int panel) {
        return Math.min(PANEL, rows - panel * PANEL);
    }

    /** {@return whether the weights are kept as bf16: {@link #halves}, else {@link #floats}} */
    boolean isHalf() {
        ensureOpen();
        return halves != null;
    }

    /** {@return the block that has the panel} */
    float[] floats(int panel) {
        return floats[panel / panelsPerBlock];
    }

    /** {@return the block that has the panel} */
    short[] halves(int panel) {
        return halves[panel / panelsPerBlock];
    }

    /** {@return where in its block the panel begins} */
    int offset(int panel) {
        return panel % panelsPerBlock * columns * PANEL;
    }

    /** Copies one row of the matrix, which is one column of a panel. */
    void copyRow(int row, float[] out, int outOffset) {
        int panel = row / PANEL;
        int offset = offset(panel) + row % PANEL;
        if (halves == null) {
            float[] block = floats(panel);
            for (int column = 0; column < columns; column++) {
                out[outOffset + column] = block[offset + column * PANEL];
            }
        } else {
            short[] block = halves(panel);
            for (int column = 0; column < columns; column++) {
                out[outOffset + column] = Float.intBitsToFloat(block[offset + column * PANEL] << 16);
            }
        }
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
    public long bytes() {
        return (long) panels() * PANEL * columns * (halves == null ? Float.BYTES : Short.BYTES);
    }

    @Override
    String describe() {
        return "matrix of " + rows + " x " + columns;
    }

    @Override
    void release() {
        floats = null;
        halves = null;
    }
}
