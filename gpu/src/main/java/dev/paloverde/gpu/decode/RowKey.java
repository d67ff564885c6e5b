package dev.paloverde.gpu.decode;

/**
 * The identity of a row: a 128-bit hash of its inputs. Random numbers are keyed by it, results are found again by it.
 *
 * @param high the first 8 bytes of the hash, big-endian
 * @param low the next 8
 */
public record RowKey(long high, long low) {
    /** {@return 32 hexadecimal digits} */
    @Override
    public String toString() {
        return "%016x%016x".formatted(high, low);
    }
}
