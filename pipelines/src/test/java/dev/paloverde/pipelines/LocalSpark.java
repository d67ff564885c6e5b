package dev.paloverde.pipelines;

import org.apache.spark.sql.SparkSession;

/** The one session that the tests of this module share. */
public final class LocalSpark {
    private LocalSpark() {}

    /** {@return the session} */
    public static synchronized SparkSession session() {
        return SparkSession.builder()
                .master("local[2]")
                .appName("paloverde-pipelines-tests")
                .config("spark.ui.enabled", "false")
                .config("spark.sql.shuffle.partitions", "2")
                // a plan that runs once over a few rows is interpreted faster than it is compiled
                .config("spark.sql.codegen.wholeStage", "false")
                .config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
                .config("spark.sql.warehouse.dir", "target/warehouse")
                .getOrCreate();
    }
}
