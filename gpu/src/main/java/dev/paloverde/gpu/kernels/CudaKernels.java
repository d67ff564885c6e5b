package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.device.Arguments;
import dev.paloverde.gpu.device.Buffer;
import dev.paloverde.gpu.device.Device;
import dev.paloverde.gpu.device.Kernel;
import dev.paloverde.gpu.device.Module;
import dev.paloverde.gpu.device.Share;
import dev.paloverde.gpu.device.Stream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The operations on an NVIDIA GPU of the Hopper generation: products of bf16 numbers summed in fp32, a residual stream in
 * fp32, a bf16 cache. Operations queue work and return; what gives numbers to the host waits for it. A step is recorded
 * the second time it comes, and replayed from then on.
 *
 * <p>Rows are independent to the bit, as {@link Kernels} demands: every sum of a product is one chain over its inputs,
 * keys are attended to in chunks by their positions, and norms are summed in one order.
 */
public final class CudaKernels extends Kernels {
    private static final Logger LOG = LoggerFactory.getLogger(CudaKernels.class);

    /** Changes whenever a bit of any result does. */
    static final String VERSION = "cuda-bf16-2";

    private static final int CAPABILITY = 90;
    private static final int THREADS = 256;
    /** Room for the block tables of a thousand sequences of 128 Ki positions. */
    private static final int STAGING_BYTES = 64 << 20;

    /** The most rows that an operation outside of a step may have. */
    static final int MOST_ROWS = 1 << 17;

    /** Memory that caches and activations leave to the driver and to what grows, in bytes. */
    private static final long MARGIN_BYTES = 1L << 30;

    private final Device device;
    private final Share share;
    private final Stream stream;
    private final CudaStaging staging;
    private final CudaStep step;
    private final CudaRecordings recordings;
    private final CudaProducts products;
    private final CudaAttention attention;
    private final CudaHead head;
    private final CudaRanker ranker;
    private final CudaProposer proposer;

    /** Null where steps of few rows are run like those of many. */
    private final CudaDecoder decoder;

    private final Kernel embed;
    private final Kernel normalize;
    private final Kernel gather;
    private final Kernel tile;
    private final List<Module> modules = new ArrayList<>();
    private final List<CudaRotary> rotaries = new ArrayList<>();
    private final Set<Resource> books = Collections.newSetFromMap(new IdentityHashMap<>());
    private final Arguments arguments = new Arguments();

    /** Entry i holds i: what kernels read the number of rows from, where it is known beforehand. */
    private final Buffer numbers;

    /** Rows to gather. */
    private final Buffer indices;

    private CudaUpload upload;

    /** What encoders need, from the first time on that there is one. */
    private CudaEncoder encoder;

    /** Rows on their way to the host, from the first time on that there are any. */
    private CudaRows.Pool late;

    private long launches;

    /** The last kernel queued was one of {@link #launchTogether}. */
    private boolean together;

    /**
     * @param ordinal which of the GPUs that this process sees, from 0
     * @param part on which part of it
     * @throws PaloverdeException {@code DEVICE_UNAVAILABLE} if it is not there or not one of those the kernels are built for,
     *     or cannot be shared out
     */
    CudaKernels(int ordinal, DevicePart part) {
        device = Device.open(ordinal);
        device.attach();
        try {
            requireKernelsFor(device);
            share = share(device, part);
            stream = stream(device, part, share);
        } catch (PaloverdeException e) {
            device.close();
            throw e;
        }
        staging = new CudaStaging(device, stream, STAGING_BYTES);
        step = new CudaStep(this);
        recordings = new CudaRecordings(stream);
        Module rows = module("rows");
        embed = rows.kernel("rows_embed");
        normalize = rows.kernel("rows_normalize");
        gather = rows.kernel("rows_gather");
        products = new CudaProducts(this, this::module);
        tile = products.kernel("products_tile");
        attention = new CudaAttention(this, this::module);
        head = new CudaHead(this, products);
        ranker = new CudaRanker(this, head, module("sampling").kernel("sampling_rank"));
        proposer = new CudaProposer(this, products, module("drafting"), gather);
        decoder = decodesTogether(part) ? new CudaDecoder(this, this::module) : null;
        indices = device.allocate(4L * MOST_ROWS);
        numbers = device.allocate(4L * MOST_ROWS);
        CudaStaging.Piece piece = staging.piece(4 * MOST_ROWS);
        for (int i = 0; i < MOST_ROWS; i++) {
            piece.bytes().putInt(4 * i, i);
        }
        piece.send(numbers, 0);
        staging.synchronize();
    }

