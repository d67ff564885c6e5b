package dev.paloverde.udfs.sql;

import java.util.List;
import org.apache.spark.sql.catalyst.expressions.SortOrder;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.GlobalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LocalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.RepartitionByExpression;
import org.apache.spark.sql.catalyst.plans.logical.RepartitionOperation;
import org.apache.spark.sql.catalyst.plans.logical.Sort;
import org.apache.spark.sql.catalyst.rules.Rule;
import scala.Option;
import scala.collection.immutable.Seq;

/**
 * Puts a shuffle between calls and a partitioning by range. Such a partitioning, the one of ORDER BY above all, runs its
 * input twice: a first time to sample the ranges. The second run then reads what the shuffle wrote, and no call is made
 * again. A sort under a limit has no such partitioning.
 */
final class KeepResults extends Rule<LogicalPlan> {
    @Override
    public LogicalPlan apply(LogicalPlan plan) {
        return Scala.<LogicalPlan>exists(plan, BatchEval.class::isInstance) ? keep(plan, false) : plan;
    }

    private static LogicalPlan keep(LogicalPlan plan, boolean underLimit) {
        boolean limited = plan instanceof LocalLimit || (underLimit && plan instanceof Project);
        LogicalPlan changed = plan.mapChildren(Scala.function(child -> keep(child, limited)));
        if ((changed instanceof Sort sort && sort.global() && !underLimit) || isByRange(changed)) {
            LogicalPlan child = changed.children().head();
            if (makesCalls(child)) {
                return changed.withNewChildren(Scala.seq(List.of(kept(child))));
            }
        }
        return changed;
    }

    private static LogicalPlan kept(LogicalPlan child) {
        return new RepartitionByExpression(Scala.seq(List.of()), child, Option.empty(), Option.empty());
    }

    private static boolean isByRange(LogicalPlan plan) {
        return plan instanceof RepartitionByExpression partitioned && isOrder(partitioned.partitionExpressions());
    }

    private static boolean isOrder(Seq<?> expressions) {
        return !expressions.isEmpty() && expressions.forall(Scala.function(SortOrder.class::isInstance));
    }

    /** Whether calls would be made again, because nothing that is written down lies between. */
    private static boolean makesCalls(LogicalPlan plan) {
        if (plan instanceof BatchEval) {
            return true;
        }
        if (plan instanceof RepartitionOperation shuffled && shuffled.shuffle()
                || plan instanceof GlobalLimit
                || plan instanceof Aggregate) {
            return false;
        }
        return Scala.<LogicalPlan>list(plan.children()).stream().anyMatch(KeepResults::makesCalls);
    }
}
