package dev.paloverde.udfs.arrow;

import java.io.Serializable;
import java.util.Iterator;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.spark.sql.types.StructType;

/**
 * A function over Arrow batches: an iterator of batches in, an iterator of batches out. It travels from the driver to
 * the tasks, and is opened once in each.
 *
 * <p>The law of batches: the n-th batch out answers the n-th batch in, with as many rows in the same order. Between the
 * two a function may read ahead, as far as {@link BatchSource#hasRoom} allows, so that what computes never waits for a
 * batch to fill or to drain. A batch may have no rows.
 */
public interface BatchFunction extends Serializable {
    /** {@return the columns it reads; a batch in has exactly these, in this order} */
    StructType input();

    /** {@return the columns it makes; a batch out has exactly these, in this order} */
    StructType output();

    /** {@return the sizes that bound a task's memory} */
    default BatchLimits limits() {
        return BatchLimits.STANDARD;
    }

    /**
     * Opens it for one task. On failure nothing stays open.
     *
     * @param context the task's; lives until after {@link Run#close}
     */
    Run open(BatchContext context);

    /** A function that is open in a task; confined to the task's thread. */
    interface Run extends AutoCloseable {
        /**
         * Answers batches. Called once.
         *
         * @param batches whoever takes a batch from it closes that batch
         * @return batches allocated by {@link BatchContext#allocator}; whoever takes a batch from it closes that batch
         */
        Iterator<VectorSchemaRoot> apply(BatchSource batches);

        /**
         * Withdraws what is under way and frees what was taken and not given out. Called once, after success, failure,
         * an early stop and a kill alike.
         */
        @Override
        void close();
    }
}
