package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.device.Buffer;
import java.nio.ByteBuffer;

/**
 * The batch of the running step in the memory of a GPU, and the sizes that its launches are made for. Sizes are powers of
 * two not less than what the batch has, so that few recordings serve all batches; the numbers themselves are read by the
 * kernels.
 *
 * <p>In memory: rows, sequences, then from the 64th byte on tokens, positions, starts and the block tables, each as long as
 * the sizes say.
 */
final class CudaStep implements AutoCloseable {
    private static final int HEADER = 16;
    private static final int FEWEST_ROWS = 8;
    private static final int FEWEST_PAGES = 16;

    /** From so many rows on, a sequence is one that prefills. */
    private static final int MANY_ROWS = 32;

    /**
     * What a recording is made for.
     *
     * @param rows at least the batch's
     * @param sequences at least the batch's
     * @param pages length of a block table
     * @param most at least the rows of any sequence, or {@link #MANY_ROWS}
     * @param few at least the batch's rows where they are fewer than {@link #FEWEST_ROWS}, which it is else: how such a step is
     *     run may depend on it
     */
    record Sizes(int rows, int sequences, int pages, int most, int few) {
        static Sizes of(StepBatch batch) {
            int most = 1;
            int pages = 1;
            for (int s = 0; s < batch.sequences(); s++) {
                most = Math.max(most, batch.starts()[s + 1] - batch.starts()[s]);
                pages = Math.max(pages, batch.pages()[s].length);
            }
            int sequences = Math.max(FEWEST_ROWS, ceiling(batch.sequences()));
            return new Sizes(
                    Math.max(FEWEST_ROWS, ceiling(batch.rows())),
                    sequences,
                    Math.max(FEWEST_PAGES, ceiling(pages)),
                    ceiling(Math.min(most, MANY_ROWS)),
                    Math.min(FEWEST_ROWS, ceiling(batch.rows())));
        }

        private static int ceiling(int size) {
            return size <= 1 ? 1 : Math.multiplyExact(2, Integer.highestOneBit(size - 1));
        }

        private int positions() {
            return HEADER + rows;
        }

        private int starts() {
            return positions() + rows;
        }

        private int tables() {
            // from a multiple of 16 bytes on
            return (starts() + sequences + 1 + 3) / 4 * 4;
        }

        /** {@return how many numbers a batch of these sizes is} */
        int length() {
            return Math.addExact(tables(), Math.multiplyExact(sequences, pages));
        }

        /**
         * Writes a batch as it lies in memory.
         *
         * @param at the byte to begin with
         */
        void write(StepBatch batch, ByteBuffer out, int at) {
            out.putInt(at, batch.rows());
            out.putInt(at + 4, batch.sequences());
            for (int row = 0; row < batch.rows(); row++) {
                out.putInt(at + 4 * (HEADER + row), batch.tokens()[row]);
                out.putInt(at + 4 * (positions() + row), batch.positions()[row]);
            }
            for (int s = 0; s <= batch.sequences(); s++) {
                out.putInt(at + 4 * (starts() + s), batch.starts()[s]);
            }
            for (int s = 0; s < batch.sequences(); s++) {
                int[] table = batch.pages()[s];
                int from = at + 4 * (tables() + s * pages);
                for (int page = 0; page < table.length; page++) {
                    out.putInt(from + 4 * page, table[page]);
                }
            }
        }
    }

    private final CudaKernels kernels;
    private Buffer own;
    private Buffer state;
    private StepBatch batch;
    private Sizes sizes;

    CudaStep(CudaKernels kernels) {
        this.kernels = kernels;
    }

    /** Sends a batch to the GPU and makes it the current one. */
    void begin(StepBatch next) {
        Sizes needed = Sizes.of(next);
        long bytes = 4L * needed.length();
        if (own == null || own.bytes() < bytes) {
            kernels.forgetRecordings();
            if (own != null) {
                kernels.staging().synchronize();
                own.close();
            }
            own = kernels.device().allocate(Math.max(1 << 20, 2 * bytes));
        }
        CudaStaging.Piece piece = kernels.staging().piece((int) bytes);
        needed.write(next, piece.bytes(), 0);
        piece.send(own, 0);
        place(own, next, needed);
    }

    /** Makes a batch the current one that lies on the GPU already, or will when it is needed. */
    void place(Buffer at, StepBatch next, Sizes needed) {
        state = at;
        batch = next;
        sizes = needed;
    }

    /** Ends the step: operations after it are on their own. */
    void end() {
        batch = null;
    }

    /** {@return whether a step is running} */
    boolean running() {
        return batch != null;
    }

    /** {@return whether the running step is one of a chain, whose later batches come of earlier ones} */
    boolean chained() {
        return state != own;
    }

    /** {@return the running step's batch; null outside of one} */
    StepBatch batch() {
        return batch;
    }

    Sizes sizes() {
        return sizes;
    }

    Buffer rows() {
        return state;
    }

    Buffer sequences() {
        return state.slice(4);
    }

    Buffer tokens() {
        return state.slice(4L * HEADER);
    }

    Buffer positions() {
        return state.slice(4L * sizes.positions());
    }

    Buffer starts() {
        return state.slice(4L * sizes.starts());
    }

    Buffer tables() {
        return state.slice(4L * sizes.tables());
    }

    @Override
    public void close() {
        if (own != null) {
            own.close();
        }
    }
}
