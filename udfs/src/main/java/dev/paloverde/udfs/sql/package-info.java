/**
 * The bridge to Spark SQL: how a call of a model in a query becomes a node of the plan that works on batches.
 *
 * <p>The tour, along a query's way. {@link dev.paloverde.udfs.sql.PaloverdeExtensions} registers the functions of
 * {@code ModelFunction} and the rules below. The analyser makes a {@code BatchCall} of each call, which checks its
 * options and has the type of the result. {@code ExtractCalls} moves the calls into {@code BatchEval} nodes before the
 * optimiser can copy them; {@code Guards} keeps calls in CASE, IF, COALESCE, AND and OR to the rows that need them. {@code OptimizeCalls} makes the nodes fewer and their inputs smaller. {@code KeepResults} sees to it that a
 * sort does not call twice. {@code BatchStrategy} plans {@code BatchEvalExec}, which runs rows through
 * {@link dev.paloverde.udfs.arrow.BatchRows} and shows its metrics in Spark's UI.
 *
 * <p>What a query can count on. A call is made once for each row that reaches the operator it stands in, however often
 * the same call is written in the query. Conditions without calls are checked first, those with calls from left to right,
 * each on the rows that are left. A LIMIT cuts before the call, and so does an ORDER BY with a LIMIT that sorts by other
 * columns. A call in a join's condition is made on the side its arguments come from; with arguments from both sides only
 * an inner join can have it, and it is made on the pairs that the other conditions leave. A call in an aggregate's
 * argument or in GROUP BY is made on the rows, one on aggregates is made on the groups. A call in a lambda function is
 * refused. A common table expression that is used twice is computed once and shared. What Spark runs again after a
 * failure is called again, with the same results.
 *
 * <p>{@code Scala} has what Java needs to speak with Spark's Scala, and all of it.
 */
package dev.paloverde.udfs.sql;
