package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;

/** Checks that what is put together fits together. Each costs a comparison; a message is made only when it fails. */
final class Shapes {
    private Shapes() {}

    /** Fails unless two sizes are the same. */
    static void same(int found, int expected, String what, String against) {
        if (found != expected) {
            throw wrong(what + ": " + found + ", where " + against + ": " + expected);
        }
    }

    /** Fails unless a size is at least as large as another. */
    static void atLeast(int found, int least, String what, String against) {
        if (found < least) {
            throw wrong(what + ": " + found + ", where " + against + ": " + least);
        }
    }

    /** Fails unless {@code 0 <= index < size}. */
    static void index(int index, int size, String what) {
        if (index < 0 || index >= size) {
            throw wrong(what + " " + index + " is not among the " + size + " there are");
        }
    }

    static PaloverdeException wrong(String message) {
        return new PaloverdeException(ErrorCode.INTERNAL, message);
    }
}
