package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The operations on the CPU, in fp32, on the Java heap. Bits depend on the inputs and on {@link #version} and on nothing
 * else: not on threads, SIMD width, or whether there is SIMD at all (see {@link Arithmetic}). Threads share outputs,
 * never a sum.
 */
public final class CpuKernels extends Kernels {
    private static final Logger LOG = LoggerFactory.getLogger(CpuKernels.class);

    /** Changes whenever a bit of any result does. */
    static final String VERSION = "cpu-fp32-1";

    /** Rows of which the sums of one panel stay in the second-level cache. */
    private static final int TILES_AT_A_TIME = 32;

    /** Operations below which waking another thread costs more than it brings. */
    private static final long WORTH_SHARING = 1 << 16;

    /** Tables of angles that are kept; a model has one or two. */
    private static final int MOST_ROTARIES = 4;

    private final Arithmetic arithmetic;
    private final PanelProduct product;
    private final Workers workers;
    private final PackedRows packed = new PackedRows();
    private final List<RotaryTable> rotaries = new ArrayList<>();
    /** What a gated layer sums up before it is gated; its own, so not on the books. */
    private CpuTensor gates;

    private final Set<Resource> books = Collections.newSetFromMap(new IdentityHashMap<>());

    CpuKernels(Arithmetic arithmetic, int threads) {
        this.arithmetic = arithmetic;
        this.product = new PanelProduct(arithmetic);
        this.workers = new Workers(threads);
    }

    @Override
    public String version() {
        return VERSION;
    }

    @Override
    public String description() {
        return "CPU, fp32, " + arithmetic.description() + ", " + workers.count()
                + (workers.count() == 1 ? " thread" : " threads");
    }

    /** {@return what this instance made and nobody has closed yet, in words; for tests that look for leaks} */
    public List<String> unclosed() {
        return books.stream().map(Resource::describe).sorted().toList();
    }

    @Override
    public Tensor tensor(int capacity, int columns) {
        if (capacity < 0 || columns < 1 || (long) capacity * columns > Integer.MAX_VALUE - 8) {
            throw Shapes.wrong("a tensor of " + capacity + " x " + columns
                    + " numbers is not possible on the CPU; take fewer rows in a step");
        }
        return allocate(
                "activations of " + capacity + " x " + columns,
                4L * capacity * columns,
                () -> new CpuTensor(books, capacity, columns));
    }

    @Override
    public Matrix matrix(List<HostTensor> parts) {
        long bytes = 0;
        for (HostTensor part : parts) {
            bytes += (long) part.rows() * part.columns() * part.type().bytes();
        }
        return allocate("weights " + parts.get(0).name(), bytes, () -> CpuMatrix.pack(books, parts));
    }

    @Override
    public Weights weights(List<HostTensor> parts) {
        int length = 0;
        for (HostTensor part : parts) {
            Shapes.same(part.rows(), 1, "rows of vector " + part.name(), "rows of a vector");
            length += part.columns();
        }
        float[] values = new float[length];
        int first = 0;
        for (HostTensor part : parts) {
            float[] piece = new float[part.columns()];
            HostNumbers.read(part.rows(0, 1), part.type(), piece, piece.length);
            System.arraycopy(piece, 0, values, first, piece.length);
            first += piece.length;
        }
        return new CpuWeights(books, values);
    }

    @Override
    public KvCache cache(KvLayout layout, int pages) {
        return allocate(
                "a key-value cache of " + pages + " pages",
                4 * layout.elementsPerPage() * pages,
                () -> new CpuKvCache(books, layout, pages));
    }

    private static <T> T allocate(String what, long bytes, Supplier<T> maker) {
        if (bytes > Runtime.getRuntime().maxMemory()) {
            throw outOfMemory(what, bytes, null);
        }
        try {
            return maker.get();
        } catch (OutOfMemoryError e) {
            throw outOfMemory(what, bytes, e);
        }
    }

    private static PaloverdeException outOfMemory(String what, long bytes, Throwable cause) {
        return new PaloverdeException(
                ErrorCode.OUT_OF_MEMORY,
                what + " take " + (bytes >> 20) + " MiB, which the Java heap of "
                        + (Runtime.getRuntime().maxMemory() >> 20)
                        + " MiB does not have left; give the JVM more (-Xmx, spark.executor.memory)",
                cause);
    }

    @Override
    public void embed(Matrix table, int[] tokens, Tensor out) {
        CpuMatrix from = own(table, CpuMatrix.class);
        CpuTensor to = own(out, CpuTensor.class);
        Shapes.same(out.rows(), tokens.length, "rows of the output", "tokens");
        Shapes.same(out.columns(), table.columns(), "columns of the output", "columns of the table");
        from.ensureOpen();
        float[] values = to.values();
        for (int i = 0; i < tokens.length; i++) {
            if (tokens[i] < 0 || tokens[i] >= table.rows()) {
                throw new PaloverdeException(
                        ErrorCode.TOKENIZER_MISMATCH,
                        "token " + tokens[i] + " is not among the " + table.rows()
                                + " of the embedding; use the tokenizer that the model was trained with");
            }
            from.copyRow(tokens[i], values, i * out.columns());
        }
    }

    @Override
    public void normalize(Tensor in, Weights gain, float epsilon, Tensor out) {
        float[] from = own(in, CpuTensor.class).values();
        float[] to = own(out, CpuTensor.class).values();
        float[] gains = own(gain, CpuWeights.class).values();
        int columns = in.columns();
        Shapes.same(gain.length(), columns, "gain", "columns of the input");
        Shapes.same(out.columns(), columns, "columns of the output", "columns of the input");
        Shapes.same(out.rows(), in.rows(), "rows of the output", "rows of the input");
        forRows(
                in.rows(),
                columns,
                (row, scratch) -> normalize(from, row * columns, gains, epsilon, to, row * columns, scratch));
    }

    /** As {@link #normalize(Tensor, Weights, float, Tensor)}, in place, over each head; {@code gain} is as wide as a head. */
    void normalize(Heads heads, Weights gain, float epsilon) {
        float[] values = values(heads);
        float[] gains = own(gain, CpuWeights.class).values();
        Shapes.same(gain.length(), heads.width(), "gain", "width of a head");
        forRows(heads.tensor().rows(), heads.count() * heads.width(), (row, scratch) -> {
            int first = row * heads.tensor().columns() + heads.firstColumn();
            for (int head = 0; head < heads.count(); head++) {
                int offset = first + head * heads.width();
                normalize(values, offset, gains, epsilon, values, offset, scratch);
            }
        });
    }

    private void normalize(
            float[] in, int inOffset, float[] gain, float epsilon, float[] out, int outOffset, Scratch scratch) {
        float[] partials = scratch.floats(Scratch.Use.PARTIALS, Arithmetic.PARTIALS);
        Arrays.fill(partials, 0, Arithmetic.PARTIALS, 0f);
        arithmetic.addSquares(in, inOffset, gain.length, partials);
        double mean = Arithmetic.total(partials, 0) / gain.length;
        float factor = (float) (1 / Math.sqrt(mean + epsilon));
        arithmetic.scale(in, inOffset, factor, gain, out, outOffset, gain.length);
    }

    @Override
    public void cut(List<byte[]> images, PatchLayout layout, Tensor out) {
        float[] to = own(out, CpuTensor.class).values();
        Shapes.same(out.rows(), images.size() * layout.sequence(), "rows of the output", "rows of the images");
        Shapes.same(out.columns(), layout.numbers(), "columns of the output", "numbers of a patch");
        images.forEach(image -> Shapes.same(image.length, layout.samples(), "samples", "samples of an image"));
        int step = layout.sequence() * layout.numbers();
        forRows(images.size(), 8L * step, (image, scratch) -> layout.cut(images.get(image), to, image * step));
    }

    @Override
    public LateRows fetch(Tensor rows) {
        int columns = rows.columns();
        float[] numbers = Arrays.copyOf(own(rows, CpuTensor.class).values(), rows.rows() * columns);
        return new LateRows() {
            @Override
            public void await() {}

            @Override
            public boolean read(int first, int count, float[] out) {
                System.arraycopy(numbers, first * columns, out, 0, count * columns);
                boolean finite = true;
                for (int i = 0; i < count * columns; i++) {
                    finite &= Float.isFinite(out[i]);
                }
                return finite;
            }

            @Override
            public void close() {}
        };
    }

    @Override
    public void normalizeCentered(Tensor in, Weights gain, Weights bias, float epsilon, Tensor out) {
        float[] from = own(in, CpuTensor.class).values();
        float[] to = own(out, CpuTensor.class).values();
        float[] gains = own(gain, CpuWeights.class).values();
        float[] biases = own(bias, CpuWeights.class).values();
        int columns = in.columns();
        Shapes.same(gain.length(), columns, "gain", "columns of the input");
        Shapes.same(bias.length(), columns, "bias", "columns of the input");
        Shapes.same(out.columns(), columns, "columns of the output", "columns of the input");
        Shapes.same(out.rows(), in.rows(), "rows of the output", "rows of the input");
        forRows(in.rows(), 4L * columns, (row, scratch) -> {
            float[] partials = scratch.floats(Scratch.Use.PARTIALS, Arithmetic.PARTIALS);
            float[] centered = scratch.floats(Scratch.Use.OUTPUTS, columns);
            int offset = row * columns;
            Arrays.fill(partials, 0, Arithmetic.PARTIALS, 0f);
            for (int i = 0; i < columns; i++) {
                partials[i % Arithmetic.PARTIALS] += from[offset + i];
            }
            float mean = (float) (Arithmetic.total(partials, 0) / columns);
            for (int i = 0; i < columns; i++) {
                centered[i] = from[offset + i] - mean;
            }
            normalize(centered, 0, gains, epsilon, to, offset, scratch);
            for (int i = 0; i < columns; i++) {
                to[offset + i] += biases[i];
            }
        });
    }

    @Override
    public void multiply(Tensor in, Matrix weight, Weights bias, Tensor out) {
        project(in, weight, bias, out, Store.SET);
    }

    @Override
    public void multiplyAdd(Tensor in, Matrix weight, Weights bias, Tensor residual) {
        project(in, weight, bias, residual, Store.ADD);
    }

    private enum Store {
        SET,
        ADD
    }

    private void project(Tensor in, Matrix weight, Weights bias, Tensor out, Store store) {
        Shapes.same(out.rows(), in.rows(), "rows of the output", "rows of the input");
        Shapes.same(out.columns(), weight.rows(), "columns of the output", "outputs of the weight");
        float[] biases = null;
        if (bias != null) {
            Shapes.same(bias.length(), weight.rows(), "bias", "outputs of the weight");
            biases = own(bias, CpuWeights.class).values();
        }
        project(in, weight, biases, own(out, CpuTensor.class).values(), store);
    }

    private void project(Tensor in, Matrix weight, float[] bias, float[] out, Store store) {
        Shapes.same(in.columns(), weight.columns(), "columns of the input", "inputs of the weight");
        CpuMatrix matrix = own(weight, CpuMatrix.class);
        matrix.ensureOpen();
        packed.pack(own(in, CpuTensor.class).values(), in.rows(), in.columns(), workers);
        share((long) in.rows() * in.columns() * matrix.rows(), matrix.panels(), (panel, scratch) -> {
            for (int tile = 0; tile < packed.tiles(); tile += TILES_AT_A_TIME) {
                int tiles = Math.min(TILES_AT_A_TIME, packed.tiles() - tile);
                float[] sums = product.sums(packed, tile, tiles, matrix, panel, scratch);
                store(sums, tile * Arithmetic.MOST_ROWS, tiles, matrix, panel, bias, out, store);
            }
        });
    }

    private void store(
            float[] sums,
            int firstRow,
            int tiles,
            CpuMatrix matrix,
            int panel,
            float[] bias,
            float[] out,
            Store store) {
        int column = panel * CpuMatrix.PANEL;
        int width = matrix.width(panel);
        int rows = Math.min(tiles * Arithmetic.MOST_ROWS, packed.rows() - firstRow);
        for (int r = 0; r < rows; r++) {
            int from = r * CpuMatrix.PANEL;
            int to = (firstRow + r) * matrix.rows() + column;
            if (bias != null) {
                for (int j = 0; j < width; j++) {
                    sums[from + j] += bias[column + j];
                }
            }
            if (store == Store.ADD) {
                for (int j = 0; j < width; j++) {
                    out[to + j] += sums[from + j];
                }
            } else {
                System.arraycopy(sums, from, out, to, width);
            }
        }
    }

    @Override
    public void appendRotated(
            KvCache cache,
            int layer,
            Heads queries,
            Heads keys,
            Heads values,
            HeadNorms norms,
            Rotary rotary,
            StepBatch batch) {
        if (norms != null) {
            normalize(queries, norms.queries(), norms.epsilon());
            normalize(keys, norms.keys(), norms.epsilon());
        }
        rotate(queries, rotary, batch);
        rotate(keys, rotary, batch);
        append(cache, layer, keys, values, batch);
    }

    /** Turns each head, in place, by its row's position. */
    void rotate(Heads heads, Rotary rotary, StepBatch batch) {
        float[] values = values(heads);
        Shapes.same(2 * rotary.frequencies().length, heads.width(), "twice the rotary frequencies", "width of a head");
        Shapes.same(batch.rows(), heads.tensor().rows(), "rows of the batch", "rows of the tensor");
        RotaryTable table = table(rotary);
        for (int position : batch.positions()) {
            table.reach(position);
        }
        forRows(batch.rows(), heads.count() * heads.width(), (row, scratch) -> {
            int first = row * heads.tensor().columns() + heads.firstColumn();
            for (int head = 0; head < heads.count(); head++) {
                table.turn(values, first + head * heads.width(), batch.positions()[row]);
            }
        });
    }

    private RotaryTable table(Rotary rotary) {
        for (RotaryTable table : rotaries) {
            if (table.rotary().equals(rotary)) {
                return table;
            }
        }
        if (rotaries.size() == MOST_ROTARIES) {
            rotaries.remove(0);
        }
        RotaryTable table = new RotaryTable(rotary);
        rotaries.add(table);
        return table;
    }

    /** Writes keys and values of all rows of a step to their pages. */
    public void append(KvCache cache, int layer, Heads keys, Heads values, StepBatch batch) {
        CpuKvCache to = own(cache, CpuKvCache.class);
        float[] keyNumbers = values(keys);
        float[] valueNumbers = values(values);
        KvLayout layout = cache.layout();
        checkCache(to, layer, batch);
        checkHeads(keys, layout, batch, "key");
        checkHeads(values, layout, batch, "value");
        int pageTokens = layout.pageTokens();
        for (int s = 0; s < batch.sequences(); s++) {
            for (int row = batch.starts()[s]; row < batch.starts()[s + 1]; row++) {
                int position = batch.positions()[row];
                int page = batch.pages()[s][position / pageTokens];
                int slot = position % pageTokens;
                float[] block = to.block(page);
                for (int head = 0; head < layout.heads(); head++) {
                    int source = row * keys.tensor().columns() + keys.firstColumn() + head * layout.width();
                    int target = to.keys(page, layer, head) + slot;
                    for (int i = 0; i < layout.width(); i++) {
                        block[target + i * pageTokens] = keyNumbers[source + i];
                    }
                    System.arraycopy(
                            valueNumbers,
                            row * values.tensor().columns() + values.firstColumn() + head * layout.width(),
                            block,
                            to.values(page, layer, head) + slot * layout.width(),
                            layout.width());
                }
            }
        }
    }

    @Override
    public void attend(Heads queries, KvCache cache, int layer, Attention attention, StepBatch batch, Tensor out) {
        CpuKvCache from = own(cache, CpuKvCache.class);
        float[] in = values(queries);
        KvLayout layout = cache.layout();
        checkCache(from, layer, batch);
        Shapes.same(queries.width(), layout.width(), "width of a query head", "width of a head in the cache");
        Shapes.same(queries.count() % layout.heads(), 0, "query heads beyond whole groups", "a group's remainder");
        Shapes.same(queries.tensor().rows(), batch.rows(), "rows of the queries", "rows of the batch");
        Shapes.same(out.rows(), batch.rows(), "rows of the output", "rows of the batch");
        Shapes.same(out.columns(), queries.count() * queries.width(), "columns of the output", "width of all heads");
        Shapes.atLeast(attention.window(), 1, "attention window", "the least window");
        PagedAttention run = new PagedAttention(
                arithmetic,
                queries,
                in,
                from,
                layer,
                attention,
                batch,
                own(out, CpuTensor.class).values());
        long work = 0;
        for (int position : batch.positions()) {
            work += 2L * Math.min(position + 1, attention.window()) * out.columns();
        }
        share(work, run.tasks(), run::run);
    }

    @Override
    public void attendWithin(Heads queries, Heads keys, Heads values, float scale, int[] starts, Tensor out) {
        for (Heads others : List.of(keys, values)) {
            Shapes.same(others.count(), queries.count(), "key or value heads", "query heads");
            Shapes.same(others.width(), queries.width(), "width of a key or value head", "width of a query head");
            Shapes.same(others.tensor().rows(), out.rows(), "rows of keys or values", "rows of the output");
        }
        Shapes.same(queries.tensor().rows(), out.rows(), "rows of the queries", "rows of the output");
        Shapes.same(out.columns(), queries.count() * queries.width(), "columns of the output", "width of all heads");
        Shapes.same(starts[0], 0, "first row of the first block", "first row");
        Shapes.same(starts[starts.length - 1], out.rows(), "end of the last block", "rows of the output");
        long work = 0;
        for (int block = 1; block < starts.length; block++) {
            long rows = starts[block] - starts[block - 1];
            Shapes.atLeast(starts[block], starts[block - 1], "end of a block", "its first row");
            work += 2 * rows * rows * out.columns();
        }
        BlockAttention run = new BlockAttention(
                arithmetic,
                queries,
                values(queries),
                keys,
                values(keys),
                values,
                values(values),
                scale,
                starts,
                own(out, CpuTensor.class).values());
        share(work, run.tasks(), run::run);
    }

    private static void checkHeads(Heads heads, KvLayout layout, StepBatch batch, String what) {
        Shapes.same(heads.count(), layout.heads(), what + " heads", "heads of the cache");
        Shapes.same(heads.width(), layout.width(), "width of a " + what + " head", "width of a head in the cache");
        Shapes.same(heads.tensor().rows(), batch.rows(), "rows of the " + what + "s", "rows of the batch");
    }

    private static void checkCache(CpuKvCache cache, int layer, StepBatch batch) {
        KvLayout layout = cache.layout();
        Shapes.index(layer, layout.layers(), "layer");
        Shapes.same(batch.positions().length, batch.rows(), "positions of the batch", "rows of the batch");
        Shapes.same(batch.starts().length, batch.sequences() + 1, "starts of the batch", "sequences and one");
        Shapes.same(batch.starts()[batch.sequences()], batch.rows(), "last start of the batch", "rows of the batch");
        for (int s = 0; s < batch.sequences(); s++) {
            int[] pages = batch.pages()[s];
            for (int row = batch.starts()[s]; row < batch.starts()[s + 1]; row++) {
                if (row > batch.starts()[s]) {
                    Shapes.same(
                            batch.positions()[row],
                            batch.positions()[row - 1] + 1,
                            "position of a sequence's row",
                            "the one after its neighbour's");
                }
                Shapes.index(batch.positions()[row] / layout.pageTokens(), pages.length, "page of a sequence");
            }
            for (int page : pages) {
                Shapes.index(page, cache.pages(), "page");
            }
        }
    }

    /** {@code out = silu(gate) * up}, where {@code in} is [rows, 2 f], gate its first half and up its second. */
    void swiGlu(Tensor in, Tensor out) {
        float[] from = own(in, CpuTensor.class).values();
        float[] to = own(out, CpuTensor.class).values();
        int columns = out.columns();
        Shapes.same(in.columns(), 2 * columns, "columns of the input", "twice the columns of the output");
        Shapes.same(out.rows(), in.rows(), "rows of the output", "rows of the input");
        forRows(
                in.rows(),
                8L * columns,
                (row, scratch) -> arithmetic.swiGlu(
                        from, 2 * row * columns, (2 * row + 1) * columns, to, row * columns, columns));
    }

    @Override
    public void multiplyGated(Tensor in, Matrix weight, Weights bias, Tensor out) {
        Shapes.same(weight.rows(), 2 * out.columns(), "outputs of the gated matrix", "twice the columns of the output");
        if (gates == null || gates.columns() != weight.rows() || gates.capacity() < in.rows()) {
            gates = allocate(
                    "sums of a gated layer",
                    4L * in.capacity() * weight.rows(),
                    () -> new CpuTensor(new HashSet<>(), in.capacity(), weight.rows()));
        }
        gates.resize(in.rows());
        multiply(in, weight, bias, gates);
        swiGlu(gates, out);
    }

    @Override
    public void multiplyActivated(Tensor in, Matrix weight, Weights bias, Activation activation, Tensor out) {
        multiply(in, weight, bias, out);
        float[] values = own(out, CpuTensor.class).values();
        int columns = out.columns();
        forRows(out.rows(), 16L * columns, (row, scratch) -> Gelu.apply(activation, values, row * columns, columns));
    }

    @Override
    public void gather(Tensor in, int[] rows, Tensor out) {
        float[] from = own(in, CpuTensor.class).values();
        float[] to = own(out, CpuTensor.class).values();
        int columns = in.columns();
        Shapes.same(out.columns(), columns, "columns of the output", "columns of the input");
        Shapes.same(out.rows(), rows.length, "rows of the output", "rows to gather");
        if (from == to) {
            throw Shapes.wrong("gather cannot work in place; give it another tensor");
        }
        for (int i = 0; i < rows.length; i++) {
            Shapes.index(rows[i], in.rows(), "row");
            System.arraycopy(from, rows[i] * columns, to, i * columns, columns);
        }
    }

    @Override
    public void logits(Tensor hidden, Matrix head, float[] out) {
        if (out.length < (long) hidden.rows() * head.rows()) {
            throw Shapes.wrong("logits of " + hidden.rows() + " rows and " + head.rows() + " tokens do not fit into "
                    + out.length + " numbers");
        }
        project(hidden, head, null, out, Store.SET);
    }

    @Override
    public void logProbabilities(Tensor hidden, Matrix head, int[] targets, float[] logProbabilities, int[] best) {
        Shapes.same(hidden.columns(), head.columns(), "columns of the hidden states", "inputs of the head");
        Shapes.atLeast(targets.length, hidden.rows(), "targets", "rows of the hidden states");
        Shapes.atLeast(logProbabilities.length, hidden.rows(), "log-probabilities", "rows of the hidden states");
        Shapes.atLeast(best.length, hidden.rows(), "best tokens", "rows of the hidden states");
        for (int row = 0; row < hidden.rows(); row++) {
            Shapes.index(targets[row], head.rows(), "target token");
        }
        CpuMatrix matrix = own(head, CpuMatrix.class);
        matrix.ensureOpen();
        packed.pack(own(hidden, CpuTensor.class).values(), hidden.rows(), hidden.columns(), workers);
        new VocabularyScan(arithmetic, packed, matrix, targets).run(workers, logProbabilities, best);
    }

    @Override
    public void copyPage(KvCache cache, int from, int to, int tokens) {
        CpuKvCache pages = own(cache, CpuKvCache.class);
        Shapes.index(from, cache.pages(), "page");
        Shapes.index(to, cache.pages(), "page");
        Shapes.index(tokens, cache.layout().pageTokens() + 1, "number of positions");
        pages.copyPage(from, to, tokens);
    }

    @Override
    public int threads() {
        return workers.count();
    }

    @Override
    public void limitThreads(int most) {
        workers.limit(most);
    }

    /** Runs one task per row, in blocks worth a thread's while. */
    private void forRows(int rows, long operationsPerRow, Workers.Task task) {
        int rowsAtATime = (int) Math.max(1, Math.min(rows, WORTH_SHARING / 4 / Math.max(1, operationsPerRow)));
        int blocks = (rows + rowsAtATime - 1) / rowsAtATime;
        share(rows * operationsPerRow, blocks, (block, scratch) -> {
            int end = Math.min(rows, (block + 1) * rowsAtATime);
            for (int row = block * rowsAtATime; row < end; row++) {
                task.run(row, scratch);
            }
        });
    }

    private void share(long operations, int tasks, Workers.Task task) {
        if (operations < WORTH_SHARING) {
            for (int i = 0; i < tasks; i++) {
                task.run(i, workers.scratch());
            }
        } else {
            workers.run(tasks, task);
        }
    }

    private static float[] values(Heads heads) {
        Shapes.atLeast(
                heads.tensor().columns(),
                heads.firstColumn() + heads.count() * heads.width(),
                "columns of the tensor",
                "the end of its heads");
        return own(heads.tensor(), CpuTensor.class).values();
    }

    private static <T> T own(Object object, Class<T> type) {
        if (!type.isInstance(object)) {
            throw Shapes.wrong("the CPU kernels cannot use " + object + "; make it with the same kernels");
        }
        return type.cast(object);
    }

    /** Ends the threads. What is still open is closed too, with a warning. */
    @Override
    public void close() {
        if (!books.isEmpty()) {
            LOG.warn("closed before what they made, which is closed now: {}", unclosed());
            List.copyOf(books).forEach(Resource::close);
        }
        workers.close();
    }
}
