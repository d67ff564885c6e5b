package dev.paloverde.udfs.sql;

import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.spark.sql.SparkSession;

/** The session of this JVM's tests. */
public final class TestSession {
    private static SparkSession session;

    private TestSession() {}

    /** {@return two threads, no UI, both extensions} */
    public static synchronized SparkSession get() {
        if (session == null) {
            try {
                Path warehouse = Files.createTempDirectory("paloverde-warehouse");
                session = SparkSession.builder()
                        .master("local[2]")
                        .appName("udfs-tests")
                        .config("spark.ui.enabled", "false")
                        .config("spark.sql.codegen.wholeStage", "false")
                        .config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
                        .config("spark.sql.shuffle.partitions", "2")
                        .config("spark.sql.warehouse.dir", warehouse.toUri().toString())
                        .config(
                                "spark.sql.extensions",
                                ShoutFunction.Extensions.class.getName() + "," + PaloverdeExtensions.class.getName())
                        .getOrCreate();
                session.sparkContext().setLogLevel("ERROR");
            } catch (java.io.IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }
        return session;
    }
}
