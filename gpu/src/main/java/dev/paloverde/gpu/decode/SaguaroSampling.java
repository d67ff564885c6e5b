package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.decode.speculate.FanOut;
import dev.paloverde.gpu.decode.speculate.MissCurve;
import java.util.Arrays;

/**
 * How a drafter draws where the rule is rejection (Kumar, Dao and May, arXiv 2603.03251, Definition 14): the weights of
 * the tokens that would be guessed as replacements are multiplied by a factor of at most 1. They are proposed less often,
 * and so are more often what replaces a rejected token, which is what was guessed. Who verifies uses the same law.
 *
 * <p>How many tokens are guessed depends on the place in the proposal and on nothing that is measured, so that a text does
 * not depend on what happened to others.
 */
final class SaguaroSampling {
    private static final double ACCEPTANCE = 0.8;
    private static final MissCurve MISSES = new MissCurve(0.5, 1);

    private final double factor;
    private final int[] guesses;

    SaguaroSampling(Speculation speculation) {
        this.factor = speculation.residual();
        this.guesses = speculation.spread() == Speculation.Spread.UNIFORM
                ? FanOut.uniform(speculation.tokens(), speculation.fanOut())
                : FanOut.geometric(
                        ACCEPTANCE,
                        MISSES,
                        MISSES,
                        speculation.tokens(),
                        speculation.fanOut() * (speculation.tokens() + 1));
    }

    /** {@return how many tokens are guessed where {@code k} are accepted, for k up to a number proposed} */
    int[] guesses(int proposed) {
        return Arrays.copyOf(guesses, proposed + 1);
    }

    /**
     * Makes a draft model's law the one to propose from.
     *
     * @param law probabilities; changed
     * @param index of the token in the proposal
     */
    void rescale(double[] law, int index) {
        int count = Math.min(guesses[index], law.length);
        if (factor == 1 || count == 0) {
            return;
        }
        double[] values = new double[count];
        int[] tokens = new int[count];
        int found = 0;
        for (int token = 0; token < law.length; token++) {
            if (law[token] > 0) {
                found = RowNoise.insert(law[token], token, values, tokens, found);
            }
        }
        double guessed = 0;
        for (int i = 0; i < found; i++) {
            guessed += values[i];
        }
        double mass = 1 - guessed + factor * guessed;
        if (found < count || mass < 1e-9) {
            // nothing else to propose
            return;
        }
        double sum = 0;
        for (int i = 0; i < found; i++) {
            law[tokens[i]] *= factor;
        }
        for (double weight : law) {
            sum += weight;
        }
        for (int token = 0; token < law.length; token++) {
            law[token] /= sum;
        }
    }
}
