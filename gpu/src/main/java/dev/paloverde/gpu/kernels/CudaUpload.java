package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.device.Arguments;
import dev.paloverde.gpu.device.Buffer;
import dev.paloverde.gpu.device.Event;
import dev.paloverde.gpu.device.HostBuffer;
import dev.paloverde.gpu.device.Kernel;
import java.nio.ByteBuffer;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * Carries weights from model files to a GPU: from the mapped file to pinned memory on several threads, to the device, and
 * there into the tiles that products read; two pieces are on their way at a time. It is closed when the weights are there.
 */
final class CudaUpload implements AutoCloseable {
    private static final int PIECE_BYTES = 32 << 20;
    private static final int SLICES = 8;
    private static final int THREADS = 256;
    private static final int BLOCKS = 1024;

    /** Where a row of a source goes, as the kernel counts it. */
    enum Placement {
        PLAIN,
        GATE,
        UP
    }

    private final CudaKernels kernels;
    private final Kernel tile;
    private final Supplier<Kernel> quantize;
    private final Arguments arguments = new Arguments();
    private final HostBuffer[] host = new HostBuffer[2];
    private final Buffer[] device = new Buffer[2];
    private final Event[] sent = new Event[2];
    private int turn;

    /**
     * @param tile brings rows into tiles
     * @param quantize brings rows into strips of e4m3 numbers; asked for when there are such
     */
    CudaUpload(CudaKernels kernels, Kernel tile, Supplier<Kernel> quantize) {
        this.kernels = kernels;
        this.tile = tile;
        this.quantize = quantize;
        for (int i = 0; i < host.length; i++) {
            host[i] = kernels.device().pinned(PIECE_BYTES);
            device[i] = kernels.device().allocate(PIECE_BYTES);
            sent[i] = kernels.device().event();
        }
    }

    /**
     * Carries a matrix.
     *
     * @param first the row of {@code to} that the source's first row is; of the gate or of up, if it is one of these
     */
    void send(HostTensor source, CudaMatrix to, int first, Placement placement) {
        int rowBytes = Math.multiplyExact(source.columns(), source.type().bytes());
        // whole groups of eight rows, since that is what a placement counts in
        int most = Math.max(8, PIECE_BYTES / rowBytes / 8 * 8);
        if ((long) most * rowBytes > PIECE_BYTES) {
            throw Shapes.wrong(
                    "rows of " + rowBytes + " bytes are too long for the device; 8 of them are carried at once");
        }
        for (int row = 0; row < source.rows(); row += most) {
            int rows = Math.min(most, source.rows() - row);
            int slot = turn++ % host.length;
            sent[slot].synchronize();
            copy(source.rows(row, rows), host[slot].view());
            kernels.stream().copyIn(host[slot], 0, device[slot], 0, (long) rows * rowBytes);
            arguments.clear().pointer(device[slot]).pointer(to.tiles());
            to.scales().ifPresent(arguments::pointer);
            arguments
                    .nothing()
                    .wide(source.columns())
                    .integer(rows)
                    .integer(source.columns())
                    .integer(first + row)
                    .integer(to.paddedColumns())
                    .integer(type(source.type()))
                    .integer(placement.ordinal());
            kernels.launchAlone(to.scales().isPresent() ? quantize.get() : tile, BLOCKS, THREADS, arguments);
            kernels.stream().record(sent[slot]);
        }
    }

    private static int type(DataType type) {
        return switch (type) {
            case BF16 -> 0;
            case F16 -> 1;
            case F32 -> 2;
        };
    }

    /** Copies on several threads: one alone is slower than the bus. */
    private static void copy(ByteBuffer from, ByteBuffer to) {
        int bytes = from.remaining();
        int start = from.position();
        int slice = (bytes + SLICES - 1) / SLICES;
        if (bytes < 1 << 20) {
            to.put(0, from, start, bytes);
            return;
        }
        IntStream.range(0, SLICES).parallel().forEach(i -> {
            int first = i * slice;
            to.put(first, from, start + first, Math.max(0, Math.min(slice, bytes - first)));
        });
    }

    /** Waits for what is on its way, and gives the memory back. */
    @Override
    public void close() {
        kernels.staging().synchronize();
        for (int i = 0; i < host.length; i++) {
            sent[i].close();
            device[i].close();
            host[i].close();
        }
    }
}
