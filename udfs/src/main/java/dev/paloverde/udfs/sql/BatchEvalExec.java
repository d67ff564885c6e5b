package dev.paloverde.udfs.sql;

import dev.paloverde.udfs.arrow.BatchCounter;
import dev.paloverde.udfs.arrow.BatchFunction;
import dev.paloverde.udfs.arrow.BatchRows;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.apache.spark.SparkContext;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeSet;
import org.apache.spark.sql.catalyst.expressions.BasePredicate;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Predicate;
import org.apache.spark.sql.catalyst.expressions.SortOrder;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.catalyst.plans.physical.Partitioning;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.UnaryExecNode;
import org.apache.spark.sql.execution.metric.SQLMetric;
import org.apache.spark.sql.execution.metric.SQLMetrics;
import org.apache.spark.sql.types.DataType;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Seq;
import scala.reflect.ClassTag$;

/**
 * Physical node: rows in, the same rows with one more column out, in the same order and partitions. Spark puts a
 * conversion below it where the child makes columns.
 */
public final class BatchEvalExec extends SparkPlan implements UnaryExecNode {
    private static final long serialVersionUID = 1L;

    private final BatchCall call;
    private final Attribute result;
    private final SparkPlan child;
    private transient scala.collection.immutable.Map<String, SQLMetric> metrics;

    /** Public because Spark copies nodes by reflection. */
    public BatchEvalExec(BatchCall call, Attribute result, SparkPlan child) {
        this.call = call;
        this.result = result;
        this.child = child;
    }

    @Override
    public SparkPlan child() {
        return child;
    }

    @Override
    public Seq<SparkPlan> children() {
        return Scala.seq(List.of(child));
    }

    @Override
    public SparkPlan withNewChildInternal(SparkPlan changed) {
        return new BatchEvalExec(call, result, changed);
    }

    @Override
    public SparkPlan withNewChildrenInternal(IndexedSeq<SparkPlan> changed) {
        return withNewChildInternal(changed.apply(0));
    }

    @Override
    public SparkPlan mapChildren(scala.Function1<SparkPlan, SparkPlan> function) {
        SparkPlan changed = function.apply(child);
        return changed == child ? this : withNewChildInternal(changed);
    }

