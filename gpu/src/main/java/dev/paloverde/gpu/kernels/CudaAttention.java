package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.device.Arguments;
import dev.paloverde.gpu.device.Buffer;
import dev.paloverde.gpu.device.Kernel;
import dev.paloverde.gpu.device.Module;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * Attention over the paged cache on a GPU. Once a step a plan cuts the work of all sequences into pieces of equal size; in
 * each layer one kernel norms, turns and stores, one attends, and one merges what was split. What is split where, and how
 * large a tile is, changes no bit: {@code attention_paged.cuh} says why.
 */
final class CudaAttention implements AutoCloseable {
    private static final int[] WIDTHS = {32, 64, 96, 128, 256};
    private static final int DECODE_TILE = 16;
    private static final int PREFILL_TILE = 64;

    private static final int MOST_GROUP_HEADS = 16;
    private static final int PLAN_HEADER_BYTES = 64;
    private static final int PLAN_ITEM_BYTES = 64;
    private static final int PLAN_THREADS = 1024;
    private static final int THREADS = 256;

    /** Partial results of one key head that there is room for, for each group of threads that attends. */
    private static final int SLOTS_PER_GROUP = 2;

    /** What a plan depends on, besides the batch. */
    private record PlanKey(int window, int groupHeads, int keyHeads, int width) {}

    /** The kernel for a width and a tile: how it is launched, and how many groups of threads of it there are at once. */
    private record Variant(Kernel kernel, int tile, int width, int threads, int blocks, int groups) {
        private int slots() {
            return SLOTS_PER_GROUP * groups;
        }
    }

    private final CudaKernels kernels;
    private final Module module;
    private final Kernel plan;
    private final Kernel prepare;
    private final Kernel merge;
    private final Kernel copyPage;
    private final Map<String, Variant> variants = new HashMap<>();
    private final Map<PlanKey, Buffer> plans = new HashMap<>();
    private final Set<PlanKey> planned = new HashSet<>();
    private final Arguments arguments = new Arguments();
    private Buffer scratch;
    private Buffer rowPages;

    /** @param modules gives a family of kernels by its name */
    CudaAttention(CudaKernels kernels, Function<String, Module> modules) {
        this.kernels = kernels;
        module = modules.apply("attention_paged");
        merge = module.kernel("attention_paged_merge");
        plan = modules.apply("attention_paged_plan").kernel("attention_plan");
        Module rows = modules.apply("attention_paged_prepare");
        prepare = rows.kernel("attention_prepare");
        copyPage = rows.kernel("attention_copy_page");
    }

    /** A step begins, and nothing is planned for it yet. */
    void begin() {
        planned.clear();
    }

    void appendRotated(
            CudaKvCache cache, int layer, Heads queries, Heads keys, Heads values, HeadNorms norms, CudaRotary rotary) {
        CudaStep step = kernels.step();
        CudaTensor projected = (CudaTensor) queries.tensor();
        KvLayout layout = cache.layout();
        PlanKey any = null;
        for (PlanKey key : planned) {
            any = key;
        }
        if (any == null) {
            // the pages that rows go to are the same in all plans
            plan(
                    new PlanKey(Attention.UNLIMITED, queries.count() / layout.heads(), layout.heads(), layout.width()),
                    layout);
        }
        arguments
                .clear()
                .pointer(step.rows())
                .pointer(step.positions())
                .pointer(rowPages)
                .nothing()
                .pointer(projected.values(), 2L * queries.firstColumn())
                .pointer(projected.values(), 2L * keys.firstColumn())
                .pointer(((CudaTensor) values.tensor()).values(), 2L * values.firstColumn())
                .pointer(cache.elements());
        if (norms == null) {
            arguments.nothing().nothing();
        } else {
            arguments
                    .pointer(kernels.own(norms.queries(), CudaWeights.class).values())
                    .pointer(kernels.own(norms.keys(), CudaWeights.class).values());
        }
        arguments
                .pointer(rotary.cosines())
                .pointer(rotary.sines())
                .integer(projected.stride())
                .integer(projected.stride())
                .integer(((CudaTensor) values.tensor()).stride())
                .integer(queries.count())
                .integer(layout.heads())
                .integer(layout.width())
                .integer(2 * rotary.half())
                .integer(layout.pageTokens())
                .integer(layer)
                .integer(layout.layers())
                .real(norms == null ? 0 : norms.epsilon())
                .integer(0);
        long heads = (long) step.sizes().rows() * (queries.count() + 2 * layout.heads());
        long headsPerBlock = THREADS / Math.max(1, layout.width() / 8);
        int blocks = (int) Math.max(1, Math.min(heads / headsPerBlock, 8L * kernels.multiprocessors()));
        kernels.launch(prepare, blocks, 1, THREADS, arguments);
    }

    void attend(Heads queries, CudaKvCache cache, int layer, Attention attention, CudaTensor out) {
        CudaStep step = kernels.step();
        KvLayout layout = cache.layout();
        int groupHeads = queries.count() / layout.heads();
        PlanKey key = new PlanKey(attention.window(), groupHeads, layout.heads(), layout.width());
        if (!planned.contains(key)) {
            plan(key, layout);
        }
        Variant variant = variant(layout.width(), tile(step.sizes(), groupHeads, layout));
        CudaTensor from = (CudaTensor) queries.tensor();
        arguments
                .clear()
                .pointer(from.values(), 2L * queries.firstColumn())
                .pointer(cache.elements())
                .pointer(step.tables())
                .nothing()
                .pointer(plans.get(key))
                .pointer(scratch)
                .pointer(out.values())
                .integer(from.stride())
                .integer(out.stride())
                .integer(step.sizes().pages())
                .integer(layout.pageTokens())
                .integer(layer)
                .integer(layout.layers())
                .integer(layout.heads())
                .integer(groupHeads)
                .integer(layout.width())
                .integer(attention.window())
                .integer(slotRows(step.sizes(), groupHeads, variant))
                .integer(variant.slots())
                .integer(items(step.sizes(), groupHeads, variant))
                .real(attention.scale());
        kernels.launch(variant.kernel(), variant.blocks(), 1, variant.threads(), arguments);
        kernels.launch(merge, 2 * kernels.multiprocessors(), 1, THREADS, arguments);
    }

