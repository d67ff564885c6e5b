package dev.paloverde.udfs.sql;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BinaryOperator;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.CaseWhen;
import org.apache.spark.sql.catalyst.expressions.Coalesce;
import org.apache.spark.sql.catalyst.expressions.EqualNullSafe;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.If;
import org.apache.spark.sql.catalyst.expressions.IsNull;
import org.apache.spark.sql.catalyst.expressions.LambdaFunction;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.Not;
import org.apache.spark.sql.catalyst.expressions.Or;
import org.apache.spark.sql.catalyst.expressions.WindowExpression;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import scala.Option;
import scala.Tuple2;

/**
 * Keeps the meaning of CASE, IF, COALESCE, AND and OR when calls move out of them: a call in a branch is asked for only by
 * the rows that take the branch. Elsewhere Spark would ask for all rows, as it does with Python functions, and a model's
 * time is dear.
 */
final class Guards {
    private Guards() {}

    /** {@return the plan, its calls in branches guarded by the conditions of the branches} */
    static LogicalPlan apply(LogicalPlan plan) {
        LogicalPlan guarded = plan.mapExpressions(Scala.function(Guards::guardConditions));
        return guarded == plan ? plan : unite(guarded);
    }

    /** Conditions that must all hold guard nothing here: filters and joins check them one after the other anyway. */
    private static Expression guardConditions(Expression expression) {
        return expression instanceof And conditions
                ? new And(guardConditions(conditions.left()), guardConditions(conditions.right()))
                : guard(expression, null);
    }

    private static Expression guard(Expression expression, Expression condition) {
        if (!hasCall(expression)) {
            return expression;
        }
        if (expression instanceof BatchCall call) {
            BatchCall inside = (BatchCall) call.mapChildren(Scala.function(each -> guard(each, condition)));
            return condition == null || inside.guard() != null
                    ? inside
                    : inside.bind().when(condition);
        }
        if (expression instanceof AggregateExpression
                || expression instanceof WindowExpression
                || expression instanceof LambdaFunction) {
            // evaluated whatever the branch
            return expression.mapChildren(Scala.function(each -> guard(each, null)));
        }
        if (expression instanceof CaseWhen choice) {
            return guardCase(choice, condition);
        }
        if (expression instanceof If choice) {
            Expression test = choice.predicate();
            return new If(
                    guard(test, condition),
                    guard(choice.trueValue(), both(condition, test)),
                    guard(choice.falseValue(), both(condition, isNotTrue(test))));
        }
        if (expression instanceof Coalesce choice) {
            Expression reached = condition;
            List<Expression> changed = new ArrayList<>();
            for (Expression each : Scala.<Expression>list(choice.children())) {
                changed.add(guard(each, reached));
                reached = both(reached, new IsNull(each));
            }
            return new Coalesce(Scala.seq(changed));
        }
        if (expression instanceof Or either) {
            return guardPair(either.left(), either.right(), condition, Literal.TrueLiteral(), Or::new);
        }
        if (expression instanceof And both) {
            return guardPair(both.left(), both.right(), condition, Literal.FalseLiteral(), And::new);
        }
        return expression.mapChildren(Scala.function(each -> guard(each, condition)));
    }

    /** One side of AND or OR is not asked where the other decides; the side without calls is the one to decide. */
    private static Expression guardPair(
            Expression left,
            Expression right,
            Expression condition,
            Expression deciding,
            BinaryOperator<Expression> join) {
        if (hasCall(left) && !hasCall(right)) {
            return join.apply(guard(left, both(condition, isNot(right, deciding))), right);
        }
        return join.apply(guard(left, condition), guard(right, both(condition, isNot(left, deciding))));
    }

    private static boolean hasCall(Expression expression) {
        return Scala.<Expression>exists(expression, BatchCall.class::isInstance);
    }

    private static Expression guardCase(CaseWhen choice, Expression condition) {
        Expression reached = condition;
        List<Tuple2<Expression, Expression>> branches = new ArrayList<>();
        for (Tuple2<Expression, Expression> branch : Scala.<Tuple2<Expression, Expression>>list(choice.branches())) {
            Expression test = branch._1();
            branches.add(new Tuple2<>(guard(test, reached), guard(branch._2(), both(reached, test))));
            reached = both(reached, isNotTrue(test));
        }
        Expression last = reached;
        Option<Expression> otherwise = choice.elseValue().isDefined()
                ? Option.apply(guard(choice.elseValue().get(), last))
                : Option.empty();
        return new CaseWhen(Scala.seq(branches), otherwise);
    }

    /** A condition that is not deterministic guards nothing: it would be drawn twice. */
    private static Expression both(Expression condition, Expression test) {
        if (!test.deterministic()) {
            return condition;
        }
        return condition == null ? test : new And(condition, test);
    }

    private static Expression isNotTrue(Expression test) {
        return isNot(test, Literal.TrueLiteral());
    }

    private static Expression isNot(Expression test, Expression value) {
        return new Not(new EqualNullSafe(test, value));
    }

    /** The same call under several guards is one call, asked for where any of them holds. */
    private static LogicalPlan unite(LogicalPlan plan) {
        Map<Expression, Optional<Expression>> guards = new LinkedHashMap<>();
        for (Expression each : Scala.<Expression>list(plan.expressions())) {
            Scala.exists(each, node -> {
                if (node instanceof BatchCall call) {
                    guards.merge(
                            identity(call),
                            Optional.ofNullable(call.guard()),
                            (one, other) -> one.isEmpty() || other.isEmpty()
                                    ? Optional.empty()
                                    : one.get().semanticEquals(other.get())
                                            ? one
                                            : Optional.of(new Or(one.get(), other.get())));
                }
                return false;
            });
        }
        return plan.transformExpressionsUp(Scala.rewrite(node -> {
            if (!(node instanceof BatchCall call) || !guards.containsKey(identity(call))) {
                return node;
            }
            return guards.get(identity(call)).<Expression>map(call::when).orElseGet(call::always);
        }));
    }

    private static Expression identity(BatchCall call) {
        return call.bind().always().canonicalized();
    }
}
