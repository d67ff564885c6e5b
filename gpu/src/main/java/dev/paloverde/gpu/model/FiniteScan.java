package dev.paloverde.gpu.model;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.DataType;
import dev.paloverde.gpu.kernels.HostTensor;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/**
 * Looks for numbers that are none. A number is infinite or not a number when all bits of its exponent are set; eight
 * bytes are looked at together: with everything but the exponents masked away, adding the lowest bit of an exponent
 * carries into the sign's place exactly where the exponent was full.
 */
final class FiniteScan {
    private static final long BLOCK_BYTES = 64L << 20;

    private FiniteScan() {}

    /** @throws PaloverdeException MODEL_CORRUPT, with the place of the first number that is not finite */
    static void require(HostTensor tensor, Path file) {
        long rowBytes = (long) tensor.columns() * tensor.type().bytes();
        int block = (int) Math.max(1, Math.min(tensor.rows(), BLOCK_BYTES / Math.max(1, rowBytes)));
        for (int row = 0; row < tensor.rows(); row += block) {
            ByteBuffer bytes = tensor.rows(row, Math.min(block, tensor.rows() - row));
            int at = firstNotFinite(bytes, tensor.type());
            if (at >= 0) {
                throw new PaloverdeException(
                        ErrorCode.MODEL_CORRUPT,
                        ("%s: tensor '%s' has a number that is infinite or not a number at row %,d, column %,d; download it"
                                        + " again, or ask its author")
                                .formatted(
                                        file,
                                        tensor.name(),
                                        row + at / rowBytes,
                                        at % rowBytes / tensor.type().bytes()));
            }
        }
    }

    /** The place of the first such number, in bytes; -1 if all are finite. */
    static int firstNotFinite(ByteBuffer bytes, DataType type) {
        long exponents = switch (type) {
            case F32 -> 0x7f80_0000_7f80_0000L;
            case F16 -> 0x7c00_7c00_7c00_7c00L;
            case BF16 -> 0x7f80_7f80_7f80_7f80L;
        };
        // the lowest bit of each exponent
        long lowest = exponents & -exponents;
        long ones = type == DataType.F32 ? lowest | lowest << 32 : lowest * 0x0001_0001_0001_0001L;
        long signs = type == DataType.F32 ? 0x8000_0000_8000_0000L : 0x8000_8000_8000_8000L;
        int whole = bytes.limit() & -Long.BYTES;
        for (int at = 0; at < whole; at += Long.BYTES) {
            long full = ((bytes.getLong(at) & exponents) + ones) & signs;
            if (full != 0) {
                return at + Long.numberOfTrailingZeros(full) / Byte.SIZE / type.bytes() * type.bytes();
            }
        }
        for (int at = whole; at < bytes.limit(); at += type.bytes()) {
            long number = type == DataType.F32 ? bytes.getInt(at) : bytes.getShort(at);
            if (((number & exponents & lane(type)) + (ones & lane(type)) & signs & lane(type)) != 0) {
                return at;
            }
        }
        return -1;
    }

    private static long lane(DataType type) {
        return type == DataType.F32 ? 0xffff_ffffL : 0xffffL;
    }
}
