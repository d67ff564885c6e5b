package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.device.Arguments;
import dev.paloverde.gpu.device.Buffer;
import dev.paloverde.gpu.device.Kernel;
import dev.paloverde.gpu.device.Module;
import java.nio.ByteBuffer;
import java.util.function.Function;

/**
 * Drafting on a GPU. A chain of steps is one recording: what a step chooses is written to where the next one reads its
 * tokens and positions. Candidates are found in two kernels behind the product with the vocabulary.
 */
final class CudaProposer implements TokenProposer, AutoCloseable {
    /** Rows whose logits lie on the device at once. */
    private static final int CANDIDATE_ROWS = 128;

    private static final int CHAIN_SEQUENCES = 1024;
    private static final int MOST_CANDIDATES = 256;
    private static final int SLICE_TOKENS = 2048;
    private static final int MOST_SLICES = 256;
    private static final int DRAW_BYTES = 32;
    private static final int CHOOSE_BYTES = 32;
    private static final int BLOCK_TOKENS = 128;
    private static final int FINISH_THREADS = 128;
    private static final int THREADS = 256;

    private final CudaKernels kernels;
    private final CudaProducts products;
    private final Kernel slices;
    private final Kernel finish;
    private final Kernel follow;
    private final Kernel copyPages;
    private final Kernel gather;
    private final Kernel chooseFinish;
    private final Arguments arguments = new Arguments();
    private Buffer state;
    private Buffer workspace;
    private CudaTensor gathered;

    /** @param gather of the rows' family */
    CudaProposer(CudaKernels kernels, CudaProducts products, Module drafting, Kernel gather) {
        this.kernels = kernels;
        this.products = products;
        this.gather = gather;
        slices = drafting.kernel("drafting_candidates");
        finish = drafting.kernel("drafting_candidates_finish");
        follow = drafting.kernel("drafting_follow");
        copyPages = drafting.kernel("drafting_copy_pages");
        chooseFinish = products.finish("products_choose_finish");
    }

    @Override
    public int candidateRows() {
        return CANDIDATE_ROWS;
    }

    @Override
    public int chainSequences() {
        return CHAIN_SEQUENCES;
    }

    @Override
    public void candidates(Tensor hidden, Matrix head, TokenChooser.Draws draws, int count, int[] tokens) {
        CudaTensor from = kernels.own(hidden, CudaTensor.class);
        CudaMatrix projection = kernels.own(head, CudaMatrix.class);
        int rows = hidden.rows();
        int vocabulary = head.rows();
        int parts = (vocabulary + SLICE_TOKENS - 1) / SLICE_TOKENS;
        Shapes.atLeast(CANDIDATE_ROWS, rows, "most rows of a call", "rows");
        Shapes.atLeast(Math.min(MOST_CANDIDATES, vocabulary), count, "most candidates of a row", "candidates");
        Shapes.atLeast(MOST_SLICES, parts, "most slices of a vocabulary", "slices");
        int stride = (vocabulary + 7) / 8 * 8;
        long values = aligned(4L * rows * stride);
        long ids = values + aligned(8L * rows * parts * count);
        long answers = ids + aligned(4L * rows * parts * count);
        long asked = answers + aligned(4L * rows * count);
        workspace = enough(workspace, asked + (long) DRAW_BYTES * rows);
        CudaStaging.Piece piece = kernels.staging().piece(DRAW_BYTES * rows);
        write(draws, rows, piece.bytes(), 0);
        piece.send(workspace, asked);
        products.multiply(CudaProducts.Epilogue.LOGITS, from, projection, null, workspace, stride, rows);
        arguments
                .clear()
                .pointer(workspace)
                .pointer(workspace, asked)
                .pointer(kernels.rows(rows))
                .pointer(workspace, values)
                .pointer(workspace, ids)
                .pointer(workspace, answers)
                .integer(vocabulary)
                .integer(stride)
                .integer(count)
                .integer(parts);
        kernels.launch(slices, parts, rows, THREADS, arguments);
        kernels.launch(finish, rows, 1, THREADS, arguments);
        ByteBuffer out = kernels.staging().fetch(workspace, answers, 4 * rows * count);
        out.asIntBuffer().get(tokens, 0, rows * count);
    }