    /** {@return the multiprocessors that are set apart for a part; null for all} */
    private static Share share(Device device, DevicePart part) {
        if (part.multiprocessors() == 0) {
            return null;
        }
        Share.Split split = device.split(part.multiprocessors());
        return part.role() == DevicePart.Role.DRAFT ? split.first() : split.rest();
    }

    private static Stream stream(Device device, DevicePart part, Share share) {
        if (share != null) {
            return device.stream(share);
        }
        return part.role() == DevicePart.Role.DRAFT ? device.urgentStream() : device.stream();
    }

    /**
     * A kernel that keeps all multiprocessors for a whole step would make another model wait that computes at the same time. On
     * a share of them it has not been tried.
     */
    private static boolean decodesTogether(DevicePart part) {
        return part.role() == DevicePart.Role.MODEL && part.multiprocessors() == 0 && CudaDecoder.wanted() > 0;
    }

    /** {@return how many multiprocessors kernels run on} */
    int multiprocessors() {
        return share == null ? device.multiprocessors() : share.multiprocessors();
    }

    /** @throws PaloverdeException {@code DEVICE_UNAVAILABLE} for a GPU that the kernels are not built for */
    static void requireKernelsFor(Device device) {
        if (device.capability() != CAPABILITY) {
            throw new PaloverdeException(
                    ErrorCode.DEVICE_UNAVAILABLE,
                    "%s has compute capability %d.%d, and the kernels are built for 9.0 (H100, H200); use such a GPU, or set device to cpu"
                            .formatted(device.name(), device.capability() / 10, device.capability() % 10));
        }
    }

    private Module module(String family) {
        Module module = device.module(family);
        modules.add(module);
        return module;
    }

    @Override
    public String version() {
        return VERSION;
    }

    @Override
    public String description() {
        String of = share == null ? "" : ", " + share.multiprocessors() + " multiprocessors";
        return device.name() + " (GPU " + device.ordinal() + of + ", driver " + device.driver() + "), bf16";
    }

    /** {@return what this instance made and nobody has closed yet, in words; for tests that look for leaks} */
    public List<String> unclosed() {
        return books.stream().map(Resource::describe).sorted().toList();
    }

    /** The driver knows a thread's device: one thread may use kernels of two, and kernels be used by two threads. */
    void attach() {
        device.attach();
    }

    Device device() {
        return device;
    }

    Stream stream() {
        return stream;
    }

    CudaStaging staging() {
        return staging;
    }

    CudaStep step() {
        if (!step.running()) {
            throw Shapes.wrong("an operation over a batch outside of a step; call it from Kernels.step");
        }
        return step;
    }

    /** {@return how much was queued so far; what was read at the same count is still true} */
    long launches() {
        return launches;
    }

    /** Queues a kernel that may start while the one before runs: it waits itself before it reads what that one wrote. */
    void launch(Kernel kernel, int blocks, int blocksY, int threads, Arguments of) {
        launches++;
        if (together) {
            // its blocks leave no room for any of the next kernel before they end
            stream.launch(kernel, blocks, blocksY, 1, threads, of);
        } else {
            stream.launchOverlapping(kernel, blocks, blocksY, 1, threads, of);
        }
        together = false;
    }

