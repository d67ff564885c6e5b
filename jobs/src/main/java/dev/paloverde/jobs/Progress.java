package dev.paloverde.jobs;

import java.util.HashMap;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.spark.scheduler.AccumulableInfo;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerEvent;
import org.apache.spark.scheduler.SparkListenerExecutorMetricsUpdate;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.sql.execution.SparkPlanInfo;
import org.apache.spark.sql.execution.metric.SQLMetricInfo;
import org.apache.spark.sql.execution.ui.SparkListenerSQLAdaptiveExecutionUpdate;
import org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Follows a write by Spark's events: tasks that end, and the heartbeats in which executors say how far their tasks are.
 * Only metrics of plan nodes whose name begins with a given one count. A task that fails takes what it had counted with
 * it, so the figures are of work that stands.
 */
final class Progress extends SparkListener {
    private final String node;
    private final Map<Long, String> names = new HashMap<>();
    private final Map<Long, Map<Long, Long>> running = new HashMap<>();
    private final TreeMap<String, Long> finished = new TreeMap<>();
    private long unitsDone;
    private long attemptsFailed;
    private long rowsLost;

    /**
     * @param node what the names of the nodes begin with whose metrics are summed
     */
    Progress(String node) {
        this.node = node;
    }

    /**
     * A moment's figures.
     *
     * @param metrics sums by name, over what has finished and what runs
     * @param unitsDone units committed
     * @param attemptsFailed task attempts that failed
     * @param rowsLost rows that those had computed, as far as they had said so: an executor that dies says nothing of what
     *     it did since its last heartbeat
     */
    record Reading(SortedMap<String, Long> metrics, long unitsDone, long attemptsFailed, long rowsLost) {
        long metric(String name) {
            return metrics.getOrDefault(name, 0L);
        }
    }

    synchronized Reading read() {
        TreeMap<String, Long> sums = new TreeMap<>(finished);
        for (Map<Long, Long> task : running.values()) {
            task.forEach((id, value) -> {
                String name = names.get(id);
                if (name != null) {
                    sums.merge(name, value, Long::sum);
                }
            });
        }
        return new Reading(sums, unitsDone, attemptsFailed, rowsLost);
    }

    @Override
    public synchronized void onOtherEvent(SparkListenerEvent event) {
        if (event instanceof SparkListenerSQLExecutionStart start) {
            learn(start.sparkPlanInfo());
        } else if (event instanceof SparkListenerSQLAdaptiveExecutionUpdate update) {
            learn(update.sparkPlanInfo());
        }
    }

    private void learn(SparkPlanInfo plan) {
        if (plan.nodeName().startsWith(node)) {
            for (SQLMetricInfo metric : CollectionConverters.asJava(plan.metrics())) {
                if (!metric.metricType().equals("average")) {
                    names.put(metric.accumulatorId(), metric.name());
                }
            }
        }
        for (SparkPlanInfo child : CollectionConverters.asJava(plan.children())) {
            learn(child);
        }
    }

    @Override
    public synchronized void onExecutorMetricsUpdate(SparkListenerExecutorMetricsUpdate update) {
        for (var task : CollectionConverters.asJava(update.accumUpdates())) {
            Map<Long, Long> values = new HashMap<>();
            for (AccumulableInfo metric : CollectionConverters.asJava(task._4())) {
                put(values, metric);
            }
            running.put((Long) task._1(), values);
        }
    }

    @Override
    public synchronized void onTaskEnd(SparkListenerTaskEnd end) {
        Map<Long, Long> said = running.remove(end.taskInfo().taskId());
        Map<Long, Long> values = new HashMap<>();
        for (AccumulableInfo metric : CollectionConverters.asJava(end.taskInfo().accumulables())) {
            put(values, metric);
        }
        if (!end.taskInfo().successful()) {
            attemptsFailed++;
            rowsLost += Math.max(rows(values), said == null ? 0 : rows(said));
            return;
        }
        values.forEach((id, value) -> {
            String name = names.get(id);
            if (name != null) {
                finished.merge(name, value, Long::sum);
            }
        });
        if (end.taskMetrics() != null && end.taskMetrics().outputMetrics().recordsWritten() > 0) {
            unitsDone++;
            finished.merge("rows written", end.taskMetrics().outputMetrics().recordsWritten(), Long::sum);
        }
    }

    private long rows(Map<Long, Long> values) {
        return values.entrySet().stream()
                .filter(entry -> Metrics.ROWS.equals(names.get(entry.getKey())))
                .mapToLong(Map.Entry::getValue)
                .sum();
    }

    private static void put(Map<Long, Long> values, AccumulableInfo metric) {
        if (metric.update().isDefined() && metric.update().get() instanceof Number number) {
            values.put(metric.id(), number.longValue());
        } else if (metric.update().isDefined()) {
            // on a task's end Spark gives the values of SQL metrics as text
            try {
                values.put(metric.id(), Long.parseLong(metric.update().get().toString()));
            } catch (NumberFormatException e) {
                return;
            }
        }
    }
}
