package dev.paloverde.gpu.device;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.Pointer;

/**
 * The one structure that a kernel takes by value, laid out field by field as a C compiler does: each at the next multiple
 * of its size, the whole padded to the largest. Fields are given in the order of the structure's declaration:
 *
 * <pre>{@code
 * arguments.clear().pointer(in).pointer(out).integer(rows).real(scale);
 * stream.launch(kernel, blocks, 1, 1, 256, arguments);
 * }</pre>
 *
 * A launch copies them, so that they can be filled again at once. Filling and launching make no garbage. Used by one
 * thread at a time.
 */
public final class Arguments {
    /** What a kernel takes at most on every GPU that Paloverde has kernels for. */
    private static final int CAPACITY = 4096;

    private ByteBuffer fields;
    private Pointer parameters;
    private long address;
    private int bytes;
    private int alignment = 1;

    /** Makes an empty structure. */
    public Arguments() {
        grow(256);
    }

    /** Takes all fields out, to begin anew. */
    public Arguments clear() {
        bytes = 0;
        alignment = 1;
        return this;
    }

    /** Adds the address of a buffer: {@code T*}, 8 bytes. */
    public Arguments pointer(Buffer buffer) {
        return wide(buffer.address());
    }

    /**
     * Adds an address within a buffer, or just behind it: {@code T*}, 8 bytes.
     *
     * @param offset bytes from the buffer's start
     */
    public Arguments pointer(Buffer buffer, long offset) {
        buffer.ensureWithin(offset, 0);
        return wide(buffer.address() + offset);
    }

    /** Adds a null pointer: 8 bytes. */
    public Arguments nothing() {
        return wide(0);
    }

    /** Adds an {@code int32_t} or {@code uint32_t}. */
    public Arguments integer(int value) {
        int offset = place(Integer.BYTES); // may move the fields
        fields.putInt(offset, value);
        return this;
    }

    /** Adds a {@code float}. */
    public Arguments real(float value) {
        int offset = place(Float.BYTES); // may move the fields
        fields.putFloat(offset, value);
        return this;
    }

    /** Adds an {@code int64_t} or {@code uint64_t}. */
    public Arguments wide(long value) {
        int offset = place(Long.BYTES); // may move the fields
        fields.putLong(offset, value);
        return this;
    }

    /** {@return the size of the structure so far, as sizeof gives it} */
    public int bytes() {
        return align(bytes, alignment);
    }

    /** {@return the structure's bytes, little-endian, from 0 to {@link #bytes()}} */
    ByteBuffer fields() {
        return fields;
    }

    /** {@return the address of the structure in this process; needs our native library} */
    long address() {
        if (address == 0) {
            address = NativeLauncher.address(fields);
        }
        return address;
    }

    /** {@return the structure as JCuda wants it: a pointer to the one pointer to a parameter} */
    Pointer parameters() {
        if (parameters == null) {
            parameters = Pointer.to(Pointer.to(fields));
        }
        return parameters;
    }

    private int place(int size) {
        int offset = align(bytes, size);
        if (offset + size > fields.capacity()) {
            grow(2 * fields.capacity());
        }
        for (int i = bytes; i < offset; i++) {
            fields.put(i, (byte) 0); // padding has no leftovers
        }
        bytes = offset + size;
        alignment = Math.max(alignment, size);
        return offset;
    }

    private void grow(int capacity) {
        if (capacity > CAPACITY) {
            throw new PaloverdeException(
                    ErrorCode.INTERNAL,
                    "a kernel takes at most " + CAPACITY + " bytes of arguments; pass a pointer to them");
        }
        // 16 bytes: what the largest member of a structure may ask for
        ByteBuffer larger =
                ByteBuffer.allocateDirect(capacity + 16).alignedSlice(16).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < bytes; i++) {
            larger.put(i, fields.get(i));
        }
        fields = larger.limit(capacity).slice().order(ByteOrder.LITTLE_ENDIAN);
        parameters = null;
        address = 0;
    }

    private static int align(int value, int size) {
        return (value + size - 1) / size * size;
    }
}
