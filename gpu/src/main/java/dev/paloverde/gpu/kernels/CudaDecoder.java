package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.device.Arguments;
import dev.paloverde.gpu.device.Buffer;
import dev.paloverde.gpu.device.Kernel;
import dev.paloverde.gpu.device.Module;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.function.Function;

/**
 * Steps of very few rows in one launch, all layers of them: a block on each multiprocessor streams its share of all weights
 * ahead of what keeps it waiting. {@code decode_step.cuh} says how. The bits are those of the operations that {@link
 * Kernels#decode} is composed of; what this does not take is left to them.
 */
final class CudaDecoder implements AutoCloseable {
    private static final int[] WIDTHS = {64, 128, 256};
    private static final int MOST_GROUP_HEADS = 16;

    /** A system property: how many rows a step has at most that is run in one launch, 0 to 8; 0 for none. */
    static final String MOST_ROWS = "paloverde.decode-step-rows";

    /**
     * None, until whole engines have run so: what has been measured is the kernel, in {@code bench/h200/engine.md}. It pays for
     * one row and for two; from 3 on, norms that every block computes for itself and activations that it fetches for itself
     * cost more than launches do.
     */
    private static final int USUALLY_MOST_ROWS = 0;

    /** Outputs that a block has at a time. */
    private static final int BLOCK_OUTPUTS = 8 * 16;

    /** Bytes of inputs that a block holds at a time. */
    private static final int INPUT_BYTES = 64 << 10;

    private static final int LAYER_BYTES = 128;
    private static final int LAYER_POINTERS = 12;
    private static final int BARRIER_BYTES = 384;

    /** Units of attention of a block, from which on they are sections of 2048 keys. */
    private static final int CHUNK_ROUNDS = 16;

    private static final int SECTION_KEYS = 2048;
    private static final int MOST_TILES = 8;
    private static final int TILE_ROWS = 16;

    private final CudaKernels kernels;
    private final int threads;
    private final int mostRows;
    private final Map<Integer, Kernel> byWidth = new HashMap<>();
    private final Map<Decoder, Buffer> tables = new IdentityHashMap<>();
    private final Arguments arguments = new Arguments();
    private final Buffer barrier;
    private Buffer scratch;

    /** @param modules gives a family of kernels by its name */
    CudaDecoder(CudaKernels kernels, Function<String, Module> modules) {
        this.kernels = kernels;
        Module module = modules.apply("decode_step");
        int[] info = module.integers("decode_step_info");
        threads = info[0];
        mostRows = Math.min(info[2], wanted());
        for (int width : WIDTHS) {
            byWidth.put(width, module.kernel("decode_step_" + width).dynamicShared(info[1]));
        }
        barrier = kernels.device().allocate(BARRIER_BYTES);
        kernels.stream().fill(barrier, 0, (byte) 0, BARRIER_BYTES);
    }

    /** {@return the most rows of a step in one launch; 0 if none is to be run so} */
    static int wanted() {
        return Integer.getInteger(MOST_ROWS, USUALLY_MOST_ROWS);
    }

    /** {@return whether a step of these sizes may be run here} */
    boolean few(CudaStep.Sizes sizes) {
        return sizes.few() <= mostRows;
    }

    /**
     * {@return whether the running step is run here: of very few rows, by itself (in a chain it has not been tried), with weights of
     * 16 bits, with heads that there is a form for, and with matrices of which each block has its outputs, and the inputs to
     * them, at once}
     */
    boolean takes(Decoder decoder, CudaStep step) {
        CudaStep.Sizes sizes = step.sizes();
        return few(sizes)
                && !step.chained()
                && !decoder.layers().isEmpty()
                && decoder.width() % 8 == 0
                && decoder.width() <= WIDTHS[WIDTHS.length - 1]
                && decoder.rotary().frequencies().length % 4 == 0
                && decoder.queries() <= MOST_GROUP_HEADS * decoder.keyValues()
                && decoder.layers().stream()
                        .allMatch(layer -> takes(layer.queryKeyValue(), sizes)
                                && takes(layer.output(), sizes)
                                && takes(layer.gateUp(), sizes)
                                && takes(layer.down(), sizes));
    }

    private boolean takes(Matrix matrix, CudaStep.Sizes sizes) {
        return own(matrix).scales().isEmpty()
                && matrix.rows() <= BLOCK_OUTPUTS * kernels.multiprocessors()
                && 2 * sizes.few() * own(matrix).paddedColumns() <= INPUT_BYTES;
    }

