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
     */
    record Sizes(int rows, int sequences, int pages, int most) {
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
                    ceiling(Math.min(most, MANY_ROWS)));
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

        private int length() {
            return Math.addExact(tables(), Math.multiplyExact(sequences, pages));
        }
    }

    private final CudaKernels kernels;
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
        if (state == null || state.bytes() < bytes) {
            kernels.forgetRecordings();
            if (state != null) {
                kernels.staging().synchronize();
                state.close();
            }
            state = kernels.device().allocate(Math.max(1 << 20, 2 * bytes));
        }
        CudaStaging.Piece piece = kernels.staging().piece((int) bytes);
        ByteBuffer out = piece.bytes();
        out.putInt(0, next.rows());
        out.putInt(4, next.sequences());
        for (int row = 0; row < next.rows(); row++) {
            out.putInt(4 * (HEADER + row), next.tokens()[row]);
            out.putInt(4 * (needed.positions() + row), next.positions()[row]);
        }
        for (int s = 0; s <= next.sequences(); s++) {
            out.putInt(4 * (needed.starts() + s), next.starts()[s]);
        }
        for (int s = 0; s < next.sequences(); s++) {
            int[] pages = next.pages()[s];
            int table = 4 * (needed.tables() + s * needed.pages());
            for (int page = 0; page < pages.length; page++) {
                out.putInt(table + 4 * page, pages[page]);
            }
        }
        piece.send(state, 0);
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
        if (state != null) {
            state.close();
        }
    }
}