    @Override
    public String verboseStringWithOperatorId() {
        return UnaryExecNode.super.verboseStringWithOperatorId();
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

    @Override
    public Partitioning outputPartitioning() {
        return child.outputPartitioning();
    }

    @Override
    public Seq<SortOrder> outputOrdering() {
        return child.outputOrdering();
    }

    @Override
    public synchronized scala.collection.immutable.Map<String, SQLMetric> metrics() {
        if (metrics == null) {
            SparkContext context = sparkContext();
            Map<String, SQLMetric> made = new HashMap<>();
            made.put("numOutputRows", SQLMetrics.createMetric(context, "rows"));
            made.put("errors", SQLMetrics.createMetric(context, "rows in error"));
            made.put("truncated", SQLMetrics.createMetric(context, "rows truncated"));
            made.put("tokensIn", SQLMetrics.createMetric(context, "tokens in"));
            made.put("tokensOut", SQLMetrics.createMetric(context, "tokens out"));
            made.put("batches", SQLMetrics.createMetric(context, "batches"));
            made.put("tokensPerSecond", SQLMetrics.createAverageMetric(context, "tokens per second and task"));
            made.put("occupancy", SQLMetrics.createAverageMetric(context, "engine batch occupancy, percent"));
            made.put("engineTime", SQLMetrics.createNanoTimingMetric(context, "engine time", -1L));
            made.put("waitTime", SQLMetrics.createNanoTimingMetric(context, "wait time", -1L));
            made.put("proposedTokens", SQLMetrics.createMetric(context, "tokens guessed ahead"));
            made.put("acceptedTokens", SQLMetrics.createMetric(context, "tokens guessed right"));
            made.put("foreseenRounds", SQLMetrics.createMetric(context, "outcomes foreseen"));
            made.put("unforeseenRounds", SQLMetrics.createMetric(context, "outcomes not foreseen"));
            made.put("draftTime", SQLMetrics.createNanoTimingMetric(context, "draft time", -1L));
            made.put("aheadTime", SQLMetrics.createNanoTimingMetric(context, "draft time during steps", -1L));
            made.put("overlap", SQLMetrics.createAverageMetric(context, "draft time inside steps, percent"));
            metrics = Scala.map(made);
        }
        return metrics;
    }

    @Override
    public RDD<InternalRow> doExecute() {
        Map<String, SQLMetric> counted = new HashMap<>();
        Scala.list(metrics().keys().toSeq()).forEach(key -> counted.put(key, longMetric(key)));
        Work work = new Work(
                call.prettyName(),
                call.function(),
                call.dataType(),
                Scala.seq(call.arguments()),
                call.guard(),
                child.output(),
                counted);
        return JavaRDD.fromRDD(child.execute(), ClassTag$.MODULE$.<InternalRow>apply(InternalRow.class))
                .mapPartitions(work, true)
                .rdd();
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
        return other instanceof BatchEvalExec;
    }

    @Override
    public boolean equals(Object other) {
        return this == other
                || other instanceof BatchEvalExec node
                        && node.call.equals(call)
                        && node.result.equals(result)
                        && node.child.equals(child);
    }

    @Override
    public int hashCode() {
        return Objects.hash(call, result, child);
    }

    /** What a task does with its partition. */
    private record Work(
            String name,
            BatchFunction function,
            DataType type,
            Seq<Expression> parts,
            Expression condition,
            Seq<Attribute> columns,
            Map<String, SQLMetric> metrics)
            implements FlatMapFunction<Iterator<InternalRow>, InternalRow> {
        @Override
        public Iterator<InternalRow> call(Iterator<InternalRow> rows) {
            if (!rows.hasNext()) {
                return rows;
            }
            List<Expression> output = new ArrayList<>(Scala.<Expression>list(columns));
            UnsafeProjection held = UnsafeProjection.create(Scala.seq(output), columns);
            UnsafeProjection arguments = UnsafeProjection.create(parts, columns);
            arguments.initialize(TaskContext.getPartitionId());
            TaskMetrics task = new TaskMetrics(metrics);
            BatchRows joined = new BatchRows(
                    name, function, rows, new Split(held, arguments, guard(), columns.size()), function.limits(), task);
            TaskContext.get().addTaskCompletionListener(context -> {
                try {
                    joined.close();
                } finally {
                    task.end();
                }
            });
            UnsafeProjection flat =
                    UnsafeProjection.create(Stream.concat(output.stream().map(Expression::dataType), Stream.of(type))
                            .toArray(DataType[]::new));
            return BatchRows.map(joined, flat::apply);
        }

        private BasePredicate guard() {
            if (condition == null) {
                return null;
            }
            BasePredicate predicate = Predicate.create(condition, columns);
            predicate.initialize(TaskContext.getPartitionId());
            return predicate;
        }
    }

    /** Takes a row apart: the whole of it to hold, the arguments to hand over. */
    private record Split(UnsafeProjection whole, UnsafeProjection parts, BasePredicate guard, int columns)
            implements BatchRows.Projection {
        @Override
        public UnsafeRow held(InternalRow row) {
            return row instanceof UnsafeRow unsafe && unsafe.numFields() == columns ? unsafe : whole.apply(row);
        }

        @Override
        public InternalRow arguments(InternalRow row) {
            return guard == null || guard.eval(row) ? parts.apply(row) : null;
        }
    }

    /** Counts of one task, shown while it runs; averages are known at its end. */
    private static final class TaskMetrics implements BatchRows.Task {
        private final Map<String, SQLMetric> metrics;
        private final EnumMap<BatchCounter, Long> counts = new EnumMap<>(BatchCounter.class);
        private final TaskContext context = TaskContext.get();
        private final long began = System.nanoTime();

        TaskMetrics(Map<String, SQLMetric> metrics) {
            this.metrics = metrics;
        }

        @Override
        public void count(BatchCounter counter, long amount) {
            counts.merge(counter, amount, Long::sum);
            String metric = switch (counter) {
                case ROWS -> "numOutputRows";
                case BATCHES -> "batches";
                case ERRORS -> "errors";
                case TRUNCATED -> "truncated";
                case TOKENS_IN -> "tokensIn";
                case TOKENS_OUT -> "tokensOut";
                case WAIT_NANOS -> "waitTime";
                case ENGINE_NANOS -> "engineTime";
                case PROPOSED_TOKENS -> "proposedTokens";
                case ACCEPTED_TOKENS -> "acceptedTokens";
                case FORESEEN_ROUNDS -> "foreseenRounds";
                case UNFORESEEN_ROUNDS -> "unforeseenRounds";
                case DRAFT_NANOS -> "draftTime";
                case AHEAD_NANOS -> "aheadTime";
                case SEQUENCE_STEPS, SEQUENCE_PLACES, OVERLAP_NANOS -> null;
            };
            if (metric != null) {
                metrics.get(metric).add(amount);
            }
        }

        @Override
        public void checkAlive() {
            context.killTaskIfInterrupted();
        }

        void end() {
            double seconds = (System.nanoTime() - began) / 1e9;
            long tokens = total(BatchCounter.TOKENS_IN) + total(BatchCounter.TOKENS_OUT);
            if (tokens > 0) {
                metrics.get("tokensPerSecond").set(tokens / seconds);
            }
            long places = total(BatchCounter.SEQUENCE_PLACES);
            if (places > 0) {
                metrics.get("occupancy").set(100.0 * total(BatchCounter.SEQUENCE_STEPS) / places);
            }
            long ahead = total(BatchCounter.AHEAD_NANOS);
            if (ahead > 0) {
                metrics.get("overlap").set(100.0 * total(BatchCounter.OVERLAP_NANOS) / ahead);
            }
        }

        private long total(BatchCounter counter) {
            return counts.getOrDefault(counter, 0L);
        }
    }
}
