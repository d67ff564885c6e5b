/**
 * Rows to Arrow batches and back.
 *
 * <p>The tour: {@link dev.paloverde.udfs.arrow.BatchFunction} is what a function over batches is, with the law that the
 * n-th batch out answers the n-th batch in. {@link dev.paloverde.udfs.arrow.BatchRows} drives one inside a task: it
 * fills batches from Spark's rows, holds the rows themselves until their answers are there, and joins the two.
 * {@link dev.paloverde.udfs.arrow.BatchSource} lets the function read ahead within a budget of rows and bytes, so that
 * the engine behind it admits row by row whatever the size of a batch. {@link dev.paloverde.udfs.arrow.BatchCounter} is
 * what it counts on the way.
 *
 * <p>Memory: all vectors of a task live in one allocator, which the task closes at its end, however it ends; bytes that
 * are still allocated then fail the task, so that leaks are found in tests.
 */
package dev.paloverde.udfs.arrow;
