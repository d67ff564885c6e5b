package dev.paloverde.udfs.arrow;

import org.apache.arrow.memory.BufferAllocator;

/** What a task gives to a function. */
public interface BatchContext {
    /** {@return where batches live; closed by the task, which checks that all of it was given back} */
    BufferAllocator allocator();

    /**
     * Counts something that the plan node shows. Confined to the task's thread.
     *
     * @param amount what to add, not negative
     */
    void count(BatchCounter counter, long amount);

    /**
     * Ends a wait when the task has been killed; to be called several times a second while waiting.
     *
     * @throws RuntimeException if it has been killed
     */
    void checkAlive();
}
