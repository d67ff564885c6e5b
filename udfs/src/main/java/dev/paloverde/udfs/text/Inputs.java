package dev.paloverde.udfs.text;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.udfs.Settings;
import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.complex.ListVector;

/** The inputs of rows: bytes out of vectors, texts out of bytes. */
final class Inputs {
    private Inputs() {}

    /** {@return the inputs of a row, one for each column: byte[], a list of byte[] or null} */
    static List<Object> read(VectorSchemaRoot batch, int row) {
        List<Object> inputs = new ArrayList<>();
        for (FieldVector vector : batch.getFieldVectors()) {
            inputs.add(vector instanceof ListVector ? list(vector, row) : bytes(vector, row));
        }
        return inputs;
    }

    private static byte[] bytes(FieldVector vector, int row) {
        return vector.isNull(row) ? null : ((VarCharVector) vector).get(row);
    }

    private static List<byte[]> list(FieldVector vector, int row) {
        if (vector.isNull(row)) {
            return null;
        }
        ListVector lists = (ListVector) vector;
        List<byte[]> found = new ArrayList<>();
        for (int i = lists.getElementStartIndex(row); i < lists.getElementEndIndex(row); i++) {
            found.add(bytes(lists.getDataVector(), i));
        }
        return found;
    }

    /**
     * {@return the text of an input}
     *
     * @param name for messages
     * @throws PaloverdeException NULL_INPUT, EMPTY_INPUT or INVALID_UTF8
     */
    static String text(Object bytes, String name, Settings settings) {
        if (bytes == null) {
            throw new PaloverdeException(ErrorCode.NULL_INPUT, name + " is null");
        }
        byte[] known = (byte[]) bytes;
        if (known.length == 0) {
            throw new PaloverdeException(ErrorCode.EMPTY_INPUT, name + " has no characters");
        }
        return Utf8.read(known, settings.value(Settings.ON_INVALID_UTF8));
    }

    static PaloverdeException tooLong(String name, int tokens, int limit, String fix) {
        return new PaloverdeException(
                ErrorCode.INPUT_TOO_LONG,
                "%s has %,d tokens and the model has room for %,d; %s".formatted(name, tokens, limit, fix));
    }
}
