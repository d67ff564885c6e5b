package dev.paloverde.pipelines.packing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.paloverde.pipelines.interleaved.SegmentKind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.ShrinkingMode;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;

/** What holds of cuts, plans and shuffles whatever goes in. */
class PackingPlanTest {
    private static final int CONTEXT = 24;

    @Provide
    Arbitrary<List<Run>> documents() {
        Arbitrary<Run> text = Arbitraries.integers().between(1, 70).map(length -> new Run(SegmentKind.TEXT, length));
        Arbitrary<Run> image =
                Arbitraries.integers().between(3, CONTEXT).map(length -> new Run(SegmentKind.IMAGE, length));
        return Arbitraries.oneOf(text, image).list().ofMaxSize(12);
    }

    @Provide
    Arbitrary<long[]> histograms() {
        Arbitrary<Long> count = Arbitraries.frequencyOf(
                net.jqwik.api.Tuple.of(3, Arbitraries.just(0L)),
                net.jqwik.api.Tuple.of(3, Arbitraries.longs().between(0, 9)),
                net.jqwik.api.Tuple.of(1, Arbitraries.longs().between(0, 400)));
        return count.list().ofMinSize(2).ofMaxSize(60).map(list -> {
            long[] counts = LongStream.concat(LongStream.of(0), list.stream().mapToLong(Long::longValue))
                    .toArray();
            return counts;
        });
    }

    @Property(tries = 1000)
    void piecesAreTheDocumentAndNoBlockIsDivided(@ForAll("documents") List<Run> runs) {
        List<Integer> ends = Run.cuts(runs, CONTEXT);
        int length = runs.stream().mapToInt(Run::length).sum();
        assertThat(ends.isEmpty() ? 0 : ends.get(ends.size() - 1)).isEqualTo(length);
        BitSet inner = new BitSet();
        int at = 0;
        for (Run run : runs) {
            if (run.kind().isVisual()) {
                inner.set(at + 1, at + run.length());
            }
            at += run.length();
        }
        List<Run> again = new ArrayList<>();
        int begin = 0;
        for (int end : ends) {
            assertThat(end - begin).isBetween(1, CONTEXT);
            assertThat(inner.get(end))
                    .as("a cut within a block, at %d of %s", end, runs)
                    .isFalse();
            List<Run> part = Run.part(runs, begin, end);
            assertThat(part.stream().mapToInt(Run::length).sum()).isEqualTo(end - begin);
            again.addAll(part);
            begin = end;
        }
        assertThat(again.stream().mapToInt(Run::visual).sum())
                .isEqualTo(runs.stream().mapToInt(Run::visual).sum());
        if (runs.stream().noneMatch(run -> run.kind().isVisual()) && length > 0) {
            assertThat(ends).hasSize((length + CONTEXT - 1) / CONTEXT);
        }
    }

    @Property(tries = 500)
    void attendedIsWhatTheMaskSays(@ForAll("documents") List<Run> runs) {
        int length = runs.stream().mapToInt(Run::length).sum();
        int[] blocks = new int[length];
        Arrays.fill(blocks, -1);
        int at = 0;
        for (int i = 0; i < runs.size(); i++) {
            if (runs.get(i).kind().isVisual()) {
                Arrays.fill(blocks, at + 1, at + runs.get(i).length() - 1, i);
            }
            at += runs.get(i).length();
        }
        long seen = 0;
        for (int i = 0; i < length; i++) {
            for (int j = 0; j < length; j++) {
                seen += j <= i || blocks[i] >= 0 && blocks[i] == blocks[j] ? 1 : 0;
            }
        }
        assertThat(Run.attended(runs)).isEqualTo(seen);
    }

