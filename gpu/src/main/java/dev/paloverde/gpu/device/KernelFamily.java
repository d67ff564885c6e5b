package dev.paloverde.gpu.device;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;

/**
 * What {@code bin/build-kernels} wrote down about the kernels of one source file, beside their binary.
 *
 * @param family the source's name without its ending
 * @param digest SHA-256 over the source and every header it includes, as in {@code bin/build-kernels}
 * @param files the source and those headers
 * @param compiler the version of nvcc
 * @param flags what nvcc was called with, targets aside
 * @param targets what the binary holds: machine code of {@code sm_90a} runs on GPUs of capability 90 alone, of
 *     {@code sm_90} on later ones of the same generation too; {@code compute_80} is PTX, which a driver compiles for any
 *     GPU of capability 80 or more
 * @param kernels every kernel, once for each target of machine code
 */
record KernelFamily(
        String family,
        String digest,
        List<String> files,
        String compiler,
        String flags,
        List<String> targets,
        List<Facts> kernels) {
    /** Where families lie on the class path. */
    static final String PLACE = "/dev/paloverde/gpu/cuda/";

    /**
     * What ptxas says of a kernel.
     *
     * @param name its name
     * @param target the machine code's target
     * @param registers of a thread
     * @param shared bytes of shared memory that a block declares
     * @param stack bytes of a thread's stack
     * @param spill bytes of registers that a thread stores to memory and loads from there
     */
    record Facts(String name, String target, int registers, int shared, int stack, int spill) {}

    /**
     * {@return what is known about a family}
     *
     * @throws PaloverdeException {@code ENGINE_FAILED} if there is no such family
     */
    static KernelFamily read(String family) {
        try {
            return new ObjectMapper().readValue(resource(family + ".json"), KernelFamily.class);
        } catch (IOException e) {
            throw new PaloverdeException(
                    ErrorCode.ENGINE_FAILED,
                    "what is known about kernel family " + family + " cannot be read: " + e,
                    e);
        }
    }

    /** {@return the fat binary} */
    byte[] binary() {
        return resource(family + ".fatbin");
    }

    /** {@return whether the binary has code for GPUs of a capability; 90 for 9.0} */
    boolean runsOn(int capability) {
        return targets.stream().anyMatch(target -> {
            boolean exact = target.endsWith("a");
            int built = Integer.parseInt(target.replaceAll("\\D", ""));
            return exact
                    ? capability == built
                    : target.startsWith("compute_")
                            ? capability >= built
                            : capability >= built && capability / 10 == built / 10;
        });
    }

    /** {@return the names of its kernels} */
    List<String> kernelNames() {
        return kernels.stream().map(Facts::name).distinct().sorted().toList();
    }

    private static byte[] resource(String name) {
        try (InputStream in = KernelFamily.class.getResourceAsStream(PLACE + name)) {
            if (in == null) {
                throw new PaloverdeException(
                        ErrorCode.ENGINE_FAILED,
                        "there is no " + PLACE + name
                                + " on the class path; bin/build-kernels makes it of gpu/src/main/cuda");
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new PaloverdeException(ErrorCode.ENGINE_FAILED, PLACE + name + " cannot be read: " + e, e);
        }
    }
}