    /** Queues the running step's layers. */
    void run(Decoder decoder, Decoder.Room room, CudaKvCache cache, CudaRotary rotary) {
        CudaStep step = kernels.step();
        KvLayout layout = cache.layout();
        CudaTensor residual = tensor(room.residual());
        CudaTensor normed = tensor(room.normed());
        CudaTensor projected = tensor(room.projected());
        CudaTensor attended = tensor(room.attended());
        CudaTensor gated = tensor(room.gated());
        int blocks = kernels.multiprocessors();
        int sections = step.sizes().pages() * layout.pageTokens() / SECTION_KEYS + 2;
        int units = Math.max(CHUNK_ROUNDS * blocks, Math.multiplyExact(MOST_TILES * layout.heads(), sections));
        scratch = enough(4L * units * TILE_ROWS * (layout.width() + 2));
        arguments
                .clear()
                .pointer(tables.computeIfAbsent(decoder, this::table))
                .pointer(weights(decoder.norm()))
                .pointer(step.rows())
                .pointer(step.sequences())
                .pointer(step.positions())
                .pointer(step.starts())
                .pointer(step.tables())
                .pointer(rotary.cosines())
                .pointer(rotary.sines())
                .pointer(cache.elements())
                .pointer(residual.values())
                .pointer(projected.values())
                .pointer(attended.values())
                .pointer(gated.values())
                .pointer(normed.values())
                .pointer(scratch)
                .pointer(barrier)
                .integer(decoder.layers().size())
                .integer(residual.columns())
                .integer(decoder.queries())
                .integer(layout.heads())
                .integer(layout.width())
                .integer(2 * rotary.half())
                .integer(gated.columns())
                .integer(layout.pageTokens())
                .integer(step.sizes().pages())
                .integer(projected.stride())
                .integer(attended.stride())
                .integer(gated.stride())
                .integer(normed.stride())
                .integer(units)
                .real(decoder.epsilon())
                .integer(0);
        for (int width : WIDTHS) {
            if (width >= layout.width()) {
                kernels.launchTogether(byWidth.get(width), blocks, threads, arguments);
                return;
            }
        }
    }

    /** Writes down where the weights of all layers are. They stay there for as long as they are used. */
    private Buffer table(Decoder decoder) {
        int bytes = LAYER_BYTES * decoder.layers().size();
        Buffer made = kernels.device().allocate(bytes);
        CudaStaging.Piece piece = kernels.staging().piece(bytes);
        for (int i = 0; i < decoder.layers().size(); i++) {
            DecoderLayer layer = decoder.layers().get(i);
            HeadNorms norms = layer.headNorms();
            Buffer[] pointers = {
                weights(layer.attentionNorm()),
                own(layer.queryKeyValue()).tiles(),
                weights(layer.queryKeyValueBias()),
                norms == null ? null : weights(norms.queries()),
                norms == null ? null : weights(norms.keys()),
                own(layer.output()).tiles(),
                weights(layer.outputBias()),
                weights(layer.feedForwardNorm()),
                own(layer.gateUp()).tiles(),
                weights(layer.gateUpBias()),
                own(layer.down()).tiles(),
                weights(layer.downBias())
            };
            int at = LAYER_BYTES * i;
            for (int pointer = 0; pointer < LAYER_POINTERS; pointer++) {
                piece.bytes().putLong(at + 8 * pointer, pointers[pointer] == null ? 0 : pointers[pointer].address());
            }
            int numbers = at + 8 * LAYER_POINTERS;
            piece.bytes().putInt(numbers, layer.attention().window());
            piece.bytes().putFloat(numbers + 4, layer.attention().scale());
            piece.bytes().putFloat(numbers + 8, norms == null ? 0 : norms.epsilon());
            for (int unused = numbers + 12; unused < at + LAYER_BYTES; unused += 4) {
                piece.bytes().putInt(unused, 0);
            }
        }
        piece.send(made, 0);
        return made;
    }

    private CudaMatrix own(Matrix matrix) {
        return kernels.own(matrix, CudaMatrix.class);
    }

    private CudaTensor tensor(Tensor tensor) {
        return kernels.own(tensor, CudaTensor.class);
    }

    /** {@return a vector's numbers; null for null} */
    private Buffer weights(Weights weights) {
        return weights == null ? null : kernels.own(weights, CudaWeights.class).values();
    }

    private Buffer enough(long bytes) {
        if (scratch != null && scratch.bytes() >= bytes) {
            return scratch;
        }
        kernels.forgetRecordings();
        if (scratch != null) {
            kernels.staging().synchronize();
            scratch.close();
        }
        return kernels.device().allocate(bytes);
    }

    @Override
    public void close() {
        tables.values().forEach(Buffer::close);
        if (scratch != null) {
            scratch.close();
        }
        barrier.close();
    }
}
