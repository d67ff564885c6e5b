package dev.paloverde.gpu.kernels;

/** How numbers are stored in a model file. */
public enum DataType {
    /** IEEE 754 binary32. */
    F32(4),
    /** IEEE 754 binary16. */
    F16(2),
    /** The upper half of a binary32. */
    BF16(2);

    private final int bytes;

    DataType(int bytes) {
        this.bytes = bytes;
    }

    /** {@return the size of one number, in bytes} */
    public int bytes() {
        return bytes;
    }
}
