package dev.paloverde.udfs.sql;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeMap;
import org.apache.spark.sql.catalyst.expressions.AttributeSet;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.PredicateHelper;
import org.apache.spark.sql.catalyst.expressions.SortOrder;
import org.apache.spark.sql.catalyst.plans.Cross$;
import org.apache.spark.sql.catalyst.plans.Inner$;
import org.apache.spark.sql.catalyst.plans.LeftAnti$;
import org.apache.spark.sql.catalyst.plans.LeftOuter$;
import org.apache.spark.sql.catalyst.plans.LeftSemi$;
import org.apache.spark.sql.catalyst.plans.RightOuter$;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.GlobalLimit;
import org.apache.spark.sql.catalyst.plans.logical.Join;
import org.apache.spark.sql.catalyst.plans.logical.LocalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.RepartitionOperation;
import org.apache.spark.sql.catalyst.plans.logical.Sort;
import org.apache.spark.sql.catalyst.plans.logical.SubqueryAlias;
import org.apache.spark.sql.catalyst.plans.logical.UnaryNode;
import org.apache.spark.sql.catalyst.rules.Rule;

/**
 * What Spark's optimiser does to operators it knows, done to {@link BatchEval}: the fewest calls, on the fewest rows.
 * Four rewritings, which run with Spark's own until nothing changes: a call that was made further below is not made
 * again; what no one reads is not computed; conditions on other columns are checked first; limits cut first.
 */
final class OptimizeCalls extends Rule<LogicalPlan> implements PredicateHelper {
    @Override
    public LogicalPlan apply(LogicalPlan plan) {
        if (!Scala.<LogicalPlan>exists(plan, BatchEval.class::isInstance)) {
            return plan;
        }
        LogicalPlan changed = plan.transformUp(Scala.rewrite(this::reuse));
        changed = changed.transformDown(Scala.rewrite(this::prune));
        changed = changed.transformUp(Scala.rewrite(this::pushFilter));
        LogicalPlan root = changed;
        return changed.transformDown(Scala.rewrite(node -> pushLimit(node, node == root)));
    }

    // 1. The same call twice: find it below, and hand its result up.

    private LogicalPlan reuse(LogicalPlan plan) {
        if (!(plan instanceof BatchEval node) || !node.call().deterministic()) {
            return plan;
        }
        Optional<Found> found = find(node.child(), node.call());
        if (found.isEmpty()) {
            return plan;
        }
        List<NamedExpression> columns =
                new ArrayList<>(Scala.<Attribute>list(node.child().output()));
        columns.add(ExtractCalls.alias(
                (Expression) found.get().result(),
                node.result().name(),
                node.result().exprId()));
        return new Project(Scala.seq(columns), found.get().plan());
    }

    /** A plan with one more column than it had, perhaps: the result. */
    private record Found(LogicalPlan plan, Attribute result) {}

    private Optional<Found> find(LogicalPlan plan, BatchCall call) {
        if (!call.references().subsetOf(plan.outputSet())) {
            return Optional.empty();
        }
        if (plan instanceof BatchEval node) {
            if (node.call().semanticEquals(call) || node.call().semanticEquals(call.always())) {
                return Optional.of(new Found(node, node.result()));
            }
            if (call.guard() == null && node.call().always().semanticEquals(call)) {
                // below for some rows, here for all that are left: better below for all than twice for some
                return Optional.of(new Found(new BatchEval(call, node.result(), node.child()), node.result()));
            }
            return find(node.child(), call).map(found -> new Found(node.withChild(found.plan()), found.result()));
        }
        if (plan instanceof Project project) {
            if (!Scala.<NamedExpression>list(project.projectList()).stream()
                    .allMatch(each -> ((Expression) each).deterministic())) {
                return Optional.empty();
            }
            AttributeMap<Alias> aliases = getAliasMap(project);
            return find(project.child(), (BatchCall) replaceAlias(call, aliases))
                    .map(found -> {
                        List<NamedExpression> columns = Scala.list(project.projectList());
                        if (!project.outputSet().contains((NamedExpression) found.result())) {
                            columns.add((NamedExpression) found.result());
                        }
                        return new Found(new Project(Scala.seq(columns), found.plan()), found.result());
                    });
        }
        if (keepsRows(plan)) {
            LogicalPlan child = ((UnaryNode) plan).child();
            return find(child, call)
                    .map(found -> new Found(plan.withNewChildren(Scala.seq(List.of(found.plan()))), found.result()));
        }
        if (plan instanceof Join join) {
            return findInJoin(join, call);
        }
        return Optional.empty();
    }

    /** Only on a side that the join fills with no nulls: there the column is what the call would give above. */
    private Optional<Found> findInJoin(Join join, BatchCall call) {
        boolean inner = join.joinType() == Inner$.MODULE$ || join.joinType() == Cross$.MODULE$;
        if (inner
                || join.joinType() == LeftOuter$.MODULE$
                || join.joinType() == LeftSemi$.MODULE$
                || join.joinType() == LeftAnti$.MODULE$) {
            Optional<Found> found = find(join.left(), call)
                    .map(each -> new Found(
                            new Join(each.plan(), join.right(), join.joinType(), join.condition(), join.hint()),
                            each.result()));
            if (found.isPresent()) {
                return found;
            }
        }
        if (inner || join.joinType() == RightOuter$.MODULE$) {
            return find(join.right(), call)
                    .map(each -> new Found(
                            new Join(join.left(), each.plan(), join.joinType(), join.condition(), join.hint()),
                            each.result()));
        }
        return Optional.empty();
    }

