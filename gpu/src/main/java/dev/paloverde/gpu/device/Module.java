package dev.paloverde.gpu.device;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/**
 * The kernels of one family, loaded on a device. {@link Device#module} gives it; the caller closes it when none of its
 * kernels is queued or part of a {@link Graph} that may still run. Kernels may be asked for by any thread.
 */
@SuppressWarnings("JavaLangClash") // it is what CUDA calls it, and java.lang.Module is not in sight here
public final class Module extends Resource {
    private final KernelFamily family;
    private final CUmodule module;
    private final Map<String, Kernel> kernels = new ConcurrentHashMap<>();

    Module(Device device, KernelFamily family, CUmodule module) {
        super(device);
        this.family = family;
        this.module = module;
    }

    /**
     * {@return a kernel, ready to launch: its code is on the device, so that its first launch may be recorded}
     *
     * @param name its name in the source
     * @throws PaloverdeException {@code ENGINE_FAILED} if the family has no such kernel
     */
    public Kernel kernel(String name) {
        ensureOpen();
        return kernels.computeIfAbsent(name, this::load);
    }

    /**
     * {@return the value of a variable of the family, {@code const int name[]} in its source}
     *
     * @param name its name in the source
     * @throws PaloverdeException {@code ENGINE_FAILED} if the family has no such variable
     */
    public int[] integers(String name) {
        ensureOpen();
        device().attach();
        CUdeviceptr address = new CUdeviceptr();
        long[] bytes = new long[1];
        device().check(
                        JCudaDriver.cuModuleGetGlobal(address, bytes, module, name),
                        "cuModuleGetGlobal(" + family.family() + ", " + name + ")");
        ByteBuffer host = ByteBuffer.allocateDirect(Math.toIntExact(bytes[0])).order(ByteOrder.LITTLE_ENDIAN);
        device().check(JCudaDriver.cuMemcpyDtoH(Pointer.to(host), address, bytes[0]), "cuMemcpyDtoH(" + name + ")");
        int[] values = new int[host.capacity() / Integer.BYTES];
        host.asIntBuffer().get(values);
        return values;
    }

    private Kernel load(String name) {
        device().attach();
        Kernel.Function function = new Kernel.Function();
        int result = JCudaDriver.cuModuleGetFunction(function, module, name);
        if (result == CUresult.CUDA_ERROR_NOT_FOUND) {
            throw new PaloverdeException(
                    ErrorCode.ENGINE_FAILED,
                    "family " + family.family() + " has no kernel " + name + "; it has " + family.kernelNames());
        }
        device().check(result, "cuModuleGetFunction(" + family.family() + ", " + name + ")");
        return new Kernel(this, name, function);
    }

    @Override
    String describe() {
        return "module " + family.family();
    }

    @Override
    int release() {
        return JCudaDriver.cuModuleUnload(module);
    }
}
