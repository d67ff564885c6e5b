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

/** Answers on their way from a GPU: in pinned memory of their own, with a mark in the stream behind the copy. */
final class CudaAnswers implements LateAnswers {
    /** Bytes of a row: its token, its log-probability, and a flag that is 0 where the logits have a softmax. */
    static final int ROW_BYTES = 12;

    /** Answers that are used again when they are closed. */
    static final class Pool implements AutoCloseable {
        private final Device device;
        private final Stream stream;
        private final int rows;
        private final Deque<CudaAnswers> free = new ArrayDeque<>();
        private final List<CudaAnswers> made = new ArrayList<>();

        /** @param rows the most that an operation has */
        Pool(Device device, Stream stream, int rows) {
            this.device = device;
            this.stream = stream;
            this.rows = rows;
        }

        /**
         * Queues a copy of answers.
         *
         * @param from tokens, log-probabilities and flags of so many rows, one array behind the other
         */
        CudaAnswers fetch(Buffer from, int count) {
            CudaAnswers answers = free.poll();
            if (answers == null) {
                answers = new CudaAnswers(this);
                made.add(answers);
            }
            answers.count = count;
            stream.copyOut(from, 0, answers.memory, 0, (long) ROW_BYTES * count);
            stream.record(answers.there);
            return answers;
        }

        /** Gives back all memory, of open answers too: the stream has been waited for. */
        @Override
        public void close() {
            for (CudaAnswers answers : made) {
                answers.there.close();
                answers.memory.close();
            }
        }
    }

    private final Pool pool;
    private final HostBuffer memory;
    private final Event there;
    private final ByteBuffer bytes;
    private int count;

    private CudaAnswers(Pool pool) {
        this.pool = pool;
        memory = pool.device.pinned((long) ROW_BYTES * pool.rows);
        there = pool.device.event();
        bytes = memory.view().order(ByteOrder.LITTLE_ENDIAN);
    }

    @Override
    public void await() {
        there.synchronize();
    }

    @Override
    public int token(int row) {
        return bytes.getInt(4 * row);
    }

    @Override
    public float logProbability(int row) {
        boolean number = bytes.getInt(4 * (2 * count + row)) == 0;
        return number ? bytes.getFloat(4 * (count + row)) : Float.NaN;
    }

    @Override
    public void close() {
        pool.free.push(this);
    }
}
