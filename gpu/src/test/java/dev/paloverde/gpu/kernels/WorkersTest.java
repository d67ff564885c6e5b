package dev.paloverde.gpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import net.jqwik.api.Example;

class WorkersTest {
    @Example
    void runsEveryTaskOnce() {
        try (Workers workers = new Workers(4)) {
            for (int run = 0; run < 2000; run++) {
                int[] counts = new int[run % 40];
                workers.run(counts.length, (index, scratch) -> counts[index]++);
                assertThat(Arrays.stream(counts).allMatch(count -> count == 1)).isTrue();
                if (run % 500 == 0) {
                    LockSupport.parkNanos(20_000_000); // long enough for the crew to fall asleep
                }
            }
        }
    }

    @Example
    void throwsWhatATaskThrewAndGoesOn() {
        try (Workers workers = new Workers(3)) {
            assertThatThrownBy(() -> workers.run(50, (index, scratch) -> {
                        if (index == 17) {
                            throw new IllegalStateException("task 17");
                        }
                    }))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage("task 17");
            assertThatThrownBy(() -> workers.run(5, (index, scratch) -> {
                        throw new StackOverflowError();
                    }))
                    .isInstanceOf(StackOverflowError.class);
            Set<Integer> done = ConcurrentHashMap.newKeySet();
            workers.run(50, (index, scratch) -> done.add(index));
            assertThat(done).hasSize(50);
        }
    }

    @Example
    void noMoreThreadsHelpThanAreAllowed() {
        try (Workers workers = new Workers(4)) {
            for (int most : new int[] {2, 1, 4, 3, 9, 0}) {
                workers.limit(most);
                Set<Thread> seen = ConcurrentHashMap.newKeySet();
                for (int run = 0; run < 30; run++) {
                    workers.run(16, (index, scratch) -> {
                        seen.add(Thread.currentThread());
                        LockSupport.parkNanos(50_000);
                    });
                }
                assertThat(seen).as("limit %d", most).hasSize(Math.max(1, Math.min(most, 4)));
            }
        }
    }

    @Example
    void leavesNoThreadBehind() {
        Workers workers = new Workers(3);
        assertThat(workers.alive()).isEqualTo(2);
        workers.run(9, (index, scratch) -> {});
        workers.close();
        assertThat(workers.alive()).isZero();
    }
}