    /** Queues a kernel that starts when all before it is over. */
    void launchAlone(Kernel kernel, int blocks, int threads, Arguments of) {
        launches++;
        together = false;
        stream.launch(kernel, blocks, 1, 1, threads, of);
    }

    /** Queues a kernel whose blocks, one on each multiprocessor, wait for one another, when all before it is over. */
    void launchTogether(Kernel kernel, int blocks, int threads, Arguments of) {
        launches++;
        together = true;
        stream.launchTogether(kernel, blocks, threads, of);
    }

    /** Recordings hold addresses: whoever gives memory back says so. */
    void forgetRecordings() {
        attach();
        recordings.forget();
    }

    @Override
    public int rowLimit() {
        return MOST_ROWS - 1;
    }

    /** {@return where kernels read the number of rows: of the running step's batch, or this number} */
    Buffer rows(int rows) {
        if (step.running()) {
            return step.rows();
        }
        Shapes.atLeast(MOST_ROWS - 1, rows, "most rows of an operation", "rows");
        return numbers.slice(4L * rows);
    }

    /** {@return the most rows that a launch made now may find} */
    int mostRows(int rows) {
        return step.running() ? step.sizes().rows() : rows;
    }

    @Override
    public Tensor tensor(int capacity, int columns) {
        CudaTensor made = new CudaTensor(books, this, CudaTensor.Kind.OPERAND, capacity, columns);
        products.describe(made);
        return made;
    }

    @Override
    public Tensor residual(int capacity, int columns) {
        requireEights(columns, "the residual stream");
        return new CudaTensor(books, this, CudaTensor.Kind.RESIDUAL, capacity, columns);
    }

    @Override
    public Matrix matrix(List<HostTensor> parts) {
        return projection(parts, Quantization.NONE);
    }

    @Override
    public Matrix projection(List<HostTensor> parts, Quantization quantization) {
        int rows = 0;
        for (HostTensor part : parts) {
            Shapes.same(
                    part.columns(), parts.get(0).columns(), "columns of " + part.name(), "columns of the first part");
            rows += part.rows();
        }
        CudaMatrix made = blank(rows, parts.get(0).columns(), CudaMatrix.Order.GIVEN, quantization);
        int first = 0;
        for (HostTensor part : parts) {
            requireEights(first, part.name());
            upload().send(part, made, first, CudaUpload.Placement.PLAIN);
            first += part.rows();
        }
        return made;
    }

    @Override
    public Matrix gatedMatrix(HostTensor gate, HostTensor up) {
        return gatedMatrix(gate, up, Quantization.NONE);
    }

    @Override
    public Matrix gatedMatrix(HostTensor gate, HostTensor up, Quantization quantization) {
        Shapes.same(up.rows(), gate.rows(), "rows of " + up.name(), "rows of " + gate.name());
        Shapes.same(up.columns(), gate.columns(), "columns of " + up.name(), "columns of " + gate.name());
        requireEights(gate.rows(), gate.name());
        CudaMatrix made = blank(2 * gate.rows(), gate.columns(), CudaMatrix.Order.GATED, quantization);
        upload().send(gate, made, 0, CudaUpload.Placement.GATE);
        upload().send(up, made, 0, CudaUpload.Placement.UP);
        return made;
    }

    private CudaMatrix blank(int rows, int columns, CudaMatrix.Order order, Quantization quantization) {
        CudaMatrix made = new CudaMatrix(books, this, rows, columns, order, quantization);
        if (rows % CudaTensor.TILE != 0) {
            stream.fill(made.tiles(), 0, (byte) 0, made.tiles().bytes());
        }
        return made;
    }

    /** A byte each; scales are not worth counting. */
    @Override
    public long quantizedBytes(long weights) {
        return weights;
    }

