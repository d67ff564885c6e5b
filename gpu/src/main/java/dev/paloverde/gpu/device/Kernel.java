package dev.paloverde.gpu.device;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.JCudaDriver;

/**
 * A function of a {@link Module} that runs on the device, for {@link Stream#launch(Kernel, int, int, int, int, Arguments)}.
 * It lives as long as its module. Its settings are of this process's device, and whoever asks the same module for the same
 * name gets the same kernel: set them once, before the first launch.
 */
public final class Kernel {
    /** JCuda's function, which tells its address to heirs alone. */
    static final class Function extends CUfunction {
        long address() {
            return getNativePointer();
        }
    }

    private final Module module;
    private final String name;
    private final Function function;
    private final int argumentBytes;
    private int dynamicShared;
    private int clusterBlocks = 1;

    Kernel(Module module, String name, Function function) {
        this.module = module;
        this.name = name;
        this.function = function;
        this.argumentBytes = module.device().launcher().argumentBytes(this);
    }

    /** {@return its name in the source} */
    public String name() {
        return name;
    }

    /**
     * Gives each block of later launches shared memory beyond what the kernel declares.
     *
     * @param bytes at most what a block may have on the device; 232,448 together with what the kernel declares on an H200
     * @return this
     */
    public Kernel dynamicShared(int bytes) {
        module.ensureOpen();
        Device device = module.device();
        device.attach();
        device.check(
                JCudaDriver.cuFuncSetAttribute(
                        function, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes),
                "cuFuncSetAttribute(" + name + ", " + bytes + " bytes of shared memory)");
        dynamicShared = bytes;
        return this;
    }

    /**
     * Makes every so many neighbouring blocks of later launches a cluster; for a kernel that does not say so itself. The
     * grid's first dimension is a multiple of it.
     *
     * @param blocks 1 to 8; from 2 a GPU of capability 90 or more
     * @return this
     */
    public Kernel cluster(int blocks) {
        if (blocks > 1 && !module.device().overlaps()) {
            throw new PaloverdeException(
                    ErrorCode.DEVICE_UNAVAILABLE,
                    "kernel " + name + " runs in clusters of " + blocks + " blocks, which " + module.device()
                            + " with this driver does not; it takes a GPU of capability 90 and driver 520 or newer");
        }
        clusterBlocks = blocks;
        return this;
    }

    /** {@return registers of a thread} */
    public int registers() {
        return attribute(CUfunction_attribute.CU_FUNC_ATTRIBUTE_NUM_REGS);
    }

    /** {@return bytes of local memory of a thread: stack and spilled registers; 0 for a kernel as it should be} */
    public int localBytes() {
        return attribute(CUfunction_attribute.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);
    }

    /**
     * {@return how many blocks one multiprocessor holds at a time; times {@link Device#multiprocessors} for the device}
     *
     * @param block threads of a block
     * @param shared bytes of dynamic shared memory of a block, set with {@link #dynamicShared(int)} before
     */
    public int maxResidentBlocks(int block, int shared) {
        module.ensureOpen();
        Device device = module.device();
        device.attach();
        int[] blocks = new int[1];
        device.check(
                JCudaDriver.cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks, function, block, shared),
                "cuOccupancyMaxActiveBlocksPerMultiprocessor(" + name + ", " + block + " threads, " + shared
                        + " bytes)");
        return blocks[0];
    }

    Function function() {
        return function;
    }

    int dynamicShared() {
        return dynamicShared;
    }

    int clusterBlocks() {
        return clusterBlocks;
    }

    /** Holds the arguments against the kernel's structure, as far as the driver tells its size. */
    void ensureTakes(Arguments arguments) {
        module.ensureOpen();
        if (argumentBytes != Launcher.UNKNOWN && argumentBytes != arguments.bytes()) {
            throw new PaloverdeException(
                    ErrorCode.INTERNAL,
                    "kernel " + name + " takes a structure of " + argumentBytes + " bytes, and was given "
                            + arguments.bytes() + "; give the fields as its source declares them");
        }
    }

    private int attribute(int attribute) {
        module.ensureOpen();
        Device device = module.device();
        device.attach();
        int[] value = new int[1];
        device.check(JCudaDriver.cuFuncGetAttribute(value, attribute, function), "cuFuncGetAttribute(" + name + ")");
        return value[0];
    }

    @Override
    public String toString() {
        return "kernel " + name;
    }
}
