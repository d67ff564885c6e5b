package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.device.Buffer;
import dev.paloverde.gpu.device.Device;
import dev.paloverde.gpu.device.Event;
import dev.paloverde.gpu.device.HostBuffer;
import dev.paloverde.gpu.device.Stream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Rows of bf16 numbers on their way from a GPU. They are set aside on the device, which goes on with what comes next while
 * they travel, on a queue of their own, to pinned memory of their own.
 */
final class CudaRows implements LateRows {
    /** Bits of a bf16 number that are all set where it is none, or infinite. */
    private static final int EXPONENT = 0x7f80;

    /** The lowest of them, and the bit that adding it then carries into. */
    private static final int LOWEST = 0x80;

    private static final int CARRY = 0x8000;

    /** Rows that are used again when they are closed. */
    static final class Pool implements AutoCloseable {
        private final CudaKernels kernels;
        private final Stream copies;
        private final Deque<CudaRows> free = new ArrayDeque<>();
        private final List<CudaRows> made = new ArrayList<>();

        Pool(CudaKernels kernels) {
            this.kernels = kernels;
            copies = kernels.device().stream();
        }

        /** Queues the copies of all rows of an operand. */
        CudaRows fetch(CudaTensor tensor) {
            int bytes = Math.multiplyExact(Short.BYTES * tensor.rows(), tensor.stride());
            CudaRows rows = take(bytes);
            rows.columns = tensor.columns();
            rows.stride = tensor.stride();
            kernels.stream().copy(tensor.values(), 0, rows.aside, 0, bytes);
            kernels.stream().record(rows.ready);
            copies.await(rows.ready);
            copies.copyOut(rows.aside, 0, rows.memory, 0, bytes);
            copies.record(rows.there);
            return rows;
        }

        /** {@return free ones with enough room; those that are free and too small are given back} */
        private synchronized CudaRows take(int bytes) {
            for (CudaRows rows = free.poll(); rows != null; rows = free.poll()) {
                if (rows.memory.bytes() >= bytes) {
                    return rows;
                }
                made.remove(rows);
                rows.release();
            }
            CudaRows rows = new CudaRows(this, Math.max(1, bytes));
            made.add(rows);
            return rows;
        }

        private synchronized void give(CudaRows rows) {
            free.push(rows);
        }

        /** Gives back all memory, of open rows too: the device has been waited for. */
        @Override
        public synchronized void close() {
            copies.synchronize();
            made.forEach(CudaRows::release);
            copies.close();
        }
    }

    private final Pool pool;
    private final Buffer aside;
    private final HostBuffer memory;
    private final Event ready;
    private final Event there;
    private final ByteBuffer bytes;
    private int columns;
    private int stride;

    private CudaRows(Pool pool, int size) {
        this.pool = pool;
        Device device = pool.kernels.device();
        aside = device.allocate(size);
        memory = device.pinned(size);
        ready = device.event();
        there = device.quietEvent();
        bytes = memory.view().order(ByteOrder.LITTLE_ENDIAN);
    }

    @Override
    public void await() {
        pool.kernels.attach();
        there.synchronize();
    }

    @Override
    public boolean read(int first, int count, float[] out) {
        short[] row = new short[columns];
        int odd = 0;
        for (int i = 0; i < count; i++) {
            bytes.slice(Short.BYTES * stride * (first + i), Short.BYTES * columns)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .asShortBuffer()
                    .get(row);
            int to = i * columns;
            for (int column = 0; column < columns; column++) {
                int number = row[column];
                odd |= (number & EXPONENT) + LOWEST;
                out[to + column] = Float.intBitsToFloat(number << 16);
            }
        }
        return (odd & CARRY) == 0;
    }

    @Override
    public void close() {
        await();
        pool.give(this);
    }

    private void release() {
        there.close();
        ready.close();
        memory.close();
        aside.close();
    }
}
