package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.Arrays;
import java.util.BitSet;

/** The log-probabilities of a text, filled in any order, each from one window only. */
final class Scores {
    private final float[] logProbabilities;
    private final BitSet best = new BitSet();
    private final int windows;

    Scores(int count, int windows) {
        this.logProbabilities = new float[count];
        this.windows = windows;
        Arrays.fill(logProbabilities, Float.NaN);
    }

    void put(int index, float logProbability, boolean mostLikely) {
        if (Float.isNaN(logProbability)) {
            throw new PaloverdeException(
                    ErrorCode.NOT_A_NUMBER,
                    ("the log-probability of token %d is not a number; look for NaN or infinite weights, or for"
                                    + " activations beyond the range of the data type")
                            .formatted(index + 1));
        }
        logProbabilities[index] = logProbability;
        best.set(index, mostLikely);
    }

    Scoring result() {
        return new Scoring(logProbabilities, best.cardinality(), windows);
    }
}
