package dev.paloverde.udfs.sql;

import java.util.List;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.SparkStrategy;
import scala.collection.immutable.Seq;

/** Plans {@link BatchEval} as {@link BatchEvalExec}. */
final class BatchStrategy extends SparkStrategy {
    @Override
    public Seq<SparkPlan> apply(LogicalPlan plan) {
        return plan instanceof BatchEval node
                ? Scala.seq(List.of(new BatchEvalExec(node.call(), node.result(), planLater(node.child()))))
                : Scala.seq(List.of());
    }
}