    @Override
    public void extend(Object key, Chain chain, Matrix head, Function<StepBatch, Tensor> model, int[] tokens) {
        CudaMatrix projection = kernels.own(head, CudaMatrix.class);
        StepBatch first = chain.batch();
        StepBatch then = chain.followers();
        int sequences = first.sequences();
        Shapes.atLeast(CHAIN_SEQUENCES, sequences, "most sequences of a chain", "sequences");
        Places places = new Places(CudaStep.Sizes.of(first), CudaStep.Sizes.of(then), chain.steps());
        if (state == null || state.bytes() < places.end()) {
            kernels.forgetRecordings();
            state = enough(state, Math.max(1 << 20, 2L * places.end()));
        }
        long work = (long) CHOOSE_BYTES * places.then().rows() * ((head.rows() + BLOCK_TOKENS - 1) / BLOCK_TOKENS);
        if (workspace == null || workspace.bytes() < work) {
            kernels.forgetRecordings();
            workspace = enough(workspace, 2 * work);
        }
        boolean many = first.rows() > sequences;
        if (many && (gathered == null || gathered.capacity() < sequences)) {
            if (gathered != null) {
                kernels.staging().synchronize();
                gathered.close();
            }
            gathered = (CudaTensor) kernels.tensor(places.then().rows(), head.columns());
        }
        CudaStaging.Piece piece = kernels.staging().piece(places.sent());
        places.first().write(first, piece.bytes(), 0);
        places.then().write(then, piece.bytes(), places.follower());
        write(chain.draws(), sequences, piece.bytes(), places.draws());
        for (int s = 0; s < sequences; s++) {
            piece.bytes().putInt(places.last() + 4 * s, chain.last()[s]);
            piece.bytes().putInt(places.rows() + 4 * s, first.starts()[s + 1] - 1);
        }
        piece.send(state, 0);
        int furthest = 0;
        for (int last : chain.last()) {
            furthest = Math.max(furthest, last);
        }
        Object owner = new Owner(key, places.then(), chain.steps(), many);
        kernels.chain(new CudaRecordings.Key(owner, places.first()), furthest, () -> {
            kernels.place(state, first, places.first());
            CudaTensor hidden = (CudaTensor) model.apply(first);
            kernels.place(state.slice(places.follower()), then, places.then());
            if (many) {
                hidden = lastRows(hidden, places);
            }
            for (int step = 0; step < chain.steps(); step++) {
                if (step > 0) {
                    kernels.place(state.slice(places.follower()), then, places.then());
                    hidden = (CudaTensor) model.apply(then);
                }
                choose(hidden, projection, places, step);
            }
        });
        ByteBuffer out =
                kernels.staging().fetch(state, places.out(), 4 * places.then().rows() * chain.steps());
        for (int step = 0; step < chain.steps(); step++) {
            for (int s = 0; s < sequences; s++) {
                tokens[step * sequences + s] =
                        out.getInt(4 * (step * places.then().rows() + s));
            }
        }
    }

    private record Owner(Object key, CudaStep.Sizes followers, int steps, boolean many) {}

    /**
     * Where a chain's numbers lie, in bytes: first what is sent, in one piece, then what comes of it.
     *
     * @param first sizes of the first step
     * @param then sizes of the others
     */
    private record Places(CudaStep.Sizes first, CudaStep.Sizes then, int steps) {
        int follower() {
            return (int) aligned(4L * first.length());
        }

        int draws() {
            return follower() + (int) aligned(4L * then.length());
        }

        int last() {
            return draws() + DRAW_BYTES * then.rows();
        }

        int rows() {
            return last() + (int) aligned(4L * then.rows());
        }

        int sent() {
            return rows() + (int) aligned(4L * then.rows());
        }

        int chosen() {
            return sent();
        }

        int logProbabilities() {
            return chosen() + (int) aligned(4L * then.rows());
        }

        int flags() {
            return logProbabilities() + (int) aligned(4L * then.rows());
        }

        int out() {
            return flags() + (int) aligned(4L * then.rows());
        }

        int end() {
            return Math.addExact(out(), Math.multiplyExact(4 * steps, then.rows()));
        }
    }

