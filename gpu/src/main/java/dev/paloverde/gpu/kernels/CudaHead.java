package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.device.Arguments;
import dev.paloverde.gpu.device.Buffer;
import dev.paloverde.gpu.device.Kernel;
import java.nio.ByteBuffer;

/**
 * What is wanted of the output projection on a GPU: the log-probability of a token, a token to be chosen, or logits of few
 * rows. The first two are found while the product is made: of each row, 128 tokens at a time leave a few numbers, which a
 * second kernel puts together.
 */
final class CudaHead implements TokenChooser, AutoCloseable {
    /** The most rows that are chosen for at once. */
    private static final int CHOOSE_ROWS = 256;

    /** Rows that are scored at once: enough that the projection is read once for many. */
    static final int SCORE_ROWS = 8192;

    private static final int BLOCK_TOKENS = 128;
    private static final int SCORE_BYTES = 16;
    private static final int CHOOSE_BYTES = 32;
    private static final int DRAW_BYTES = 32;
    private static final int FINISH_THREADS = 128;

    private final CudaKernels kernels;
    private final CudaProducts products;
    private final Kernel scoreFinish;
    private final Kernel chooseFinish;
    private final Arguments arguments = new Arguments();

    /** Targets or draws of the rows. */
    private final Buffer asked;

    /** What comes out: tokens, then log-probabilities, then flags. */
    private final Buffer found;

    /** The tokens that were chosen, at the entries that steps refer to. */
    private final Buffer chosen;

    private final CudaAnswers.Pool answers;
    private Buffer workspace;

    CudaHead(CudaKernels kernels, CudaProducts products) {
        this.kernels = kernels;
        this.products = products;
        scoreFinish = products.finish("products_score_finish");
        chooseFinish = products.finish("products_choose_finish");
        asked = kernels.device().allocate((long) DRAW_BYTES * SCORE_ROWS);
        found = kernels.device().allocate((long) CudaAnswers.ROW_BYTES * SCORE_ROWS);
        chosen = kernels.device().allocate(4L * CudaKernels.MOST_ROWS);
        answers = new CudaAnswers.Pool(kernels.device(), kernels.stream(), SCORE_ROWS);
    }

    /** {@return where the chosen tokens are: int[] by entry} */
    Buffer chosen() {
        return chosen;
    }

    @Override
    public int rows() {
        return CHOOSE_ROWS;
    }

    /** @param hidden at most {@link #SCORE_ROWS} rows */
    LateAnswers score(CudaTensor hidden, CudaMatrix head, int[] targets) {
        int rows = hidden.rows();
        Shapes.atLeast(SCORE_ROWS, rows, "most rows to score at once", "rows");
        CudaStaging.Piece piece = kernels.staging().piece(4 * rows);
        for (int row = 0; row < rows; row++) {
            piece.bytes().putInt(4 * row, targets[row]);
        }
        piece.send(asked, 0);
        reserve((long) SCORE_BYTES * rows * (blocks(head) + 1));
        arguments
                .clear()
                .pointer(hidden.descriptor())
                .pointer(head.tiles())
                .nothing()
                .pointer(kernels.rows(rows))
                .pointer(asked)
                .pointer(workspace)
                .pointer(found, 4L * rows)
                .pointer(found)
                .pointer(found, 8L * rows)
                .integer(head.paddedColumns())
                .integer(head.rows())
                .integer(0)
                .integer(0)
                .integer(0)
                .integer(0);
        products.launch(products.form(CudaProducts.Epilogue.SCORE, rows, head.rows()), arguments);
        kernels.launch(scoreFinish, rows, 1, FINISH_THREADS, arguments);
        return answers.fetch(found, rows);
    }

    @Override
    public LateAnswers choose(Tensor hidden, Matrix head, Draws draws, int first) {
        CudaTensor from = kernels.own(hidden, CudaTensor.class);
        CudaMatrix projection = kernels.own(head, CudaMatrix.class);
        int rows = hidden.rows();
        Shapes.atLeast(CHOOSE_ROWS, rows, "most rows of a choice", "rows");
        Shapes.atLeast(CudaKernels.MOST_ROWS, first + rows, "entries for tokens", "entries");
        CudaStaging.Piece piece = kernels.staging().piece(DRAW_BYTES * rows);
        ByteBuffer out = piece.bytes();
        for (int row = 0; row < rows; row++) {
            draw(out, DRAW_BYTES * row, draws, row);
        }
        piece.send(asked, 0);
        reserve((long) CHOOSE_BYTES * rows * blocks(projection));
        arguments
                .clear()
                .pointer(from.descriptor())
                .pointer(projection.tiles())
                .nothing()
                .pointer(kernels.rows(rows))
                .pointer(asked)
                .pointer(workspace)
                .pointer(found)
                .pointer(found, 4L * rows)
                .pointer(found, 8L * rows)
                .integer(projection.paddedColumns())
                .integer(projection.rows())
                .pointer(chosen, 4L * first)
                .integer(0)
                .integer(0);
        products.launch(products.form(CudaProducts.Epilogue.CHOOSE, rows, projection.rows()), arguments);
        kernels.launch(chooseFinish, rows, 1, FINISH_THREADS, arguments);
        return answers.fetch(found, rows);
    }

    /** Lays out how a row is drawn, as the kernels read it. */
    static void draw(ByteBuffer out, int at, Draws draws, int row) {
        out.putFloat(at, draws.temperatures()[row]);
        out.putInt(at + 4, draws.positions()[row]);
        out.putInt(at + 8, draws.purpose());
        out.putInt(at + 12, draws.streams()[row]);
        out.putInt(at + 16, draws.keys0()[row]);
        out.putInt(at + 20, draws.keys1()[row]);
        out.putLong(at + 24, 0);
    }

    /** {@return numbers from a row of logits to the next} */
    static int stride(CudaMatrix head) {
        return (head.rows() + 7) / 8 * 8;
    }

    /** {@return logits of few rows, on the device until something else is asked of the head} */
    Buffer logitsThere(CudaTensor hidden, CudaMatrix head) {
        int rows = hidden.rows();
        int stride = stride(head);
        reserve(4L * stride * rows);
        products.multiply(CudaProducts.Epilogue.LOGITS, hidden, head, null, workspace, stride, rows);
        return workspace;
    }

    void logits(CudaTensor hidden, CudaMatrix head, float[] out) {
        int rows = hidden.rows();
        int stride = stride(head);
        logitsThere(hidden, head);
        int most = (int) (kernels.staging().capacity() / 4);
        for (int row = 0; row < rows; row++) {
            for (int first = 0; first < head.rows(); first += most) {
                int count = Math.min(most, head.rows() - first);
                ByteBuffer bytes = kernels.staging().fetch(workspace, 4L * ((long) row * stride + first), 4 * count);
                bytes.asFloatBuffer().get(out, row * head.rows() + first, count);
            }
        }
    }

    private static int blocks(CudaMatrix head) {
        return (head.rows() + BLOCK_TOKENS - 1) / BLOCK_TOKENS;
    }

    private void reserve(long bytes) {
        if (workspace == null || workspace.bytes() < bytes) {
            if (workspace != null) {
                kernels.staging().synchronize();
                workspace.close();
            }
            workspace = kernels.device().allocate(bytes);
        }
    }

    @Override
    public void close() {
        asked.close();
        found.close();
        chosen.close();
        answers.close();
        if (workspace != null) {
            workspace.close();
        }
    }
}
