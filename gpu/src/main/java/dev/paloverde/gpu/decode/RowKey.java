package dev.paloverde.gpu.decode;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * The identity of a row: a 128-bit hash of its inputs. Random numbers are keyed by it, results are found again by it.
 *
 * @param high the first 8 bytes of the hash, big-endian
 * @param low the next 8
 */
public record RowKey(long high, long low) {
    /**
     * Hashes a row's inputs: SHA-256 over the fields in order, each with a tag of its kind and, where its length can
     * differ, its length, so that no two lists of fields give the same bytes; the first 128 bits count. Numbers of one
     * kind are equal whatever their width: 1 as a byte is 1 as a long, and a float is the double it equals. Null is a
     * value of its own.
     *
     * @param fields strings, byte arrays, int arrays, whole numbers, floating-point numbers, booleans, null, and lists of
     *     these
     * @throws IllegalArgumentException on a field of another kind
     */
    public static RowKey of(Object... fields) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
        try {
            DataOutputStream out = new DataOutputStream(bytes);
            for (Object field : fields) {
                write(field, out);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        ByteBuffer hash = ByteBuffer.wrap(Hashing.sha256(bytes.toByteArray()));
        return new RowKey(hash.getLong(), hash.getLong());
    }

    private static void write(Object field, DataOutputStream out) throws IOException {
        if (field == null) {
            out.writeByte('N');
        } else if (field instanceof String text) {
            writeText(text, out);
        } else if (field instanceof byte[] bytes) {
            writeBytes('B', bytes, out);
        } else if (field instanceof int[] numbers) {
            out.writeByte('A');
            out.writeInt(numbers.length);
            for (int number : numbers) {
                out.writeInt(number);
            }
        } else if (field instanceof Long
                || field instanceof Integer
                || field instanceof Short
                || field instanceof Byte) {
            out.writeByte('I');
            out.writeLong(((Number) field).longValue());
        } else if (field instanceof Double || field instanceof Float) {
            out.writeByte('D');
            out.writeLong(Double.doubleToLongBits(((Number) field).doubleValue()));
        } else if (field instanceof Boolean truth) {
            out.writeByte('T');
            out.writeBoolean(truth);
        } else if (field instanceof List<?> list) {
            out.writeByte('L');
            out.writeInt(list.size());
            for (Object element : list) {
                write(element, out);
            }
        } else {
            throw new IllegalArgumentException(
                    "a row key is made of strings, bytes, numbers, booleans, null and lists; got "
                            + field.getClass().getName());
        }
    }

    /** A string that is not well-formed keeps its code units, so that two of them do not meet in a question mark. */
    private static void writeText(String text, DataOutputStream out) throws IOException {
        try {
            ByteBuffer encoded = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
            byte[] bytes = new byte[encoded.remaining()];
            encoded.get(bytes);
            writeBytes('S', bytes, out);
        } catch (CharacterCodingException e) {
            out.writeByte('U');
            out.writeInt(text.length());
            out.writeChars(text);
        }
    }

    private static void writeBytes(char tag, byte[] bytes, DataOutputStream out) throws IOException {
        out.writeByte(tag);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    /** {@return 32 hexadecimal digits} */
    @Override
    public String toString() {
        return "%016x%016x".formatted(high, low);
    }
}
