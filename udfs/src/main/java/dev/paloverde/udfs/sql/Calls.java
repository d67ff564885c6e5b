package dev.paloverde.udfs.sql;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.udfs.Operation;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.rules.Rule;
import org.apache.spark.sql.classic.ExpressionUtils;
import org.apache.spark.sql.execution.SparkStrategy;

/** Calls from Java and Scala: columns that are calls, in sessions with and without {@link PaloverdeExtensions}. */
public final class Calls {
    private Calls() {}

    /**
     * {@return a column that calls a model} A session that was started without the extension gets what it lacks now. The
     * call is then planned late, and Spark's rules for functions that are not deterministic apply to it: it can stand in
     * a projection and a filter, but not in an aggregate, a sort or a join's condition.
     *
     * @param session that the column will be used in
     * @param operation what to do
     * @param arguments the text; for CHOOSE the context and the choices
     * @param options by their keys
     */
    public static Column of(
            SparkSession session, Operation operation, List<Column> arguments, Map<String, String> options) {
        org.apache.spark.sql.classic.SparkSession classic = classic(session);
        BatchCall.State state = isExtended(classic) ? BatchCall.State.UNBOUND : install(classic);
        List<Expression> children = new ArrayList<>();
        arguments.forEach(argument -> children.add(ExpressionUtils.expression(argument)));
        return ExpressionUtils.column(
                BatchCall.of(new ModelFunction(operation), options, BatchExtensions.session(classic), state, children));
    }

    /** {@return what a session says of Paloverde, by keys with their prefix} */
    public static Map<String, String> session(SparkSession session) {
        return BatchExtensions.session(classic(session));
    }

    private static org.apache.spark.sql.classic.SparkSession classic(SparkSession session) {
        if (session instanceof org.apache.spark.sql.classic.SparkSession classic) {
            return classic;
        }
        throw new PaloverdeException(
                ErrorCode.INVALID_OPTION,
                "the session is a %s; over Spark Connect use the SQL functions, with spark.sql.extensions=%s on the server"
                        .formatted(session.getClass().getName(), PaloverdeExtensions.class.getName()));
    }

    private static boolean isExtended(org.apache.spark.sql.classic.SparkSession session) {
        return Scala.<Rule<LogicalPlan>>list(session.sessionState().planNormalizationRules()).stream()
                .anyMatch(ExtractCalls.class::isInstance);
    }

    private static synchronized BatchCall.State install(org.apache.spark.sql.classic.SparkSession session) {
        var methods = session.experimental();
        List<SparkStrategy> strategies = Scala.list(methods.extraStrategies());
        if (strategies.stream().noneMatch(BatchStrategy.class::isInstance)) {
            strategies.add(new BatchStrategy());
            methods.extraStrategies_$eq(Scala.seq(strategies));
            List<Rule<LogicalPlan>> rules = Scala.list(methods.extraOptimizations());
            rules.addAll(List.of(new ExtractCalls(), new OptimizeCalls(), new KeepResults()));
            methods.extraOptimizations_$eq(Scala.seq(rules));
        }
        return BatchCall.State.PINNED;
    }
}