    void copyPage(CudaKvCache cache, int from, int to, int tokens) {
        KvLayout layout = cache.layout();
        arguments
                .clear()
                .pointer(cache.elements())
                .integer(from)
                .integer(to)
                .integer(tokens)
                .integer(layout.pageTokens())
                .integer(layout.layers())
                .integer(layout.heads())
                .integer(layout.width())
                .integer(0);
        kernels.launch(copyPage, kernels.multiprocessors(), 1, THREADS, arguments);
    }

    /**
     * {@return the rows of a tile, of which there are some for each query head of a key head} The largest one is for steps
     * whose sequences fill it and that have one of it for each multiprocessor.
     */
    private int tile(CudaStep.Sizes sizes, int groupHeads, KvLayout layout) {
        if (sizes.most() * groupHeads <= DECODE_TILE) {
            return DECODE_TILE;
        }
        if (layout.width() <= 32 || layout.width() > 128) {
            return PREFILL_TILE;
        }
        int large = layout.width() <= 64 ? 256 : 128;
        long rows = (long) sizes.rows() * groupHeads;
        boolean filled = rows >= (long) large * sizes.sequences();
        boolean enough = rows / large * layout.heads() >= kernels.multiprocessors();
        return filled && enough ? large : PREFILL_TILE;
    }

    /** {@return the rows of a tile that may be split: those of sequences that decode} */
    private static int slotRows(CudaStep.Sizes sizes, int groupHeads, Variant variant) {
        return variant.tile() == DECODE_TILE ? sizes.most() * groupHeads : DECODE_TILE;
    }

    /** Queues the plan of a window, with memory for it and for what attends by it. */
    private void plan(PlanKey key, KvLayout layout) {
        CudaStep step = kernels.step();
        CudaStep.Sizes sizes = step.sizes();
        Variant variant = variant(key.width(), tile(sizes, key.groupHeads(), layout));
        int items = items(sizes, key.groupHeads(), variant);
        plans.put(key, enough(plans.get(key), PLAN_HEADER_BYTES + (long) PLAN_ITEM_BYTES * items));
        rowPages = enough(rowPages, 4L * sizes.rows());
        scratch = enough(
                scratch,
                4L
                        * (2L * variant.groups() * variant.tile() * variant.width()
                                + (long) variant.slots() * key.keyHeads() * DECODE_TILE * (variant.width() + 2)));
        arguments
                .clear()
                .pointer(step.sequences())
                .pointer(step.starts())
                .pointer(step.positions())
                .pointer(step.tables())
                .pointer(rowPages)
                .pointer(plans.get(key))
                .integer(sizes.pages())
                .integer(layout.pageTokens())
                .integer(key.groupHeads())
                .integer(key.keyHeads())
                .integer(key.window())
                .integer(variant.tile())
                .integer(variant.groups())
                .integer(slotRows(sizes, key.groupHeads(), variant))
                .integer(variant.slots())
                .integer(items);
        kernels.launch(plan, 1, 1, PLAN_THREADS, arguments);
        planned.add(key);
    }

    /** {@return the most pieces of work that a plan for these sizes can have} */
    private static int items(CudaStep.Sizes sizes, int groupHeads, Variant variant) {
        return sizes.sequences() + sizes.rows() * groupHeads / variant.tile() + variant.slots();
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
        return kernels.device().allocate(buffer == null ? bytes : Math.max(bytes, 2 * buffer.bytes()));
    }

    private Variant variant(int width, int tile) {
        int padded = 0;
        for (int candidate : WIDTHS) {
            if (candidate >= width) {
                padded = candidate;
                break;
            }
        }
        if (padded == 0 || width % 8 != 0) {
            throw new PaloverdeException(
                    ErrorCode.UNSUPPORTED_MODEL,
                    "attention heads of " + width
                            + " numbers; on a GPU they are multiples of 8 up to 256: use device cpu");
        }
        int chosen = padded;
        return variants.computeIfAbsent("attention_paged_" + chosen + "_" + tile, name -> {
            int[] info = module.integers(name + "_info");
            Kernel kernel = module.kernel(name).dynamicShared(info[1]);
            int blocks = kernels.multiprocessors() * info[3];
            return new Variant(kernel, tile, chosen, info[0], blocks, blocks * info[2]);
        });
    }

    /** Fails where the kernels have no form for the heads. */
    static void requireGroups(int queryHeads, int keyHeads) {
        if (queryHeads % keyHeads != 0 || queryHeads / keyHeads > MOST_GROUP_HEADS) {
            throw new PaloverdeException(
                    ErrorCode.UNSUPPORTED_MODEL,
                    "%d query heads over %d key-value heads; on a GPU there are from 1 to %d for each: use device cpu"
                            .formatted(queryHeads, keyHeads, MOST_GROUP_HEADS));
        }
    }

    @Override
    public void close() {
        plans.values().forEach(Buffer::close);
        if (scratch != null) {
            scratch.close();
        }
        if (rowPages != null) {
            rowPages.close();
        }
    }
}
