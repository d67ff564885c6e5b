/**
 * Functions over Arrow batches, and the bridge that gives them to Spark.
 *
 * <p>The tour: {@link dev.paloverde.udfs.Settings} has every option there is. {@link dev.paloverde.udfs.Paloverde} is
 * the Dataset API; {@code PaloverdeExtensions} gives Spark SQL the same functions. Both plan a
 * batch node ({@code sql}), which hands rows as Arrow batches ({@code arrow}) to the functions ({@code text}, {@code image}), which
 * submit them to the executor's engine.
 */
package dev.paloverde.udfs;