    @Property(tries = 300, shrinking = ShrinkingMode.OFF)
    void everyPieceHasASlotOfItsOwnAndNoSequenceOverflows(@ForAll("histograms") long[] counts) {
        BestFit plan = BestFit.of(counts);
        int context = counts.length - 1;
        Map<Long, Integer> used = new TreeMap<>();
        Map<Long, BitSet> slots = new TreeMap<>();
        for (int length = 1; length <= context; length++) {
            for (long rank = 0; rank < counts[length]; rank++) {
                long sequence = plan.sequence(length, rank);
                assertThat(sequence).isBetween(0L, plan.sequences() - 1);
                used.merge(sequence, length, Integer::sum);
                BitSet taken = slots.computeIfAbsent(sequence, key -> new BitSet());
                int slot = plan.slot(length, rank);
                assertThat(taken.get(slot))
                        .as("slot %d of %d twice", slot, sequence)
                        .isFalse();
                taken.set(slot);
            }
        }
        assertThat(used.values()).allMatch(total -> total <= context);
        assertThat(used).hasSize((int) plan.sequences());
        assertThat(slots.values()).allMatch(taken -> taken.nextClearBit(0) == taken.cardinality());
        long positions = used.values().stream().mapToLong(Integer::longValue).sum();
        assertThat(plan.padding()).isEqualTo(plan.sequences() * context - positions);
    }

    /** The text-book algorithm, one piece after another. */
    @Property(tries = 300, shrinking = ShrinkingMode.OFF)
    void sequencesAreFilledAsByOnePieceAfterAnother(@ForAll("histograms") long[] counts) {
        int context = counts.length - 1;
        List<Integer> rooms = new ArrayList<>();
        for (int length = context; length > 0; length--) {
            for (long i = 0; i < counts[length]; i++) {
                int best = -1;
                for (int bin = 0; bin < rooms.size(); bin++) {
                    if (rooms.get(bin) >= length && (best < 0 || rooms.get(bin) < rooms.get(best))) {
                        best = bin;
                    }
                }
                if (best < 0) {
                    rooms.add(context - length);
                } else {
                    rooms.set(best, rooms.get(best) - length);
                }
            }
        }
        BestFit plan = BestFit.of(counts);
        long[] planned = new long[(int) plan.sequences()];
        Arrays.fill(planned, context);
        for (int length = 1; length <= context; length++) {
            for (long rank = 0; rank < counts[length]; rank++) {
                planned[(int) plan.sequence(length, rank)] -= length;
            }
        }
        assertThat(LongStream.of(planned).sorted().toArray())
                .isEqualTo(rooms.stream().mapToLong(Integer::longValue).sorted().toArray());
    }

    @Test
    void aPlanOfManyPiecesIsSmallAndSoonMade() {
        int context = 8192;
        long[] counts = new long[context + 1];
        for (int length = 1; length <= context; length++) {
            counts[length] = 1_000_000_000L / length;
        }
        counts[context] = 5_000_000_000L;
        BestFit plan = BestFit.of(counts);
        assertThat((double) plan.padding() / plan.sequences() / context).isLessThan(1e-4);
        assertThat(plan.sequence(context, counts[context] - 1)).isEqualTo(counts[context] - 1);
        assertThat(plan.sequence(1, counts[1] - 1)).isLessThan(plan.sequences());
    }

    @Property(tries = 200)
    void aShuffleIsAPermutation(@ForAll @IntRange(max = 3000) int size, @ForAll long seed) {
        Shuffle shuffle = new Shuffle(size, seed);
        int[] sorted =
                IntStream.range(0, size).map(i -> (int) shuffle.at(i)).sorted().toArray();
        assertThat(sorted).isEqualTo(IntStream.range(0, size).toArray());
    }

    @Property(tries = 200)
    void aLargeShuffleStaysBelowItsSize(
            @ForAll @LongRange(min = 1) long size, @ForAll @LongRange(min = 0) long number) {
        long bounded = Math.max(1, size >>> 2);
        assertThat(new Shuffle(bounded, 3).at(number % bounded)).isBetween(0L, bounded - 1);
    }

    @Test
    void aShuffleFollowsItsSeedAndMixes() {
        Shuffle one = new Shuffle(1000, 1);
        Shuffle two = new Shuffle(1000, 2);
        assertThat(IntStream.range(0, 1000).filter(i -> one.at(i) == two.at(i))).hasSizeLessThan(20);
        assertThat(IntStream.range(0, 999).filter(i -> one.at(i) + 1 == one.at(i + 1)))
                .hasSizeLessThan(20);
        assertThat(IntStream.range(0, 500).filter(i -> one.at(i) < 500)).hasSizeBetween(200, 300);
    }
}
