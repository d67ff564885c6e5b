package dev.paloverde.gpu.decode;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The sequences of a step that decode, and how many tokens there is room to propose to each.
 *
 * @param sequences in the order of the step
 * @param counts [sequences] from 0 on
 */
record Round(List<GenerationSequence> sequences, int[] counts) {
    static Round of(List<Slice> slices) {
        List<GenerationSequence> sequences = new ArrayList<>();
        List<Integer> counts = new ArrayList<>();
        for (Slice slice : slices) {
            if (slice.sequence() instanceof GenerationSequence sequence && sequence.decoding()) {
                sequences.add(sequence);
                counts.add(slice.count() - 1);
            }
        }
        return of(sequences, counts);
    }

    static Round of(List<GenerationSequence> sequences, List<Integer> counts) {
        return new Round(sequences, counts.stream().mapToInt(Integer::intValue).toArray());
    }

    /** {@return the step with as many rows for each of these sequences as it has tokens} */
    static List<Slice> fit(List<Slice> slices) {
        List<Slice> fitted = new ArrayList<>();
        for (Slice slice : slices) {
            boolean decoding = slice.sequence() instanceof GenerationSequence sequence && sequence.decoding();
            fitted.add(
                    decoding
                            ? new Slice(
                                    slice.sequence(),
                                    slice.first(),
                                    1 + ((GenerationSequence) slice.sequence()).proposed())
                            : slice);
        }
        return fitted;
    }

    /** {@return whether there is room to propose anything} */
    boolean asks() {
        return Arrays.stream(counts).anyMatch(count -> count > 0);
    }

    int size() {
        return counts.length;
    }
}