    /** Tiles are filled by groups of eight rows. */
    private static void requireEights(int rows, String name) {
        if (rows % 8 != 0) {
            throw new PaloverdeException(
                    ErrorCode.UNSUPPORTED_MODEL,
                    name + " has " + rows
                            + " rows, or begins behind as many; on a GPU it is a multiple of 8: use device cpu");
        }
    }

    private CudaUpload upload() {
        if (upload == null) {
            upload = new CudaUpload(this, tile, () -> products.fp8().quantize());
        }
        return upload;
    }

    /** The weights are there as soon as they are used. */
    private void endUpload() {
        if (upload != null) {
            upload.close();
            upload = null;
        }
    }

    @Override
    public Weights weights(List<HostTensor> parts) {
        int length = parts.stream().mapToInt(HostTensor::columns).sum();
        float[] values = new float[length];
        int first = 0;
        for (HostTensor part : parts) {
            System.arraycopy(vector(part), 0, values, first, part.columns());
            first += part.columns();
        }
        return weights(values);
    }

    @Override
    public Weights gatedWeights(HostTensor gate, HostTensor up) {
        Shapes.same(up.columns(), gate.columns(), "length of " + up.name(), "length of " + gate.name());
        float[] gates = vector(gate);
        float[] ups = vector(up);
        float[] values = new float[2 * gates.length];
        for (int i = 0; i < gates.length; i++) {
            int group = i / 8 * 16 + i % 8;
            values[group] = gates[i];
            values[group + 8] = ups[i];
        }
        return weights(values);
    }

    private static float[] vector(HostTensor part) {
        Shapes.same(part.rows(), 1, "rows of vector " + part.name(), "rows of a vector");
        float[] values = new float[part.columns()];
        HostNumbers.read(part.rows(0, 1), part.type(), values, values.length);
        return values;
    }

    private CudaWeights weights(float[] values) {
        CudaWeights made = new CudaWeights(books, this, values.length);
        CudaStaging.Piece piece = staging.piece((int) made.values().bytes());
        for (int i = 0; i < made.values().bytes() / 4; i++) {
            piece.bytes().putFloat(4 * i, i < values.length ? values[i] : 0);
        }
        piece.send(made.values(), 0);
        return made;
    }

