package dev.paloverde.pipelines.corpus;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.Serializable;

/**
 * Whether texts that share a bucket are looked at before they are held to be alike.
 *
 * @param method how
 * @param similarity the least Jaccard similarity of two texts that are alike, 0 to 1
 * @param centres with how many of a bucket's members, those of least key, each of the others is compared, at least 1
 */
public record Verification(Method method, double similarity, int centres) implements Serializable {
    /** With how many members of a bucket the others are compared, where nobody says. */
    public static final int STANDARD_CENTRES = 16;

    /** Ways to compare two texts. */
    public enum Method {
        /** Texts that share a bucket are alike. */
        NONE,
        /** By their MinHash signatures. */
        ESTIMATE,
        /** By their sets of n-grams. */
        EXACT
    }

    public Verification {
        if (!(similarity >= 0 && similarity <= 1) || centres < 1) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "a similarity of %s with %d centres: the one is a number from 0 to 1, the other at least 1"
                            .formatted(similarity, centres));
        }
    }

    /** {@return no look at all} */
    public static Verification none() {
        return new Verification(Method.NONE, 0, 1);
    }

    /** {@return a comparison with the standard number of centres} */
    public static Verification of(Method method, double similarity) {
        return new Verification(method, similarity, STANDARD_CENTRES);
    }
}
