package dev.paloverde.jobs;

/** The class that gives Spark SQL its functions; named in {@code spark.sql.extensions}. */
final class Extensions {
    static final String CLASS = "dev.paloverde.udfs.sql.PaloverdeExtensions";

    private Extensions() {}
}
