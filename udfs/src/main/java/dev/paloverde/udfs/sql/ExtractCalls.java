package dev.paloverde.udfs.sql;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.NamedLambdaVariable;
import org.apache.spark.sql.catalyst.expressions.OuterReference;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression;
import org.apache.spark.sql.catalyst.plans.Cross$;
import org.apache.spark.sql.catalyst.plans.Inner$;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.Command;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.Join;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.UnaryNode;
import org.apache.spark.sql.catalyst.rules.Rule;
import scala.Option;

/**
 * Moves every {@link BatchCall} into a {@link BatchEval} below the operator it stands in, innermost calls first, so that
 * the call is made once for each row that reaches the operator.
 *
 * <p>It runs before the optimiser sees the plan. Later would be too late: a filter on a result is pushed below the
 * projection that computes it, and then the call is there twice. It runs again inside the optimiser for what was not
 * ready before: calls whose arguments belong to the outer query of a correlated sub-query, until that is a join.
 *
 * <p>Each operator is rewritten by itself and keeps its output, attribute for attribute: the rewriting of a part of a
 * query is a part of the rewriting of the query, and Spark's cache of query results goes on finding what it has.
 */
final class ExtractCalls extends Rule<LogicalPlan> {
    @Override
    public LogicalPlan apply(LogicalPlan plan) {
        return plan.transformUpWithSubqueries(Scala.rewrite(ExtractCalls::extract));
    }

