package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.device.Buffer;
import dev.paloverde.gpu.device.Device;
import dev.paloverde.gpu.device.Event;
import dev.paloverde.gpu.device.HostBuffer;
import dev.paloverde.gpu.device.Stream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Pinned memory that small things pass through on their way to the GPU and back. Pieces are handed out one behind the other
 * from one half, then from the other: the pieces of a half come back together, when the stream has passed the last of them.
 */
final class CudaStaging implements AutoCloseable {
    private static final int ALIGNMENT = 256;

    private final Stream stream;
    private final HostBuffer memory;
    private final Event[] passed;
    private final long half;
    private int current;
    private long next;

    /** @param bytes the most that a piece may have */
    CudaStaging(Device device, Stream stream, long bytes) {
        this.stream = stream;
        this.half = bytes;
        this.memory = device.pinned(2 * bytes);
        this.passed = new Event[] {device.event(), device.event()};
    }

    /** {@return the most bytes that a piece may have} */
    long capacity() {
        return half;
    }

    /** A piece of pinned memory, to be filled and sent. */
    final class Piece {
        private final long offset;
        private final ByteBuffer bytes;

        private Piece(long offset, int size) {
            this.offset = offset;
            this.bytes = memory.view().slice((int) offset, size).order(ByteOrder.LITTLE_ENDIAN);
        }

        /** {@return the memory, little-endian, from 0} */
        ByteBuffer bytes() {
            return bytes;
        }

        /** Queues the copy of the whole piece. */
        void send(Buffer to, long at) {
            stream.copyIn(memory, offset, to, at, bytes.capacity());
        }
    }

    /** {@return a piece to fill, before anything else is asked of the stream; it may wait, if too much is on its way} */
    Piece piece(int size) {
        return new Piece(reserve(size), size);
    }

    /** Waits for the stream; {@return what lies on the device, valid until the next piece is asked for} */
    ByteBuffer fetch(Buffer from, long at, int size) {
        long offset = reserve(size);
        stream.copyOut(from, at, memory, offset, size);
        synchronize();
        return memory.view().slice((int) offset, size).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Waits until all that is queued is done. */
    void synchronize() {
        stream.synchronize();
    }

    private long reserve(int size) {
        if (size > half) {
            throw Shapes.wrong(size + " bytes do not pass through " + half + " bytes of pinned memory");
        }
        if (next + size > half) {
            stream.record(passed[current]);
            current = 1 - current;
            passed[current].synchronize();
            next = 0;
        }
        long offset = current * half + next;
        next = Math.min(half, (next + size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
        return offset;
    }

    @Override
    public void close() {
        memory.close();
        for (Event event : passed) {
            event.close();
        }
    }
}
