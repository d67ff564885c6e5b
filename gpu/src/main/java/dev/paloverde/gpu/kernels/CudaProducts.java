package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.device.Arguments;
import dev.paloverde.gpu.device.Buffer;
import dev.paloverde.gpu.device.Kernel;
import dev.paloverde.gpu.device.Module;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;

/**
 * Matrix products on a GPU: one operation in many forms, for few rows and for many, that give the same bits ({@code
 * products.cuh} says why). Which is taken is a question of speed alone.
 */
final class CudaProducts {
    /** Numbers of a catalogue entry. */
    private static final int ENTRY = 8;

    /** The form for this many rows takes any number more. */
    private static final int WIDE = 256;

    /** What a round takes besides its outputs, in outputs; measured, see {@code bench/h200/products.md}. */
    private static final int ROUND_OVERHEAD = 16;

    /** What is done with a sum, in the order of the kernels' catalogue. */
    enum Epilogue {
        STORE,
        ADD,
        GATED,
        LOGITS,
        SCORE,
        CHOOSE,
        GELU,
        GELU_TANH
    }

    /**
     * One form.
     *
     * @param rows it is made for this many at the most, or {@link #WIDE}
     * @param outputs of a unit of work
     * @param cluster blocks that work together
     */
    record Form(Kernel kernel, int rows, int outputs, int cluster, int threads) {}

    private final CudaKernels kernels;
    private final Module products;
    private final Module head;
    private final Map<Epilogue, List<Form>> forms = new EnumMap<>(Epilogue.class);
    private final Arguments arguments = new Arguments();
    private final Function<String, Module> modules;
    private CudaFp8Products fp8;
    private boolean activated;

    /** @param modules gives a family of kernels by its name */
    CudaProducts(CudaKernels kernels, Function<String, Module> modules) {
        this.kernels = kernels;
        this.modules = modules;
        products = modules.apply("products");
        head = modules.apply("products_head");
        catalogue(products);
        catalogue(head);
    }

    /** Reads what forms a family has. */
    private void catalogue(Module module) {
        int[] catalog = module.integers("products_catalog");
        for (int entry = 0; entry < catalog[0]; entry++) {
            int at = 1 + ENTRY * entry;
            Epilogue epilogue = Epilogue.values()[catalog[at]];
            String name = "products_%s_r%d_n%d"
                    .formatted(epilogue.name().toLowerCase(Locale.ROOT), catalog[at + 1], catalog[at + 2]);
            Kernel kernel = module.kernel(name);
            kernel.dynamicShared(catalog[at + 5]);
            forms.computeIfAbsent(epilogue, none -> new ArrayList<>())
                    .add(new Form(kernel, catalog[at + 1], catalog[at + 2], catalog[at + 3], catalog[at + 4]));
        }
    }

    /** {@return a kernel that is no form of a product: of the products' family} */
    Kernel kernel(String name) {
        return products.kernel(name);
    }

    /** {@return the kernel that puts together what a form for the output projection left} */
    Kernel finish(String name) {
        return head.kernel(name);
    }

    /** Queues a product. {@code out} is as the epilogue wants it, {@code outStride} numbers from row to row. */
    void multiply(
            Epilogue epilogue,
            CudaTensor in,
            CudaMatrix weight,
            CudaWeights bias,
            Buffer out,
            int outStride,
            int rows) {
        if (weight.scales().isPresent()) {
            fp8().multiply(epilogue, in, weight, bias, out, outStride, rows);
            return;
        }
        Form form = form(epilogue, rows, weight.rows());
        arguments.clear().pointer(in.descriptor()).pointer(weight.tiles());
        if (bias == null) {
            arguments.nothing();
        } else {
            arguments.pointer(bias.values());
        }
        arguments
                .pointer(out)
                .pointer(kernels.rows(rows))
                .integer(weight.paddedColumns())
                .integer(weight.rows())
                .integer(outStride)
                .integer(0)
                .nothing();
        launch(form, arguments);
    }

    /** {@return products of e4m3 weights; made when they are first asked for, which is when such weights are loaded} */
    CudaFp8Products fp8() {
        if (fp8 == null) {
            fp8 = new CudaFp8Products(kernels, modules.apply("products_fp8"));
        }
        return fp8;
    }

    /** {@return what makes an activation of a sum; its forms are loaded when they are first asked for} */
    Epilogue activated(Activation activation) {
        if (!activated) {
            catalogue(modules.apply("products_activated"));
            activated = true;
        }
        return activation == Activation.GELU ? Epilogue.GELU : Epilogue.GELU_TANH;
    }

    void launch(Form form, Arguments of) {
        int blocks = kernels.multiprocessors() / form.cluster() * form.cluster();
        kernels.launch(form.kernel(), blocks, 1, form.threads(), of);
    }

    /** {@return the form that is fastest for as many rows as the running step may have} */
    Form form(Epilogue epilogue, int rows, int outputs) {
        int most = kernels.mostRows(rows);
        Form chosen = null;
        for (Form form : forms.getOrDefault(epilogue, List.of())) {
            if (chosen == null || better(form, chosen, most, outputs)) {
                chosen = form;
            }
        }
        if (chosen == null) {
            throw new PaloverdeException(
                    ErrorCode.INTERNAL, "the kernels have no form of " + epilogue + "; they are of another build");
        }
        return chosen;
    }

    private boolean better(Form form, Form than, int rows, int outputs) {
        if (form.rows() != than.rows()) {
            boolean fits = form.rows() >= rows;
            boolean thanFits = than.rows() >= rows;
            return fits && thanFits ? form.rows() < than.rows() : form.rows() > than.rows();
        }
        long time = time(form, rows, outputs);
        long thanTime = time(than, rows, outputs);
        return time != thanTime ? time < thanTime : form.outputs() < than.outputs();
    }

    /** {@return what a product takes, in units of its own: rounds of work for all multiprocessors, times what a round takes} */
    private long time(Form form, int rows, int outputs) {
        long units = (rows + form.rows() - 1L)
                / form.rows()
                * (form.rows() == WIDE ? 2 : 1)
                * ((outputs + form.outputs() - 1L) / form.outputs());
        int processors = kernels.multiprocessors();
        return (units + processors - 1) / processors * (form.outputs() + ROUND_OVERHEAD);
    }

    /** Writes the descriptor of an operand, with which the copy engine finds its tiles. */
    void describe(CudaTensor operand) {
        arguments
                .clear()
                .pointer(operand.descriptor())
                .pointer(operand.values())
                .integer(operand.stride())
                .integer(operand.tall())
                .integer(operand.stride())
                .integer(0);
        kernels.launchAlone(products.kernel("products_describe"), 1, 32, arguments);
    }
}
