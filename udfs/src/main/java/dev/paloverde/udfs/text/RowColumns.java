package dev.paloverde.udfs.text;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.decode.RowKey;
import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Settings;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import scala.collection.Seq;
import scala.jdk.javaapi.CollectionConverters;

/** What can be known of a row before a model has seen it, as columns: ordinary functions, row by row. */
public final class RowColumns {
    private RowColumns() {}

    private interface RowValue<T> extends Serializable {
        T of(List<?> inputs);
    }

    /** {@return the row key that the operation gives a row with these arguments, STRING} */
    public static Column key(Operation operation, List<Column> arguments) {
        return column(
                operation, arguments, inputs -> RowKey.of(inputs.toArray()).toString(), DataTypes.StringType);
    }

    /** {@return the tokens that the operation reads of a row with these arguments, BIGINT; null where it fails} */
    public static Column tokens(Operation operation, Settings settings, List<Column> arguments) {
        return column(operation, arguments, inputs -> count(operation, settings, inputs), DataTypes.LongType);
    }

    private static <T> Column column(Operation operation, List<Column> arguments, RowValue<T> value, DataType type) {
        Column text = arguments.get(0).cast(DataTypes.BinaryType);
        if (operation == Operation.CHOOSE) {
            UDF2<byte[], Seq<byte[]>, T> function = (context, choices) -> value.of(Arrays.asList(
                    context, choices == null ? null : new ArrayList<>(CollectionConverters.asJava(choices))));
            UserDefinedFunction defined = functions.udf(function, type);
            return defined.apply(text, arguments.get(1).cast(DataTypes.createArrayType(DataTypes.BinaryType)));
        }
        UDF1<byte[], T> function = input -> value.of(Arrays.asList((Object) input));
        return functions.udf(function, type).apply(text);
    }

    private static Long count(Operation operation, Settings settings, List<?> inputs) {
        try {
            return (long) Counters.of(operation, settings).prepare(inputs).tokensIn();
        } catch (PaloverdeException e) {
            if (e.code().scope() == ErrorCode.Scope.ROW) {
                return null;
            }
            throw e;
        }
    }

    /** Functions that only prepare, kept for the life of the JVM. */
    private static final class Counters {
        private record Key(Operation operation, Settings settings) {}

        private static final ConcurrentHashMap<Key, RowFunction<?, ?>> FUNCTIONS = new ConcurrentHashMap<>();

        static RowFunction<?, ?> of(Operation operation, Settings settings) {
            return FUNCTIONS.computeIfAbsent(
                    new Key(operation, settings),
                    key -> RowFunction.of(operation, TextModel.shared(settings), settings));
        }
    }
}
