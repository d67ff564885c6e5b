package dev.paloverde.udfs.sql;

import java.util.List;
import java.util.Objects;
import org.apache.spark.sql.catalyst.analysis.MultiInstanceRelation;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeReference;
import org.apache.spark.sql.catalyst.expressions.AttributeSet;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Statistics;
import org.apache.spark.sql.catalyst.plans.logical.UnaryNode;
import org.apache.spark.sql.types.Metadata;
import scala.Option;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Seq;
import scala.math.BigInt;

/** Logical node: the child's columns, and one more with the struct that a bound call makes of each row. */
public final class BatchEval extends LogicalPlan implements UnaryNode, MultiInstanceRelation {
    private static final long serialVersionUID = 1L;
    private static final long RESULT_BYTES = 1024;

    private final BatchCall call;
    private final Attribute result;
    private final LogicalPlan child;

    /** Public because Spark copies nodes by reflection. */
    public BatchEval(BatchCall call, Attribute result, LogicalPlan child) {
        this.call = call;
        this.result = result;
        this.child = child;
    }

    static BatchEval of(BatchCall call, LogicalPlan child) {
        return new BatchEval(
                call,
                new AttributeReference(
                        call.prettyName(),
                        call.dataType(),
                        call.nullable(),
                        Metadata.empty(),
                        NamedExpression.newExprId(),
                        Scala.seq(List.of())),
                child);
    }

    BatchCall call() {
        return call;
    }

    Attribute result() {
        return result;
    }

    BatchEval withChild(LogicalPlan changed) {
        return changed == child ? this : new BatchEval(call, result, changed);
    }

    /** {@return whether an expression can be evaluated without the result} */
    boolean isBelow(AttributeSet references) {
        return references.subsetOf(child.outputSet());
    }

    @Override
    public LogicalPlan child() {
        return child;
    }

    @Override
    public Seq<LogicalPlan> children() {
        return Scala.seq(List.of(child));
    }

    @Override
    public LogicalPlan withNewChildInternal(LogicalPlan changed) {
        return new BatchEval(call, result, changed);
    }

    @Override
    public LogicalPlan withNewChildrenInternal(IndexedSeq<LogicalPlan> changed) {
        return withNewChildInternal(changed.apply(0));
    }

    @Override
    public LogicalPlan mapChildren(scala.Function1<LogicalPlan, LogicalPlan> function) {
        return withChild(function.apply(child));
    }

    @Override
    public LogicalPlan newInstance() {
        return new BatchEval(call, result.newInstance(), child);
    }

    @Override
    public Seq<Attribute> output() {
        List<Attribute> columns = Scala.list(child.output());
        columns.add(result);
        return Scala.seq(columns);
    }

    @Override
    public AttributeSet producedAttributes() {
        return AttributeSet.apply(result);
    }

    /** False, so that a common table expression is shared and not copied into each of its uses. */
    @Override
    public boolean deterministic() {
        return false;
    }

    @Override
    public Option<Object> maxRows() {
        return child.maxRows();
    }

    @Override
    public Option<Object> maxRowsPerPartition() {
        return child.maxRowsPerPartition();
    }

    /** As many rows as the child has, each larger by a result: what decides whether a side of a join is broadcast. */
    @Override
    public Statistics stats() {
        Statistics below = child.stats();
        BigInt bytes;
        if (below.rowCount().isDefined()) {
            bytes = below.sizeInBytes().$plus(below.rowCount().get().$times(BigInt.apply(RESULT_BYTES)));
        } else {
            int row = child.output().isEmpty() ? 8 : child.schema().defaultSize() + 8;
            bytes = below.sizeInBytes().$times(BigInt.apply(row + RESULT_BYTES)).$div(BigInt.apply(row));
        }
        return new Statistics(bytes, below.rowCount(), below.attributeStats(), below.isRuntime());
    }

    @Override
    public Object productElement(int index) {
        return switch (index) {
            case 0 -> call;
            case 1 -> result;
            case 2 -> child;
            default -> throw new IndexOutOfBoundsException(index);
        };
    }

    @Override
    public int productArity() {
        return 3;
    }

    @Override
    public boolean canEqual(Object other) {
        return other instanceof BatchEval;
    }

    @Override
    public boolean equals(Object other) {
        return this == other
                || other instanceof BatchEval node
                        && node.call.equals(call)
                        && node.result.equals(result)
                        && node.child.equals(child);
    }

    @Override
    public int hashCode() {
        return Objects.hash(call, result, child);
    }
}
