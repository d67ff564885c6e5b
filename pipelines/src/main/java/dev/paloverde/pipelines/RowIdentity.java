package dev.paloverde.pipelines;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.VariantType;

/**
 * What makes a row of the output the row of the input it came from: all carried values, hashed to 128 bits. Two rows of
 * one identity are the same row twice, and it does not matter which of them is which. A hash of this length meets
 * another by chance once in 10^38; at 10^10 rows the chance that any two do is below 10^-18.
 *
 * <p>The row key alone would not do: it covers what the model saw, and two rows may show the model the same text and
 * differ in their id.
 */
final class RowIdentity {
    /** The names of the columns that hold it. */
    static final List<String> COLUMNS = List.of("__paloverde_identity_0", "__paloverde_identity_1");

    private static final Map<String, String> JSON = Map.of(
            "ignoreNullFields", "false",
            "timestampFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
            "timestampNTZFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
            "timeZone", "UTC");

    private RowIdentity() {}

    /**
     * {@return the two halves of the identity, as columns named {@link #COLUMNS}}
     *
     * @param schema the rows' columns
     * @param carried names of the carried ones
     */
    static List<Column> columns(StructType schema, Collection<String> carried) {
        List<Column> halves = new ArrayList<>();
        for (int half = 0; half < COLUMNS.size(); half++) {
            List<Column> values = new ArrayList<>();
            // the hash chains: a first value of its own gives each half a seed of its own
            values.add(functions.lit(half));
            for (String name : carried) {
                addTo(values, PromptTemplate.column(name), schema.apply(name).dataType());
            }
            halves.add(functions.xxhash64(values.toArray(Column[]::new)).as(COLUMNS.get(half)));
        }
        return halves;
    }

    private static void addTo(List<Column> values, Column value, DataType type) {
        // a null leaves Spark's hash as it was; the flag keeps (null, 1) and (1, null) apart
        values.add(value.isNull());
        if (isNested(type)) {
            // within a nested value only its text tells where the nulls and the ends of lists are
            values.add(functions.to_json(value, JSON));
        }
        if (isHashable(type)) {
            values.add(value);
        }
    }

    private static boolean isNested(DataType type) {
        return type instanceof StructType
                || type instanceof ArrayType
                || type instanceof MapType
                || type instanceof VariantType;
    }

    private static boolean isHashable(DataType type) {
        if (type instanceof ArrayType array) {
            return isHashable(array.elementType());
        }
        if (type instanceof StructType struct) {
            return Arrays.stream(struct.fields()).map(StructField::dataType).allMatch(RowIdentity::isHashable);
        }
        return !(type instanceof MapType) && !(type instanceof VariantType);
    }
}
