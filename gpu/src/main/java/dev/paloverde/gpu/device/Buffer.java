package dev.paloverde.gpu.device;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;

/**
 * Memory of a device. {@link Device#allocate} gives it, aligned to 256 bytes, with whatever was there before; the caller
 * closes it when no work that is queued, and no {@link Graph} that may still run, uses it. A {@link #slice} is a view: it
 * owns nothing, closing it does nothing, and it lives as long as the buffer it was cut from.
 */
public final class Buffer extends Resource {
    /** JCuda's pointer, which tells its address to heirs alone. */
    static final class Pointer extends CUdeviceptr {
        long address() {
            return getNativePointer();
        }
    }

    private final Buffer owner;
    private final Pointer pointer;
    private final long start;
    private final long bytes;

    Buffer(Device device, Pointer pointer, long bytes) {
        super(device);
        this.owner = this;
        this.pointer = pointer;
        this.start = 0;
        this.bytes = bytes;
    }

    private Buffer(Buffer owner, long start, long bytes) {
        super(owner.device());
        this.owner = owner;
        this.pointer = owner.pointer;
        this.start = start;
        this.bytes = bytes;
    }

    /** {@return its size} */
    public long bytes() {
        return bytes;
    }

    /**
     * {@return its address on the device, for kernels; no address of this process}
     *
     * @throws PaloverdeException {@code INTERNAL} if the memory is given back
     */
    public long address() {
        owner.ensureOpen();
        return pointer.address() + start;
    }

    /**
     * {@return a view of the rest of this buffer}
     *
     * @param offset bytes to leave out in front, from 0 to {@link #bytes()}
     */
    public Buffer slice(long offset) {
        ensureWithin(offset, 0);
        return new Buffer(owner, start + offset, bytes - offset);
    }

    /**
     * {@return a view of a part of this buffer}
     *
     * @param offset its first byte
     * @param length its size in bytes
     */
    public Buffer slice(long offset, long length) {
        ensureWithin(offset, length);
        return new Buffer(owner, start + offset, length);
    }

    /** {@return whether it is a view, which nobody has to close} */
    boolean view() {
        return owner != this;
    }

    /** {@return JCuda's pointer to a byte of this buffer} */
    CUdeviceptr at(long offset) {
        owner.ensureOpen();
        long distance = start + offset;
        return distance == 0 ? pointer : pointer.withByteOffset(distance);
    }

    void ensureWithin(long offset, long length) {
        owner.ensureOpen();
        if (offset < 0 || length < 0 || offset > bytes - length) {
            throw new PaloverdeException(
                    ErrorCode.INTERNAL, length + " bytes from " + offset + " are not within the " + describe());
        }
    }

    @Override
    String describe() {
        return (view() ? "view of " : "buffer of ") + bytes + " bytes";
    }

    @Override
    int release() {
        return JCudaDriver.cuMemFree(pointer);
    }
}
