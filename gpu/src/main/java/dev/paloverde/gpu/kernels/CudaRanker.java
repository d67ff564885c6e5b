package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.device.Arguments;
import dev.paloverde.gpu.device.Buffer;
import dev.paloverde.gpu.device.Kernel;
import java.nio.ByteBuffer;

/** Ranks tokens on a GPU: a block of threads for each row, which looks at its logits several times. */
final class CudaRanker implements TokenRanker, AutoCloseable {
    /** The most rows whose logits lie on the device at once. */
    private static final int ROWS = 128;

    private static final int RANKS = 1024;
    private static final int THREADS = 1024;
    private static final int ASK_BYTES = 64;
    private static final int HEADER_BYTES = 32;
    private static final int RECORD_BYTES = HEADER_BYTES + 12 * RANKS;

    private final CudaKernels kernels;
    private final CudaHead head;
    private final Kernel rank;
    private final Arguments arguments = new Arguments();
    private final Buffer asked;
    private final Buffer found;
    private Buffer seen;
    private int vocabulary;

    /** @param rank the kernel */
    CudaRanker(CudaKernels kernels, CudaHead head, Kernel rank) {
        this.kernels = kernels;
        this.head = head;
        this.rank = rank;
        asked = kernels.device().allocate((long) ASK_BYTES * ROWS);
        found = kernels.device().allocate((long) RECORD_BYTES * ROWS);
        seen = kernels.device().allocate(1 << 16);
    }

    @Override
    public int rows() {
        return ROWS;
    }

    @Override
    public RankedRows rank(Tensor hidden, Matrix projection, Asks asks) {
        CudaTensor from = kernels.own(hidden, CudaTensor.class);
        CudaMatrix matrix = kernels.own(projection, CudaMatrix.class);
        int rows = hidden.rows();
        Shapes.atLeast(ROWS, rows, "most rows to rank at once", "rows");
        if (vocabulary != matrix.rows()) {
            vocabulary = matrix.rows();
            rank.dynamicShared((vocabulary + 31) / 32 * 4);
        }
        Buffer logits = head.logitsThere(from, matrix);
        send(asks, rows);
        arguments
                .clear()
                .pointer(logits)
                .pointer(asked)
                .pointer(seen)
                .pointer(found)
                .pointer(kernels.rows(rows))
                .integer(CudaHead.stride(matrix))
                .integer(vocabulary);
        kernels.launch(rank, rows, 1, THREADS, arguments);
        return new Rows(kernels.staging().fetch(found, 0, RECORD_BYTES * rows), Math.min(RANKS, vocabulary));
    }

    private void send(Asks asks, int rows) {
        int tokens = 0;
        for (int row = 0; row < rows; row++) {
            tokens = Math.addExact(tokens, asks.seen()[row].length);
        }
        if (seen.bytes() < 4L * tokens) {
            kernels.staging().synchronize();
            seen.close();
            seen = kernels.device().allocate(8L * tokens);
        }
        TokenChooser.Draws draws = asks.draws();
        CudaStaging.Piece piece = kernels.staging().piece(ASK_BYTES * rows);
        ByteBuffer out = piece.bytes();
        int first = 0;
        for (int row = 0; row < rows; row++) {
            int at = ASK_BYTES * row;
            int count = asks.seen()[row].length;
            out.putFloat(at, draws.temperatures()[row]);
            out.putFloat(at + 4, asks.penalties()[row]);
            out.putInt(at + 8, first);
            out.putInt(at + 12, count);
            CudaHead.draw(out, at + 16, draws, row);
            out.putInt(at + 48, asks.drawn()[row] ? 1 : 0);
            first += count;
        }
        piece.send(asked, 0);
        if (tokens > 0) {
            CudaStaging.Piece list = kernels.staging().piece(4 * tokens);
            int next = 0;
            for (int row = 0; row < rows; row++) {
                for (int token : asks.seen()[row]) {
                    list.bytes().putInt(4 * next++, token);
                }
            }
            list.send(seen, 0);
        }
    }

    /** Rows as they came from the device. */
    private record Rows(ByteBuffer bytes, int ranks) implements RankedRows {
        @Override
        public boolean lawful(int row) {
            return bytes.getInt(RECORD_BYTES * row + 24) == 0;
        }

        @Override
        public float largest(int row) {
            return bytes.getFloat(RECORD_BYTES * row + 16);
        }

        @Override
        public double sum(int row) {
            return bytes.getDouble(RECORD_BYTES * row);
        }

        @Override
        public double mass(int row) {
            return bytes.getDouble(RECORD_BYTES * row + 8);
        }

        @Override
        public int drawn(int row) {
            return bytes.getInt(RECORD_BYTES * row + 28);
        }

        @Override
        public int token(int row, int rank) {
            return bytes.getInt(at(row, 0, rank));
        }

        @Override
        public float logit(int row, int rank) {
            return bytes.getFloat(at(row, 1, rank));
        }

        @Override
        public float plainLogit(int row, int rank) {
            return bytes.getFloat(at(row, 2, rank));
        }

        private static int at(int row, int list, int rank) {
            return RECORD_BYTES * row + HEADER_BYTES + 4 * (RANKS * list + rank);
        }
    }

    @Override
    public void close() {
        asked.close();
        found.close();
        seen.close();
    }
}