    /** Operators whose output is their child's: fewer rows or in another order, but the same columns. */
    private static boolean keepsRows(LogicalPlan plan) {
        return plan instanceof Filter
                || plan instanceof Sort
                || plan instanceof LocalLimit
                || plan instanceof GlobalLimit
                || plan instanceof RepartitionOperation
                || plan instanceof SubqueryAlias;
    }

    // 2. Results that no one reads.

    private LogicalPlan prune(LogicalPlan plan) {
        if (!(plan instanceof Project) && !(plan instanceof Aggregate)) {
            return plan;
        }
        LogicalPlan child = plan.children().head();
        LogicalPlan pruned = prune(child, plan.references());
        return pruned == child ? plan : plan.withNewChildren(Scala.seq(List.of(pruned)));
    }

    private static LogicalPlan prune(LogicalPlan plan, AttributeSet required) {
        if (plan instanceof BatchEval node) {
            return required.contains((NamedExpression) node.result())
                    ? node.withChild(prune(node.child(), both(required, node.references())))
                    : prune(node.child(), required);
        }
        if (keepsRows(plan)) {
            LogicalPlan child = ((UnaryNode) plan).child();
            LogicalPlan pruned = prune(child, both(required, plan.references()));
            return pruned == child ? plan : plan.withNewChildren(Scala.seq(List.of(pruned)));
        }
        return plan;
    }

    private static AttributeSet both(AttributeSet one, AttributeSet other) {
        return AttributeSet.fromAttributeSets(Scala.seq(List.of(one, other)));
    }

    // 3. Conditions that do not read the result.

    private LogicalPlan pushFilter(LogicalPlan plan) {
        if (!(plan instanceof Filter filter)
                || !(filter.child() instanceof BatchEval node)
                || !filter.condition().deterministic()) {
            return plan;
        }
        List<Expression> below = new ArrayList<>();
        List<Expression> above = new ArrayList<>();
        for (Expression condition : ExtractCalls.conjuncts(filter.condition())) {
            (node.isBelow(condition.references()) ? below : above).add(condition);
        }
        if (below.isEmpty()) {
            return plan;
        }
        LogicalPlan filtered = pushFilter(new Filter(ExtractCalls.and(below), node.child()));
        LogicalPlan evaluated = node.withChild(filtered);
        return above.isEmpty() ? evaluated : new Filter(ExtractCalls.and(above), evaluated);
    }

    // 4. Limits, and sorts under limits.

    private LogicalPlan pushLimit(LogicalPlan plan, boolean isRoot) {
        if (!(plan instanceof GlobalLimit global) || !(global.child() instanceof LocalLimit local)) {
            return plan;
        }
        Spine spine = Spine.of(local.child());
        UnaryOperator<LogicalPlan> limit =
                child -> new GlobalLimit(global.limitExpr(), new LocalLimit(local.limitExpr(), child));
        if (spine.bottom() instanceof Sort sort && sort.global()) {
            LogicalPlan sorted = pushSort(sort, limit);
            if (sorted != sort) {
                return spine.over(sorted);
            }
        }
        if (!spine.hasCall()) {
            return plan;
        }
        if (!isRoot || spine.bottom() instanceof Sort) {
            return spine.over(limit.apply(spine.bottom()));
        }
        // Spark runs a limit at the root partition by partition until it has enough: only each one's limit goes below
        return isLimited(spine.bottom(), local.limitExpr())
                ? plan
                : limit.apply(spine.over(new LocalLimit(local.limitExpr(), spine.bottom())));
    }

    /** The first rows in an order that no result decides: take them first, then call. */
    private LogicalPlan pushSort(Sort sort, UnaryOperator<LogicalPlan> limit) {
        Spine spine = Spine.of(sort.child());
        List<SortOrder> order = Scala.list(sort.order());
        for (LogicalPlan node : spine.nodes()) {
            if (node instanceof Project project) {
                AttributeMap<Alias> aliases = getAliasMap(project);
                order.replaceAll(each -> (SortOrder) replaceAlias(each, aliases));
            }
        }
        AttributeSet columns = spine.bottom().outputSet();
        if (!spine.hasCall()
                || !order.stream().allMatch(each -> each.references().subsetOf(columns))) {
            return sort;
        }
        return spine.over(limit.apply(new Sort(Scala.seq(order), true, spine.bottom(), sort.hint())));
    }

    private static boolean isLimited(LogicalPlan plan, Expression limit) {
        return plan.maxRowsPerPartition().isDefined()
                && limit.foldable()
                && ((Number) plan.maxRowsPerPartition().get()).longValue() <= ((Number) limit.eval(null)).longValue();
    }

    /** Projections and calls, one upon the other, from the top down: what neither drops, adds nor reorders rows. */
    private record Spine(List<LogicalPlan> nodes, LogicalPlan bottom) {
        static Spine of(LogicalPlan top) {
            List<LogicalPlan> nodes = new ArrayList<>();
            LogicalPlan node = top;
            while (node instanceof BatchEval || isPlain(node)) {
                nodes.add(node);
                node = ((UnaryNode) node).child();
            }
            return new Spine(nodes, node);
        }

        boolean hasCall() {
            return nodes.stream().anyMatch(BatchEval.class::isInstance);
        }

        LogicalPlan over(LogicalPlan bottom) {
            LogicalPlan plan = bottom;
            for (int i = nodes.size() - 1; i >= 0; i--) {
                plan = nodes.get(i).withNewChildren(Scala.seq(List.of(plan)));
            }
            return plan;
        }

        private static boolean isPlain(LogicalPlan plan) {
            return plan instanceof Project project
                    && Scala.<NamedExpression>list(project.projectList()).stream()
                            .allMatch(each -> ((Expression) each).deterministic());
        }
    }
}
