package dev.paloverde.gpu.kernels;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/**
 * A fixed crew: the calling thread and {@code threads - 1} daemon threads share the tasks of one run at a time. Which
 * thread does which task is left to chance, so a task writes only what is its own. With one thread nothing is started
 * and tasks run in order.
 */
final class Workers implements AutoCloseable {
    /** How often a worker looks for work before it sleeps; kernels of one step follow each other within microseconds. */
    private static final int LOOKS_BEFORE_SLEEP = 4096;

    private static final AtomicInteger CREWS = new AtomicInteger();

    /** One piece of a run. */
    interface Task {
        void run(int index, Scratch scratch);
    }

    private final Scratch callers = new Scratch();
    private final Thread[] threads;
    private volatile Run current = new Run(0, (index, scratch) -> {}, 0);
    private int most;
    private volatile boolean closed;

    Workers(int count) {
        threads = new Thread[count - 1];
        most = count;
        int crew = CREWS.incrementAndGet();
        for (int i = 0; i < threads.length; i++) {
            int number = i;
            threads[i] = new Thread(() -> work(number), "paloverde-cpu-" + crew + "-" + (i + 1));
            threads[i].setDaemon(true);
            threads[i].start();
        }
    }

    /** {@return how many threads share the tasks, the caller's included} */
    int count() {
        return threads.length + 1;
    }

    /** Lets tasks be shared by no more than so many threads from now on, the caller's included. */
    void limit(int count) {
        most = Math.max(1, Math.min(count, count()));
    }

    /** {@return how many threads of its own are running} */
    int alive() {
        return (int) Arrays.stream(threads).filter(Thread::isAlive).count();
    }

    /** {@return the calling thread's scratch memory} */
    Scratch scratch() {
        return callers;
    }

    /** Runs tasks 0 to {@code tasks - 1}; returns when all are done, and throws what the first that failed threw. */
    void run(int tasks, Task task) {
        int helpers = Math.min(most, tasks) - 1;
        if (helpers <= 0) {
            for (int i = 0; i < tasks; i++) {
                task.run(i, callers);
            }
            return;
        }
        Run run = new Run(tasks, task, most - 1);
        current = run;
        for (int i = 0; i < helpers; i++) {
            LockSupport.unpark(threads[i]);
        }
        run.help(callers);
        run.await();
    }

    private void work(int number) {
        Scratch scratch = new Scratch();
        Run last = null;
        int looks = 0;
        while (!closed) {
            Run run = current;
            if (run != last) {
                if (number < run.helpers) {
                    run.help(scratch);
                }
                last = run;
                looks = 0;
            } else if (++looks < LOOKS_BEFORE_SLEEP) {
                Thread.onSpinWait();
            } else {
                LockSupport.park(this);
                looks = 0;
            }
        }
    }

    /** Ends the threads; no run is in progress. */
    @Override
    public void close() {
        closed = true;
        for (Thread thread : threads) {
            LockSupport.unpark(thread);
        }
        boolean interrupted = false;
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static final class Run {
        private final int tasks;
        private final Task task;
        private final int helpers;
        private final AtomicInteger next = new AtomicInteger();
        private final AtomicInteger done = new AtomicInteger();
        private final AtomicReference<Throwable> failure = new AtomicReference<>();

        Run(int tasks, Task task, int helpers) {
            this.tasks = tasks;
            this.task = task;
            this.helpers = helpers;
        }

        void help(Scratch scratch) {
            for (int i = next.getAndIncrement(); i < tasks; i = next.getAndIncrement()) {
                try {
                    task.run(i, scratch);
                } catch (RuntimeException | Error e) {
                    failure.compareAndSet(null, e);
                } finally {
                    done.incrementAndGet();
                }
            }
        }

        void await() {
            for (int looks = 0; done.get() < tasks; looks++) {
                if (looks < LOOKS_BEFORE_SLEEP) {
                    Thread.onSpinWait();
                } else {
                    Thread.yield();
                }
            }
            Throwable thrown = failure.get();
            if (thrown instanceof Error error) {
                throw error;
            }
            if (thrown != null) {
                throw (RuntimeException) thrown;
            }
        }
    }
}
