package dev.paloverde.pipelines;

import java.util.List;
import java.util.SortedMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructType;

/**
 * What a job does to its rows: one function of a model, bound to the columns it reads. A step is made on the driver; it
 * says there, before anything runs, by what its results will be known.
 */
public interface Step {
    /** The result column that holds the row key. */
    String ROW_KEY = "row_key";

    /** The result column that holds the receipt. */
    String RECEIPT = "receipt";

    /** The result column that says how it went: {@code ok}, {@code truncated} or {@code error}. */
    String STATUS = "status";

    /** The result column that holds the code of an error. */
    String ERROR_CODE = "error_code";

    /** The result column that holds what was wrong and how to mend it. */
    String ERROR_MESSAGE = "error_message";

    /** {@return the name of the function, {@code generate} for instance} */
    String name();

    /** {@return where the model is, as users name it} */
    String model();

    /** {@return the columns that {@link #apply} adds, in order} */
    StructType results();

    /** {@return what the results depend on besides the row, as a digest; the same on the driver and on executors} */
    String receipt();

    /** {@return what the receipt is the digest of, by name, for people to compare} */
    SortedMap<String, String> description();

    /** {@return the input columns it reads, by the part they play} */
    SortedMap<String, String> mapping();

    /** {@return the carried columns, and what {@link #rowKey} and {@link #bytes} need besides} */
    Dataset<Row> prepare(Dataset<Row> carried);

    /** {@return the row key that {@link #apply} will give a row, as an expression on prepared columns} */
    Column rowKey();

    /** {@return the bytes of text the model reads of a row, as an expression on prepared columns} */
    Column bytes();

    /** {@return the tokens the model will read of a row, counted by its tokenizer, as an expression on prepared columns} */
    Column tokens();

    /** {@return the most tokens a row adds to what it was given} */
    int newTokensPerRow();

    /** {@return names of the result columns, whole numbers or arrays of them, that count tokens the model read} */
    List<String> tokensIn();

    /** {@return names of the result columns, whole numbers or arrays of them, that count tokens the model wrote} */
    List<String> tokensOut();

    /** What a step keeps ready. */
    interface Readiness extends AutoCloseable {
        @Override
        void close();
    }

    /**
     * Begins to get ready in this JVM, in the background, what {@link #apply} will need in executors: for a driver that is
     * the executor too. What goes wrong is said where rows need it.
     *
     * @return to be closed when the rows are done
     */
    Readiness begin();

    /**
     * Adds the results.
     *
     * @param rows the carried columns
     * @return the same rows, their columns followed by {@link #results()}
     */
    Dataset<Row> apply(Dataset<Row> rows);
}
