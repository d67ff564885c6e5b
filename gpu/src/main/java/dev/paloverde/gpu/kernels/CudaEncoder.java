package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.device.Arguments;
import dev.paloverde.gpu.device.Buffer;
import dev.paloverde.gpu.device.Kernel;
import dev.paloverde.gpu.device.Module;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * What encoders do on a GPU and decoders do not: images cut into patches, norms with means, and attention within blocks of
 * rows by the FlashAttention-4-style kernels of {@code attention_forward.cu}. There is one of these for each width of heads,
 * so that no bit depends on what is in a step.
 */
final class CudaEncoder implements AutoCloseable {
    private static final int THREADS = 256;
    /** Rows that a block of the norm takes, a warp each. */
    private static final int NORM_ROWS = 8;

    private static final int SAMPLES = 256;
    private static final int PREPARE_THREADS = 96;
    private static final int DESCRIPTOR_BYTES = 128;
    /** kUnlimited of {@code attention.cuh}. */
    private static final int UNLIMITED = 1 << 29;
    /** int32_t that the kernels leave for later. */
    private static final int RESERVED = 5;

    private record Form(Kernel prepare, Kernel forward, int threads) {}

    /** What the descriptors that attention reads through were made for. */
    private record Described(Heads queries, Heads keys, Heads values, Buffer workspace) {}

    private final CudaKernels kernels;
    private final Kernel normalize;
    private final Kernel cut;
    private final Function<String, Module> modules;
    private final Map<String, Module> families = new TreeMap<>();
    private final Map<Integer, Form> forms = new TreeMap<>();
    private final Arguments arguments = new Arguments();
    private Buffer workspace;
    private Buffer starts;
    private int[] sent;
    private Described described;
    private Buffer samples;
    private Buffer table;
    private float[][] tabulated;

    /** @param modules gives a family of kernels by its name */
    CudaEncoder(CudaKernels kernels, Function<String, Module> modules) {
        this.kernels = kernels;
        Module rows = modules.apply("encoder");
        normalize = rows.kernel("encoder_normalize");
        cut = rows.kernel("encoder_cut");
        this.modules = modules;
    }

    /** {@return the least width of heads that there are kernels for and that is not less} */
    static int headWidth(int width) {
        int padded = AttentionForms.width(width);
        if (padded == 0) {
            throw new PaloverdeException(
                    ErrorCode.UNSUPPORTED_MODEL,
                    "attention heads of " + width + " numbers; on a GPU an encoder's have at most "
                            + AttentionForms.mostWidth() + ": use device cpu");
        }
        return padded;
    }

    void normalize(CudaTensor in, CudaWeights gain, CudaWeights bias, float epsilon, CudaTensor out) {
        arguments
                .clear()
                .pointer(in.values())
                .pointer(gain.values())
                .pointer(bias.values())
                .pointer(kernels.rows(in.rows()))
                .pointer(out.values())
                .integer(in.columns())
                .integer(out.stride())
                .real(epsilon)
                .integer(0);
        int blocks = (kernels.mostRows(in.rows()) + NORM_ROWS - 1) / NORM_ROWS;
        kernels.launch(normalize, blocks, 1, THREADS, arguments);
    }

    void cut(List<byte[]> images, PatchLayout layout, CudaTensor out) {
        tabulate(layout.values());
        long needed = (long) images.size() * layout.samples();
        if (samples == null || samples.bytes() < needed) {
            release(samples);
            samples = kernels.device().allocate(needed);
        }
        int size = layout.samples();
        int perCopy =
                (int) Math.max(1, Math.min(images.size(), kernels.staging().capacity() / 4 / size));
        for (int first = 0; first < images.size(); first += perCopy) {
            int some = Math.min(perCopy, images.size() - first);
            CudaStaging.Piece piece = kernels.staging().piece(some * size);
            for (int image = 0; image < some; image++) {
                piece.bytes().put(image * size, images.get(first + image));
            }
            piece.send(samples, (long) first * size);
        }
        arguments
                .clear()
                .pointer(samples)
                .pointer(table)
                .pointer(kernels.rows(out.rows()))
                .pointer(out.values())
                .integer(layout.width())
                .integer(layout.height())
                .integer(layout.side())
                .integer(layout.prefix())
                .integer(layout.sequence())
                .integer(out.stride())
                .integer(layout.order() == PatchLayout.Order.CHANNELS_LAST ? 1 : 0)
                .integer(0);
        kernels.launch(cut, kernels.mostRows(out.rows()), 1, THREADS, arguments);
    }