    private static LogicalPlan extract(LogicalPlan original) {
        if (!hasReadyCall(original) || !original.resolved()) {
            return original;
        }
        LogicalPlan plan = Guards.apply(original);
        LogicalPlan extracted;
        if (plan instanceof Filter filter) {
            extracted = extractFilter(filter);
        } else if (plan instanceof Join join) {
            extracted = extractJoin(join);
        } else if (plan instanceof Aggregate aggregate) {
            extracted = extractAggregate(aggregate);
        } else if (plan instanceof UnaryNode unary && !(plan instanceof Command)) {
            extracted = extractUnary(unary.child(), plan);
        } else {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "%s cannot stand in %s; compute it in a sub-query or a view before"
                            .formatted(names(plan), plan.nodeName()));
        }
        return extracted.output().equals(original.output()) ? extracted : project(original.output(), extracted);
    }

    // Filters: conditions that need no call come first; each call sees only the rows that all before it have passed.

    private static LogicalPlan extractFilter(Filter filter) {
        List<Expression> conditions = conjuncts(filter.condition());
        if (!conditions.stream().allMatch(Expression::deterministic)) {
            return extractUnary(filter.child(), filter);
        }
        LogicalPlan below = filter.child();
        Expression cheap =
                and(conditions.stream().filter(each -> !hasReadyCall(each)).toList());
        if (cheap != null) {
            below = new Filter(cheap, below);
        }
        Calls calls = new Calls();
        for (Expression condition : conditions) {
            if (hasReadyCall(condition)) {
                List<Expression> changed = new ArrayList<>(List.of(condition));
                below = calls.pull(changed, below);
                below = new Filter(changed.get(0), below);
            }
        }
        return below;
    }

    // Joins: a call is made on the side that its arguments come from.

    private static LogicalPlan extractJoin(Join join) {
        LogicalPlan left = join.left();
        LogicalPlan right = join.right();
        List<Expression> within = new ArrayList<>();
        List<Expression> above = new ArrayList<>();
        Calls leftCalls = new Calls();
        Calls rightCalls = new Calls();
        for (Expression condition : conjuncts(join.condition().get())) {
            Expression changed = condition;
            for (List<BatchCall> ready = readyCalls(changed); !ready.isEmpty(); ready = readyCalls(changed)) {
                BatchCall call = ready.get(0);
                List<Expression> pulled = new ArrayList<>(List.of(changed));
                if (call.references().subsetOf(left.outputSet())) {
                    left = leftCalls.pullOne(call, pulled, left);
                } else if (call.references().subsetOf(right.outputSet())) {
                    right = rightCalls.pullOne(call, pulled, right);
                } else {
                    break;
                }
                changed = pulled.get(0);
            }
            (hasReadyCall(changed) ? above : within).add(changed);
        }
        if (!above.isEmpty() && join.joinType() != Inner$.MODULE$ && join.joinType() != Cross$.MODULE$) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    ("the condition of a %s join has %s with arguments from both sides: %s. Only an inner join can have"
                                    + " that; join first, and filter on a column computed after the join")
                            .formatted(
                                    join.joinType().sql(),
                                    names(join),
                                    above.get(0).sql()));
        }
        LogicalPlan joined = new Join(left, right, join.joinType(), Option.apply(and(within)), join.hint());
        Expression rest = and(above);
        return rest == null ? joined : extractFilter(new Filter(rest, joined));
    }

    // Aggregates: a call in a grouping or in an aggregate's argument is made below, any other on the groups, above.

    private static LogicalPlan extractAggregate(Aggregate aggregate) {
        List<Expression> grouping = Scala.list(aggregate.groupingExpressions());
        List<Expression> columns = new ArrayList<>();
        Scala.<NamedExpression>list(aggregate.aggregateExpressions()).forEach(each -> columns.add((Expression) each));
        List<BatchCall> below = new ArrayList<>();
        grouping.forEach(each -> below.addAll(allCalls(each)));
        for (Expression column : columns) {
            Scala.exists(column, node -> {
                if (node instanceof AggregateExpression) {
                    below.addAll(allCalls(node));
                }
                return false;
            });
        }
        LogicalPlan child = aggregate.child();
        if (!below.isEmpty()) {
            Calls calls = new Calls();
            List<Expression> wanted = new ArrayList<>(below);
            List<Expression> found = new ArrayList<>(wanted);
            child = calls.pull(found, child);
            Map<Expression, Expression> results = new LinkedHashMap<>();
            for (int i = 0; i < wanted.size(); i++) {
                results.put(wanted.get(i).canonicalized(), found.get(i));
            }
            grouping.replaceAll(each -> Scala.replace(each, node -> results.get(node.canonicalized())));
            columns.replaceAll(each -> Scala.replace(each, node -> results.get(node.canonicalized())));
        }
        List<NamedExpression> inner = new ArrayList<>();
        List<NamedExpression> outer = new ArrayList<>();
        Map<Expression, Attribute> groups = new LinkedHashMap<>();
        for (Expression column : columns) {
            if (!hasReadyCall(column)) {
                inner.add((NamedExpression) column);
                outer.add(((NamedExpression) column).toAttribute());
                continue;
            }
            outer.add((NamedExpression) Scala.replace(column, node -> {
                boolean isGroup = grouping.stream().anyMatch(node::semanticEquals);
                if (!isGroup && !(node instanceof AggregateExpression)) {
                    return null;
                }
                return groups.computeIfAbsent(node.canonicalized(), canonical -> {
                    NamedExpression named = node instanceof Attribute attribute ? attribute : alias(node, "group");
                    inner.add(named);
                    return named.toAttribute();
                });
            }));
        }
        Aggregate aggregated = new Aggregate(Scala.seq(grouping), Scala.seq(inner), child, aggregate.hint());
        if (groups.isEmpty() && outer.stream().noneMatch(each -> hasReadyCall((Expression) each))) {
            return aggregated;
        }
        return extractUnary(aggregated, new Project(Scala.seq(outer), aggregated));
    }

    // Everything else with one child.

    private static LogicalPlan extractUnary(LogicalPlan child, LogicalPlan plan) {
        LogicalPlan changed = plan;
        Calls calls = new Calls();
        LogicalPlan below = child;
        while (hasReadyCall(changed)) {
            List<Expression> expressions = new ArrayList<>();
            for (Expression each : Scala.<Expression>list(changed.expressions())) {
                expressions.addAll(readyCalls(each));
            }
            BatchCall call = (BatchCall) expressions.get(0);
            List<Expression> pulled = new ArrayList<>(List.of(call));
            below = calls.pullOne(call, pulled, below);
            Expression result = pulled.get(0);
            Expression canonical = call.canonicalized();
            changed = changed.withNewChildren(Scala.seq(List.of(below)));
            changed = changed.mapExpressions(Scala.function(expression -> Scala.replace(
                    expression,
                    each -> each instanceof BatchCall same
                                    && same.canonicalized().equals(canonical)
                            ? result
                            : null)));
        }
        return changed;
    }

    /** The calls that have been made below a point of the plan, each with the attribute of its result. */
    private static final class Calls {
        private final Map<Expression, Attribute> results = new LinkedHashMap<>();

        /** Makes all calls in the expressions, below; their results take their places. */
        LogicalPlan pull(List<Expression> expressions, LogicalPlan child) {
            LogicalPlan below = child;
            for (int i = 0; i < expressions.size(); i++) {
                for (List<BatchCall> ready = readyCalls(expressions.get(i));
                        !ready.isEmpty();
                        ready = readyCalls(expressions.get(i))) {
                    below = pullOne(ready.get(0), expressions, below);
                }
            }
            return below;
        }

        LogicalPlan pullOne(BatchCall call, List<Expression> expressions, LogicalPlan child) {
            LogicalPlan below = child;
            Expression canonical = call.canonicalized();
            Attribute result = call.bind().deterministic() ? results.get(canonical) : null;
            if (result == null) {
                check(call, child);
                BatchEval made = BatchEval.of(call.bind(), child);
                result = made.result();
                results.put(canonical, result);
                below = made;
            }
            Attribute found = result;
            expressions.replaceAll(each -> Scala.replace(
                    each,
                    node -> node instanceof BatchCall same
                                    && same.canonicalized().equals(canonical)
                            ? found
                            : null));
            return below;
        }

        private static void check(BatchCall call, LogicalPlan child) {
            if (Scala.<Expression>exists(call, NamedLambdaVariable.class::isInstance)) {
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "%s stands in a lambda function: %s. Explode the array, call it on the rows, and collect them again"
                                .formatted(call.prettyName(), call.sql()));
            }
            if (!call.references().subsetOf(child.outputSet())) {
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "the arguments of %s are not columns of one input: %s. Compute them in a sub-query before"
                                .formatted(call.prettyName(), call.sql()));
            }
        }
    }

    // Parts

    private static boolean hasReadyCall(LogicalPlan plan) {
        return Scala.<Expression>list(plan.expressions()).stream().anyMatch(ExtractCalls::hasReadyCall)
                && !(plan instanceof BatchEval);
    }

    private static boolean hasReadyCall(Expression expression) {
        return !readyCalls(expression).isEmpty();
    }

    /** The calls that can be made now: none of their arguments has a call or belongs to an outer query. */
    private static List<BatchCall> readyCalls(Expression expression) {
        return allCalls(expression).stream()
                .filter(call -> Scala.<Expression>list(call.children()).stream().allMatch(ExtractCalls::isReady))
                .toList();
    }

    private static boolean isReady(Expression argument) {
        return !Scala.<Expression>exists(argument, node -> node instanceof BatchCall || node instanceof OuterReference);
    }

    private static List<BatchCall> allCalls(Expression expression) {
        List<BatchCall> calls = new ArrayList<>();
        Scala.<Expression>exists(expression, node -> {
            if (node instanceof BatchCall call) {
                calls.add(call);
            }
            return false;
        });
        return calls;
    }

    private static String names(LogicalPlan plan) {
        List<String> names = new ArrayList<>();
        for (Expression each : Scala.<Expression>list(plan.expressions())) {
            allCalls(each).forEach(call -> names.add(call.prettyName()));
        }
        return String.join(", ", names.stream().distinct().toList());
    }

    static List<Expression> conjuncts(Expression condition) {
        if (condition instanceof And and) {
            List<Expression> parts = new ArrayList<>(conjuncts(and.left()));
            parts.addAll(conjuncts(and.right()));
            return parts;
        }
        return List.of(condition);
    }

    static Expression and(List<Expression> conditions) {
        return conditions.stream().reduce(And::new).orElse(null);
    }

    static Alias alias(Expression expression, String name) {
        return alias(expression, name, NamedExpression.newExprId());
    }

    static Alias alias(Expression expression, String name, org.apache.spark.sql.catalyst.expressions.ExprId id) {
        return new Alias(expression, name, id, Scala.seq(List.of()), Option.empty(), Scala.seq(List.of()));
    }

    static Project project(scala.collection.Seq<Attribute> columns, LogicalPlan child) {
        return new Project(Scala.seq(new ArrayList<NamedExpression>(Scala.<Attribute>list(columns))), child);
    }
}
