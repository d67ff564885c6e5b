package dev.paloverde.gpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** The sizes that recordings are made for: enough for the batch, and few. */
class CudaStepSizesTest {
    private static StepBatch batch(int[] counts, int[] pages) {
        int[] starts = new int[counts.length + 1];
        for (int i = 0; i < counts.length; i++) {
            starts[i + 1] = starts[i] + counts[i];
        }
        int rows = starts[counts.length];
        return new StepBatch(
                new int[rows],
                new int[rows],
                starts,
                Arrays.stream(pages).mapToObj(int[]::new).toArray(int[][]::new));
    }

    @Property(tries = 300)
    void holdTheBatch(@ForAll @IntRange(min = 1, max = 300) int sequences, @ForAll long seed) {
        Random random = new Random(seed);
        int[] counts = random.ints(sequences, 1, 1 + (1 << random.nextInt(10))).toArray();
        int[] pages = random.ints(sequences, 1, 1 + (1 << random.nextInt(12))).toArray();
        CudaStep.Sizes sizes = CudaStep.Sizes.of(batch(counts, pages));
        assertThat(sizes.rows()).isGreaterThanOrEqualTo(Arrays.stream(counts).sum());
        assertThat(sizes.rows())
                .isLessThan(Math.max(9, 2 * Arrays.stream(counts).sum()));
        assertThat(sizes.sequences()).isGreaterThanOrEqualTo(sequences);
        assertThat(sizes.pages())
                .isGreaterThanOrEqualTo(Arrays.stream(pages).max().orElseThrow());
        assertThat(sizes.most())
                .isGreaterThanOrEqualTo(Math.min(32, Arrays.stream(counts).max().orElseThrow()));
        assertThat(sizes.few())
                .isGreaterThanOrEqualTo(Math.min(8, Arrays.stream(counts).sum()));
        for (int size : new int[] {sizes.rows(), sizes.sequences(), sizes.pages(), sizes.most(), sizes.few()}) {
            assertThat(Integer.bitCount(size)).isEqualTo(1);
        }
    }

    @Example
    void areFewWhileABatchDecodes() {
        Set<CudaStep.Sizes> seen = new HashSet<>();
        for (int sequences = 256; sequences > 0; sequences--) {
            int[] ones = IntStream.range(0, sequences).map(i -> 1).toArray();
            for (int pages = 32; pages < 48; pages++) {
                int length = pages;
                seen.add(CudaStep.Sizes.of(batch(
                        ones, IntStream.range(0, sequences).map(i -> length).toArray())));
            }
        }
        // rows of 1 to 256, sequences of 8 to 256, tables of 32 and 64 pages
        assertThat(seen).hasSize(18);
    }
}