    /** Sends what samples become, rounded as every operand is. */
    private void tabulate(float[][] values) {
        if (tabulated == values) {
            return;
        }
        if (table == null) {
            table = kernels.device().allocate(Short.BYTES * PatchLayout.CHANNELS * SAMPLES);
        }
        CudaStaging.Piece piece = kernels.staging().piece((int) table.bytes());
        for (int channel = 0; channel < PatchLayout.CHANNELS; channel++) {
            for (int sample = 0; sample < SAMPLES; sample++) {
                short number = HostNumbers.floatToBf16(values[channel][sample]);
                piece.bytes().putShort(Short.BYTES * (SAMPLES * channel + sample), number);
            }
        }
        piece.send(table, 0);
        tabulated = values;
    }

    /** All operands are bf16; heads are as wide as {@link #headWidth} says. */
    void attend(Heads queries, Heads keys, Heads values, float scale, int[] blocks, CudaTensor out) {
        int width = queries.width();
        Form form = forms.computeIfAbsent(width, this::form);
        int count = blocks.length - 1;
        int longest = 0;
        for (int block = 0; block < count; block++) {
            longest = Math.max(longest, blocks[block + 1] - blocks[block]);
        }
        send(blocks);
        long needed = (long) DESCRIPTOR_BYTES * (1 + 3L * count);
        if (workspace == null || workspace.bytes() < needed) {
            release(workspace);
            workspace = kernels.device().allocate(Math.max(1 << 16, 2 * needed));
            kernels.stream().fill(workspace, 0, (byte) 0, workspace.bytes());
        }
        arguments.clear();
        for (Heads heads : new Heads[] {queries, keys, values}) {
            arguments.pointer(((CudaTensor) heads.tensor()).values(), 2L * heads.firstColumn());
        }
        arguments
                .pointer(out.values())
                .nothing()
                .pointer(starts)
                .pointer(starts)
                .nothing()
                .pointer(workspace);
        for (Heads heads : new Heads[] {queries, keys, values}) {
            strides(((CudaTensor) heads.tensor()).stride(), width);
        }
        strides(out.stride(), width);
        arguments
                .wide(0)
                .wide(0)
                .integer(count)
                .integer(queries.count())
                .integer(keys.count())
                .integer(longest)
                .integer(longest)
                .integer(UNLIMITED)
                .integer(UNLIMITED)
                .integer(1)
                .integer(0)
                .real(scale)
                .nothing() // sinks
                .real(0); // softcap
        for (int i = 0; i < RESERVED; i++) {
            arguments.integer(0);
        }
        Described asked = new Described(queries, keys, values, workspace);
        if (!asked.equals(described)) {
            // descriptors say where tensors and blocks lie, not what is in them: they outlive layers and steps
            kernels.launchAlone(form.prepare(), count, PREPARE_THREADS, arguments);
            described = asked;
        }
        kernels.launchAlone(form.forward(), kernels.device().multiprocessors(), form.threads(), arguments);
    }

    /** Of sequences, which lie one behind the other, of tokens and of heads. */
    private void strides(int token, int head) {
        arguments.wide(0).wide(token).wide(head);
    }

    private Form form(int width) {
        AttentionForms.Form form = AttentionForms.steady(
                AttentionForms.Element.BF16,
                width,
                width,
                AttentionForms.Extra.NONE,
                kernels.device().capability());
        Module attention = families.computeIfAbsent(form.family(), modules);
        int[] info = attention.integers(form.kernel() + "_info");
        return new Form(
                attention.kernel(form.kernel() + "_prepare"),
                attention.kernel(form.kernel()).dynamicShared(info[1]),
                info[0]);
    }

    private void send(int[] blocks) {
        if (Arrays.equals(blocks, sent)) {
            return;
        }
        if (starts == null || starts.bytes() < 4L * blocks.length) {
            release(starts);
            starts = kernels.device().allocate(Math.max(1 << 12, 8L * blocks.length));
        }
        CudaStaging.Piece piece = kernels.staging().piece(4 * blocks.length);
        for (int i = 0; i < blocks.length; i++) {
            piece.bytes().putInt(4 * i, blocks[i]);
        }
        piece.send(starts, 0);
        sent = blocks.clone();
        described = null;
    }

    private void release(Buffer buffer) {
        if (buffer != null) {
            kernels.staging().synchronize();
            buffer.close();
        }
    }

    @Override
    public void close() {
        release(workspace);
        release(starts);
        release(samples);
        release(table);
    }
}
