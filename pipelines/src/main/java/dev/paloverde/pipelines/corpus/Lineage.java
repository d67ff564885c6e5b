package dev.paloverde.pipelines.corpus;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** Rows computed once and for all, so that what comes after does not compute them again. */
final class Lineage {
    private Lineage() {}

    /**
     * {@return the same rows, computed: in the checkpoint directory where the session has one, which outlives executors;
     * else in the executors' memory and on their disks}
     */
    static Dataset<Row> cut(Dataset<Row> rows) {
        return rows.sparkSession().sparkContext().getCheckpointDir().isDefined()
                ? rows.checkpoint()
                : rows.localCheckpoint();
    }
}
