package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.device.Arguments;
import dev.paloverde.gpu.device.Buffer;
import dev.paloverde.gpu.device.Kernel;
import dev.paloverde.gpu.device.Module;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * What encoders do on a GPU and decoders do not: norms with means, activations without gates, and attention within blocks
 * of rows by the FlashAttention-4-style kernels of {@code attention_forward.cu}. There is one of these for each width of
 * heads, so that no bit depends on what is in a step.
 */
final class CudaEncoder implements AutoCloseable {
    private static final int THREADS = 256;
    private static final int PREPARE_THREADS = 96;
    private static final int DESCRIPTOR_BYTES = 128;
    /** kUnlimited of {@code attention.cuh}. */
    private static final int UNLIMITED = 1 << 29;
    /** int32_t that the kernels leave for later. */
    private static final int RESERVED = 5;

    private record Form(Kernel prepare, Kernel forward, int threads) {}

    private final CudaKernels kernels;
    private final Kernel normalize;
    private final Kernel gelu;
    private final Kernel geluTanh;
    private final Function<String, Module> modules;
    private final Map<String, Module> families = new TreeMap<>();
    private final Map<Integer, Form> forms = new TreeMap<>();
    private final Arguments arguments = new Arguments();
    private Buffer workspace;
    private Buffer starts;
    private int[] sent;

    /** @param modules gives a family of kernels by its name */
    CudaEncoder(CudaKernels kernels, Function<String, Module> modules) {
        this.kernels = kernels;
        Module rows = modules.apply("encoder");
        normalize = rows.kernel("encoder_normalize");
        gelu = rows.kernel("encoder_gelu");
        geluTanh = rows.kernel("encoder_gelu_tanh");
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
        kernels.launch(normalize, kernels.mostRows(in.rows()), 1, THREADS, arguments);
    }

    void activate(Activation activation, CudaTensor values) {
        arguments
                .clear()
                .pointer(values.values())
                .pointer(kernels.rows(values.rows()))
                .integer(values.columns())
                .integer(values.stride());
        Kernel kernel = activation == Activation.GELU ? gelu : geluTanh;
        kernels.launch(kernel, kernels.mostRows(values.rows()), 1, THREADS, arguments);
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
        kernels.launchAlone(form.prepare(), count, PREPARE_THREADS, arguments);
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
    }
}
