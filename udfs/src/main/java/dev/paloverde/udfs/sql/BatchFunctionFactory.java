package dev.paloverde.udfs.sql;

import dev.paloverde.udfs.arrow.BatchFunction;
import java.io.Serializable;
import java.util.List;
import java.util.Map;

/**
 * A SQL function that runs on batches: its name, what it takes, and how a call of it becomes a {@link BatchFunction}.
 * Two factories of one name are the same function.
 */
public interface BatchFunctionFactory extends Serializable {
    /** What an argument is. */
    enum Argument {
        /** STRING or BINARY, handed over as STRING with its bytes as they are. */
        TEXT,
        /** ARRAY&lt;STRING&gt;. */
        TEXTS
    }

    /** {@return the name in SQL} */
    String name();

    /** {@return the arguments, all of them required; a constant MAP&lt;STRING, STRING&gt; of options may follow} */
    List<Argument> arguments();

    /** {@return what DESCRIBE FUNCTION says: one line with _FUNC_ for the name} */
    String usage();

    /** {@return what DESCRIBE FUNCTION EXTENDED says of arguments and result} */
    String details();

    /**
     * Binds the function to its options, on the driver.
     *
     * @param options of the call
     * @param session Spark's configuration, the keys that begin with {@code spark.paloverde.}
     * @throws dev.paloverde.gpu.PaloverdeException {@code INVALID_OPTION}
     */
    BatchFunction create(Map<String, String> options, Map<String, String> session);
}
