package dev.paloverde.udfs.text;

import java.util.LinkedHashSet;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The tasks that have rows for an engine, in the order in which they began. The first of them hands over as much as its
 * memory allows, the others what keeps the engine's places filled.
 *
 * <p>An engine takes rows in the order in which they come. Tasks that begin together and hand over all they have side by
 * side would also end together, and while all of them write their results and fetch new rows, the engine would have none.
 * As it is, one task's rows are done before another's, and whoever ends leaves the engine with the work of those that
 * came after.
 */
public final class Feeders {
    private static final ConcurrentHashMap<Object, Feeders> ALL = new ConcurrentHashMap<>();

    private final LinkedHashSet<Object> tasks = new LinkedHashSet<>();

    /** {@return those of the engine that a specification names} */
    public static Feeders of(Object spec) {
        return ALL.computeIfAbsent(spec, key -> new Feeders());
    }

    /** Puts a task at the end, if it is not there. */
    synchronized void join(Object task) {
        tasks.add(task);
    }

    /** {@return whether no task that began before has rows left} */
    synchronized boolean isFirst(Object task) {
        return !tasks.isEmpty() && tasks.iterator().next() == task;
    }

    /** Takes a task out that has handed over its last row, or has ended. */
    synchronized void leave(Object task) {
        tasks.remove(task);
    }
}
