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

/**
 * Products of weights that are e4m3 numbers, in forms for few rows and for many; they give the same bits, and those that
 * bf16 weights of the same numbers and scales would give ({@code products_fp8.cuh} says why).
 */
final class CudaFp8Products {
    private static final int ENTRY = 8;

    /**
     * One form.
     *
     * @param tile clocks that a unit of work takes for 64 inputs
     * @param rest and those that it takes besides
     */
    private record Timed(CudaProducts.Form form, int tile, int rest) {
        /** {@return clocks that a product takes: of all multiprocessors, each of which takes one unit after the other} */
        long time(int rows, CudaMatrix weight, int processors) {
            long units = ((long) rows + form.rows() - 1)
                    / form.rows()
                    * ((weight.rows() + form.outputs() - 1L) / form.outputs());
            return (units + processors - 1)
                    / processors
                    * ((long) weight.paddedColumns() / CudaTensor.TILE * tile + rest);
        }
    }

    private final CudaKernels kernels;
    private final Kernel quantize;
    private final Map<CudaProducts.Epilogue, List<Timed>> forms = new EnumMap<>(CudaProducts.Epilogue.class);
    private final Arguments arguments = new Arguments();

    CudaFp8Products(CudaKernels kernels, Module module) {
        this.kernels = kernels;
        quantize = module.kernel("products_quantize");
        int[] catalog = module.integers("products_catalog");
        for (int entry = 0; entry < catalog[0]; entry++) {
            int at = 1 + ENTRY * entry;
            CudaProducts.Epilogue epilogue = CudaProducts.Epilogue.values()[catalog[at]];
            Kernel kernel = module.kernel("products_%s_fp8_r%d_n%d"
                    .formatted(epilogue.name().toLowerCase(Locale.ROOT), catalog[at + 1], catalog[at + 2]));
            kernel.dynamicShared(catalog[at + 5]);
            CudaProducts.Form form =
                    new CudaProducts.Form(kernel, catalog[at + 1], catalog[at + 2], catalog[at + 3], catalog[at + 4]);
            forms.computeIfAbsent(epilogue, none -> new ArrayList<>())
                    .add(new Timed(form, catalog[at + 6], catalog[at + 7]));
        }
    }

    /** {@return the kernel that makes e4m3 numbers and scales of the rows of a matrix} */
    Kernel quantize() {
        return quantize;
    }

    private CudaProducts.Form form(CudaProducts.Epilogue epilogue, int rows, CudaMatrix weight) {
        int processors = kernels.multiprocessors();
        Timed chosen = null;
        long least = Long.MAX_VALUE;
        for (Timed candidate : forms.getOrDefault(epilogue, List.of())) {
            long time = candidate.time(rows, weight, processors);
            if (time < least) {
                chosen = candidate;
                least = time;
            }
        }
        if (chosen == null) {
            throw new PaloverdeException(
                    ErrorCode.INTERNAL,
                    "the kernels have no form of " + epilogue + " for e4m3 weights; they are of another build");
        }
        return chosen.form();
    }

    /** Queues a product; see {@link CudaProducts#multiply}. */
    void multiply(
            CudaProducts.Epilogue epilogue,
            CudaTensor in,
            CudaMatrix weight,
            CudaWeights bias,
            Buffer out,
            int outStride,
            int rows) {
        CudaProducts.Form form = form(epilogue, kernels.mostRows(rows), weight);
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
                .pointer(weight.scales().orElseThrow());
        kernels.launch(form.kernel(), kernels.multiprocessors(), 1, form.threads(), arguments);
    }
}