    private CudaTensor lastRows(CudaTensor hidden, Places places) {
        arguments
                .clear()
                .pointer(hidden.values())
                .pointer(state, places.rows())
                .pointer(kernels.rows(1))
                .pointer(gathered.values())
                .integer(hidden.stride())
                .integer(0);
        kernels.launch(gather, places.then().rows(), 1, THREADS, arguments);
        return gathered;
    }

    /** Queues the choice after a step, and what makes the next step of it. */
    private void choose(CudaTensor hidden, CudaMatrix head, Places places, int step) {
        arguments
                .clear()
                .pointer(hidden.descriptor())
                .pointer(head.tiles())
                .nothing()
                .pointer(kernels.rows(1))
                .pointer(state, places.draws())
                .pointer(workspace)
                .pointer(state, places.chosen())
                .pointer(state, places.logProbabilities())
                .pointer(state, places.flags())
                .integer(head.paddedColumns())
                .integer(head.rows())
                .integer(0)
                .integer(0)
                .integer(0)
                .integer(0);
        products.launch(products.form(CudaProducts.Epilogue.CHOOSE, 1, head.rows()), arguments);
        kernels.launch(chooseFinish, places.then().rows(), 1, FINISH_THREADS, arguments);
        CudaStep next = kernels.step();
        arguments
                .clear()
                .pointer(next.rows())
                .pointer(state, places.chosen())
                .pointer(state, places.flags())
                .pointer(state, places.last())
                .pointer(next.tokens())
                .pointer(next.positions())
                .pointer(state, places.draws())
                .pointer(state, places.out() + 4L * step * places.then().rows());
        kernels.launch(follow, (places.then().rows() + THREADS - 1) / THREADS, 1, THREADS, arguments);
    }

    /** Queues copies of the first tokens of pages: from, to and how many, for each. */
    void copyPages(CudaKvCache cache, int[] from, int[] to, int[] tokens) {
        if (from.length == 0) {
            return;
        }
        KvLayout layout = cache.layout();
        workspace = enough(workspace, 12L * from.length);
        CudaStaging.Piece piece = kernels.staging().piece(12 * from.length);
        for (int i = 0; i < from.length; i++) {
            piece.bytes().putInt(12 * i, from[i]);
            piece.bytes().putInt(12 * i + 4, to[i]);
            piece.bytes().putInt(12 * i + 8, tokens[i]);
        }
        piece.send(workspace, 0);
        arguments
                .clear()
                .pointer(cache.elements())
                .pointer(workspace)
                .integer(layout.pageTokens())
                .integer(2 * layout.layers() * layout.heads())
                .integer(layout.width())
                .integer(0);
        long pieces = (long) layout.elementsPerPage() / 8;
        int blocks = (int) Math.max(1, Math.min(16, pieces / THREADS));
        kernels.launch(copyPages, blocks, from.length, THREADS, arguments);
    }

    /** Writes the draws of rows as kernels read them. */
    private static void write(TokenChooser.Draws draws, int rows, ByteBuffer out, int from) {
        for (int row = 0; row < rows; row++) {
            int at = from + DRAW_BYTES * row;
            out.putFloat(at, draws.temperatures()[row]);
            out.putInt(at + 4, draws.positions()[row]);
            out.putInt(at + 8, draws.purpose());
            out.putInt(at + 12, draws.streams()[row]);
            out.putInt(at + 16, draws.keys0()[row]);
            out.putInt(at + 20, draws.keys1()[row]);
            out.putLong(at + 24, 0);
        }
    }

    private static long aligned(long bytes) {
        return (bytes + 255) / 256 * 256;
    }

    private Buffer enough(Buffer buffer, long bytes) {
        if (buffer != null && buffer.bytes() >= bytes) {
            return buffer;
        }
        kernels.forgetRecordings();
        if (buffer != null) {
            kernels.staging().synchronize();
            buffer.close();
        }
        return kernels.device().allocate(bytes);
    }

    @Override
    public void close() {
        if (gathered != null) {
            gathered.close();
        }
        if (state != null) {
            state.close();
        }
        if (workspace != null) {
            workspace.close();
        }
    }
}