    @Override
    public KvCache cache(KvLayout layout, int pages) {
        if (layout.pageTokens() < 16 || Integer.bitCount(layout.pageTokens()) != 1) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "page-tokens is " + layout.pageTokens() + "; on a GPU it is a power of two from 16");
        }
        return new CudaKvCache(books, this, layout, pages);
    }

    @Override
    public Optional<PaloverdeException> fault() {
        return device.fault();
    }

    @Override
    public int cacheElementBytes() {
        return Short.BYTES;
    }

    @Override
    public long availableBytes() {
        return Math.max(0, device.freeBytes() - MARGIN_BYTES);
    }

    /** Takes most of the free memory and not all: another model may want to be on the same device. */
    @Override
    public Limits limits() {
        return new Limits(256, 8192, 16, availableBytes() / 4 * 3);
    }

    @Override
    public int scoringRows() {
        return CudaHead.SCORE_ROWS;
    }

    @Override
    public Optional<TokenRanker> ranker() {
        return Optional.of(ranker);
    }

    @Override
    public Optional<TokenChooser> chooser() {
        return Optional.of(head);
    }

    @Override
    public Optional<TokenProposer> proposer() {
        return Optional.of(proposer);
    }

    /**
     * Queues steps that follow one another, which {@link #place} begins.
     *
     * @param last the last position in any of them
     */
    void chain(CudaRecordings.Key key, int last, Runnable steps) {
        attach();
        endUpload();
        for (CudaRotary rotary : rotaries) {
            rotary.reach(last);
        }
        try {
            recordings.run(key, steps);
            launches++;
        } finally {
            step.end();
        }
    }

    /** Begins a step whose batch is on the GPU already, or will be. */
    void place(Buffer at, StepBatch batch, CudaStep.Sizes sizes) {
        step.place(at, batch, sizes);
        attention.begin();
    }

    @Override
    public void step(Object key, StepBatch batch, Runnable operations) {
        attach();
        endUpload();
        int last = 0;
        for (int position : batch.positions()) {
            last = Math.max(last, position);
        }
        for (CudaRotary rotary : rotaries) {
            rotary.reach(last);
        }
        step.begin(batch);
        attention.begin();
        try {
            recordings.run(new CudaRecordings.Key(key, step.sizes()), operations);
            launches++;
            together = decoder != null && decoder.few(step.sizes());
        } finally {
            step.end();
        }
    }

    @Override
    public void embed(Matrix table, int[] tokens, Tensor out) {
        endUpload();
        CudaMatrix from = own(table, CudaMatrix.class);
        CudaTensor to = residual(out);
        Shapes.same(out.rows(), tokens.length, "rows of the output", "tokens");
        Shapes.same(out.columns(), table.columns(), "columns of the output", "columns of the table");
        boolean references = step.running();
        for (int token : tokens) {
            if (token < (references ? -MOST_ROWS : 0) || token >= table.rows()) {
                throw new PaloverdeException(
                        ErrorCode.TOKENIZER_MISMATCH,
                        "token " + token + " is not among the " + table.rows()
                                + " of the embedding; use the tokenizer that the model was trained with");
            }
        }
        Buffer ids;
        if (step.running() && step.batch().tokens() == tokens) {
            ids = step.tokens();
        } else {
            send(tokens);
            ids = indices;
        }
        arguments
                .clear()
                .pointer(from.tiles())
                .pointer(ids)
                .pointer(rows(tokens.length))
                .pointer(to.values())
                .pointer(head.chosen())
                .integer(table.columns())
                .integer(from.paddedColumns() / CudaTensor.TILE);
        launch(embed, mostRows(tokens.length), 1, THREADS, arguments);
    }

    private void send(int[] rows) {
        Shapes.atLeast(MOST_ROWS, rows.length, "most rows of an operation", "rows");
        CudaStaging.Piece piece = staging.piece(4 * Math.max(1, rows.length));
        for (int i = 0; i < rows.length; i++) {
            piece.bytes().putInt(4 * i, rows[i]);
        }
        piece.send(indices, 0);
    }

    @Override
    public void normalize(Tensor in, Weights gain, float epsilon, Tensor out) {
        CudaTensor from = residual(in);
        CudaTensor to = operand(out);
        Shapes.same(gain.length(), in.columns(), "gain", "columns of the input");
        Shapes.same(out.columns(), in.columns(), "columns of the output", "columns of the input");
        Shapes.same(out.rows(), in.rows(), "rows of the output", "rows of the input");
        arguments
                .clear()
                .pointer(from.values())
                .pointer(own(gain, CudaWeights.class).values())
                .pointer(rows(in.rows()))
                .pointer(to.values())
                .integer(in.columns())
                .integer(to.stride())
                .real(epsilon)
                .integer(0);
        launch(normalize, mostRows(in.rows()), 1, THREADS, arguments);
    }

    @Override
    public void multiply(Tensor in, Matrix weight, Weights bias, Tensor out) {
        Shapes.same(out.columns(), weight.rows(), "columns of the output", "outputs");
        multiply(CudaProducts.Epilogue.STORE, in, weight, bias, operand(out));
    }

    @Override
    public void multiplyAdd(Tensor in, Matrix weight, Weights bias, Tensor residual) {
        Shapes.same(residual.columns(), weight.rows(), "columns of the output", "outputs");
        multiply(CudaProducts.Epilogue.ADD, in, weight, bias, residual(residual));
    }

    @Override
    public void multiplyGated(Tensor in, Matrix weight, Weights bias, Tensor out) {
        Shapes.same(weight.rows(), 2 * out.columns(), "outputs of the gated matrix", "twice the columns of the output");
        multiply(CudaProducts.Epilogue.GATED, in, weight, bias, operand(out));
    }

    @Override
    public void cut(List<byte[]> images, PatchLayout layout, Tensor out) {
        Shapes.same(out.rows(), images.size() * layout.sequence(), "rows of the output", "rows of the images");
        Shapes.same(out.columns(), layout.numbers(), "columns of the output", "numbers of a patch");
        images.forEach(image -> Shapes.same(image.length, layout.samples(), "samples", "samples of an image"));
        if (!images.isEmpty()) {
            encoder().cut(images, layout, operand(out));
        }
    }

    @Override
    public LateRows fetch(Tensor rows) {
        CudaTensor from = operand(rows);
        if (late == null) {
            late = new CudaRows.Pool(this);
        }
        return late.fetch(from);
    }

    @Override
    public void normalizeCentered(Tensor in, Weights gain, Weights bias, float epsilon, Tensor out) {
        CudaTensor from = residual(in);
        Shapes.same(gain.length(), in.columns(), "gain", "columns of the input");
        Shapes.same(bias.length(), in.columns(), "bias", "columns of the input");
        Shapes.same(out.columns(), in.columns(), "columns of the output", "columns of the input");
        Shapes.same(out.rows(), in.rows(), "rows of the output", "rows of the input");
        encoder().normalize(from, own(gain, CudaWeights.class), own(bias, CudaWeights.class), epsilon, operand(out));
    }

    @Override
    public void multiplyActivated(Tensor in, Matrix weight, Weights bias, Activation activation, Tensor out) {
        Shapes.same(out.columns(), weight.rows(), "columns of the output", "outputs");
        attach();
        multiply(products.activated(activation), in, weight, bias, operand(out));
    }

    @Override
    public int headWidth(int width) {
        return CudaEncoder.headWidth(width);
    }

    @Override
    public void attendWithin(Heads queries, Heads keys, Heads values, float scale, int[] starts, Tensor out) {
        for (Heads heads : List.of(queries, keys, values)) {
            Shapes.same(heads.count(), queries.count(), "key or value heads", "query heads");
            Shapes.same(heads.width(), queries.width(), "width of a key or value head", "width of a query head");
            Shapes.same(operand(heads.tensor()).rows(), out.rows(), "rows of queries, keys or values", "rows");
        }
        Shapes.same(out.columns(), queries.count() * queries.width(), "columns of the output", "query heads");
        Shapes.same(starts[starts.length - 1], out.rows(), "end of the last block", "rows of the output");
        if (out.rows() > 0) {
            encoder().attend(queries, keys, values, scale, starts, operand(out));
        }
    }

    private CudaEncoder encoder() {
        attach();
        if (encoder == null) {
            encoder = new CudaEncoder(this, this::module);
        }
        return encoder;
    }

    private void multiply(CudaProducts.Epilogue epilogue, Tensor in, Matrix weight, Weights bias, CudaTensor out) {
        endUpload();
        CudaMatrix matrix = own(weight, CudaMatrix.class);
        CudaMatrix.Order order =
                epilogue == CudaProducts.Epilogue.GATED ? CudaMatrix.Order.GATED : CudaMatrix.Order.GIVEN;
        if (matrix.order() != order) {
            throw Shapes.wrong(matrix.describe() + " has its outputs in the order " + matrix.order()
                    + ", and this operation wants " + order);
        }
        Shapes.same(in.columns(), weight.columns(), "columns of the input", "inputs");
        Shapes.same(out.rows(), in.rows(), "rows of the output", "rows of the input");
        products.multiply(
                epilogue,
                operand(in),
                matrix,
                bias == null ? null : own(bias, CudaWeights.class),
                out.values(),
                out.stride(),
                in.rows());
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
        CudaKvCache to = own(cache, CudaKvCache.class);
        Shapes.index(layer, cache.layout().layers(), "layer");
        Shapes.same(keys.count(), cache.layout().heads(), "key heads", "heads of the cache");
        Shapes.same(values.count(), cache.layout().heads(), "value heads", "heads of the cache");
        Shapes.same(keys.width(), cache.layout().width(), "width of a head", "width of the cache");
        CudaAttention.requireGroups(queries.count(), keys.count());
        requireCurrent(batch);
        operand(queries.tensor());
        operand(keys.tensor());
        operand(values.tensor());
        attention.appendRotated(to, layer, queries, keys, values, norms, table(rotary, batch));
    }

    private CudaRotary table(Rotary rotary, StepBatch batch) {
        for (CudaRotary known : rotaries) {
            if (known.rotary() == rotary) {
                return known;
            }
        }
        CudaRotary made = new CudaRotary(this, rotary);
        int last = 0;
        for (int position : batch.positions()) {
            last = Math.max(last, position);
        }
        made.reach(last);
        rotaries.add(made);
        return made;
    }

    @Override
    public void attend(Heads queries, KvCache cache, int layer, Attention how, StepBatch batch, Tensor out) {
        CudaKvCache from = own(cache, CudaKvCache.class);
        Shapes.index(layer, cache.layout().layers(), "layer");
        Shapes.same(queries.width(), cache.layout().width(), "width of a query head", "width of the cache");
        Shapes.same(out.columns(), queries.count() * queries.width(), "columns of the output", "query heads");
        CudaAttention.requireGroups(queries.count(), cache.layout().heads());
        requireCurrent(batch);
        operand(queries.tensor());
        attention.attend(queries, from, layer, how, operand(out));
    }

    /** In one launch, if the rows are few; see {@link CudaDecoder}. */
    @Override
    public void decode(Decoder layers, Decoder.Room room, KvCache cache, StepBatch batch) {
        requireCurrent(batch);
        if (decoder == null || !decoder.takes(layers, step)) {
            super.decode(layers, room, cache, batch);
            return;
        }
        endUpload();
        CudaKvCache to = own(cache, CudaKvCache.class);
        Shapes.same(layers.layers().size(), to.layout().layers(), "layers", "layers of the cache");
        Shapes.same(layers.keyValues(), to.layout().heads(), "key heads", "heads of the cache");
        Shapes.same(layers.width(), to.layout().width(), "width of a head", "width of the cache");
        CudaAttention.requireGroups(layers.queries(), layers.keyValues());
        Shapes.same(residual(room.residual()).rows(), batch.rows(), "rows of the residual", "rows of the batch");
        for (Tensor tensor : List.of(room.normed(), room.projected(), room.attended(), room.gated())) {
            Shapes.same(operand(tensor).rows(), batch.rows(), "rows of a tensor", "rows of the batch");
        }
        decoder.run(layers, room, to, table(layers.rotary(), batch));
    }

    private void requireCurrent(StepBatch batch) {
        if (step().batch() != batch) {
            throw Shapes.wrong("an operation over another batch than the running step's");
        }
    }

    @Override
    public void gather(Tensor in, int[] rows, Tensor out) {
        CudaTensor from = operand(in);
        CudaTensor to = operand(out);
        Shapes.same(out.columns(), in.columns(), "columns of the output", "columns of the input");
        Shapes.same(out.rows(), rows.length, "rows of the output", "rows to gather");
        if (from == to) {
            throw Shapes.wrong("gather cannot work in place; give it another tensor");
        }
        for (int row : rows) {
            Shapes.index(row, in.rows(), "row");
        }
        if (rows.length == 0) {
            return;
        }
        send(rows);
        arguments
                .clear()
                .pointer(from.values())
                .pointer(indices)
                .pointer(rows(rows.length))
                .pointer(to.values())
                .integer(from.stride())
                .integer(0);
        launch(gather, rows.length, 1, THREADS, arguments);
    }

    @Override
    public void logits(Tensor hidden, Matrix projection, float[] out) {
        endUpload();
        if (out.length < (long) hidden.rows() * projection.rows()) {
            throw Shapes.wrong("room for " + out.length + " logits, where " + hidden.rows() + " x " + projection.rows()
                    + " are asked for");
        }
        Shapes.same(hidden.columns(), projection.columns(), "columns of the hidden states", "inputs");
        if (hidden.rows() > 0) {
            head.logits(operand(hidden), own(projection, CudaMatrix.class), out);
        }
    }

    @Override
    public void logProbabilities(
            Tensor hidden, Matrix projection, int[] targets, float[] logProbabilities, int[] best) {
        try (LateAnswers answers = score(hidden, projection, targets)) {
            answers.await();
            for (int row = 0; row < targets.length; row++) {
                logProbabilities[row] = answers.logProbability(row);
                best[row] = answers.token(row);
            }
        }
    }

    @Override
    public LateAnswers score(Tensor hidden, Matrix projection, int[] targets) {
        endUpload();
        Shapes.same(hidden.columns(), projection.columns(), "columns of the hidden states", "inputs");
        Shapes.same(targets.length, hidden.rows(), "targets", "rows");
        for (int target : targets) {
            Shapes.index(target, projection.rows(), "target");
        }
        return targets.length == 0
                ? LateAnswers.of(new int[0], new float[0])
                : head.score(operand(hidden), own(projection, CudaMatrix.class), targets);
    }

    @Override
    public void copyPage(KvCache cache, int from, int to, int tokens) {
        Shapes.index(from, cache.pages(), "page");
        Shapes.index(to, cache.pages(), "page");
        attention.copyPage(own(cache, CudaKvCache.class), from, to, tokens);
    }

    @Override
    public void copyPages(KvCache cache, int[] from, int[] to, int[] tokens) {
        for (int i = 0; i < from.length; i++) {
            Shapes.index(from[i], cache.pages(), "page");
            Shapes.index(to[i], cache.pages(), "page");
        }
        proposer.copyPages(own(cache, CudaKvCache.class), from, to, tokens);
    }

    private CudaTensor operand(Tensor tensor) {
        return ofKind(tensor, CudaTensor.Kind.OPERAND);
    }

    private CudaTensor residual(Tensor tensor) {
        return ofKind(tensor, CudaTensor.Kind.RESIDUAL);
    }

    private CudaTensor ofKind(Tensor tensor, CudaTensor.Kind kind) {
        CudaTensor found = own(tensor, CudaTensor.class);
        if (found.kind() != kind) {
            throw Shapes.wrong(
                    found.describe() + " is of the kind " + found.kind() + ", and this operation wants " + kind);
        }
        return found;
    }

    /** {@return an argument of an operation, as what it must be} Every operation begins with it, on whatever thread. */
    <T> T own(Object object, Class<T> type) {
        attach();
        if (!type.isInstance(object)) {
            throw Shapes.wrong("the CUDA kernels cannot use " + object + "; make it with the same kernels");
        }
        return type.cast(object);
    }

    /** Gives everything back. What is still open is closed too, with a warning. */
    @Override
    public void close() {
        attach();
        endUpload();
        proposer.close();
        if (!books.isEmpty()) {
            LOG.warn("closed before what they made, which is closed now: {}", unclosed());
            List.copyOf(books).forEach(Resource::close);
        }
        staging.synchronize();
        recordings.forget();
        rotaries.forEach(CudaRotary::close);
        ranker.close();
        head.close();
        if (encoder != null) {
            encoder.close();
        }
        if (late != null) {
            late.close();
        }
        attention.close();
        if (decoder != null) {
            decoder.close();
        }
        step.close();
        indices.close();
        numbers.close();
        modules.forEach(Module::close);
        staging.close();
        stream.close();
        device.close();
    }
}
