package dev.paloverde.gpu.decode.speculate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class FanOutTest {
    @Property(tries = 400)
    void noOtherAllocationMissesLess(
            @ForAll @DoubleRange(min = 0, max = 1) double acceptance,
            @ForAll @DoubleRange(min = 0, max = 1) double scale,
            @ForAll @DoubleRange(min = 0, max = 3) double exponent,
            @ForAll @DoubleRange(min = 0, max = 1) double bonusScale,
            @ForAll @IntRange(min = 0, max = 4) int tokens,
            @ForAll @IntRange(min = 0, max = 9) int budget) {
        MissCurve recovery = new MissCurve(scale, exponent);
        MissCurve bonus = new MissCurve(bonusScale, exponent / 2);
        int[] found = FanOut.geometric(acceptance, recovery, bonus, tokens, budget);
        assertThat(found).hasSize(tokens + 1);
        assertThat(Arrays.stream(found).sum()).isLessThanOrEqualTo(budget);
        double least = search(acceptance, recovery, bonus, new int[tokens + 1], 0, budget);
        assertThat(FanOut.miss(acceptance, recovery, bonus, found)).isCloseTo(least, within(1e-12));
    }

    private static double search(
            double acceptance, MissCurve recovery, MissCurve bonus, int[] guesses, int k, int left) {
        if (k == guesses.length) {
            return FanOut.miss(acceptance, recovery, bonus, guesses);
        }
        double least = Double.POSITIVE_INFINITY;
        for (guesses[k] = 0; guesses[k] <= left; guesses[k]++) {
            least = Math.min(least, search(acceptance, recovery, bonus, guesses, k + 1, left - guesses[k]));
        }
        guesses[k] = 0;
        return least;
    }

    /** F = 3.9 3.5 3.1 2.8 2.5 2.2 2.0 4.0 for a = .8, r = 1, K = 7, B = 24, which misses .316; uniformly it is 1/3. */
    @Test
    void isTheRoundedFormOfTheoremTwelve() {
        MissCurve curve = new MissCurve(1, 1);
        int[] found = FanOut.geometric(0.8, curve, curve, 7, 24);
        assertThat(found).containsExactly(4, 3, 3, 3, 3, 2, 2, 4);
        assertThat(FanOut.miss(0.8, curve, curve, found)).isBetween(0.316, 0.319);
        assertThat(FanOut.miss(0.8, curve, curve, FanOut.uniform(7, 3))).isCloseTo(1 / 3.0, within(1e-12));
        // .261 by the theorem, whose F^-r charges more than one miss for less than one guess; whole numbers do not
        assertThat(FanOut.miss(0.6, curve, curve, FanOut.geometric(0.6, curve, curve, 7, 24)))
                .isLessThan(0.261);
    }

    @Property(tries = 100)
    void aFitFindsTheCurveThatMadeTheRanks(
            @ForAll @DoubleRange(min = 0.05, max = 1) double scale,
            @ForAll @DoubleRange(min = 0.1, max = 2.5) double exponent) {
        MissCurve curve = new MissCurve(scale, exponent);
        double[] ranks = new double[16];
        for (int rank = 0; rank < ranks.length; rank++) {
            ranks[rank] = 1000 * (curve.miss(rank) - curve.miss(rank + 1));
        }
        MissCurve fitted = MissCurve.fit(ranks, 1000 * curve.miss(16));
        assertThat(fitted.scale()).isCloseTo(scale, within(1e-9));
        assertThat(fitted.exponent()).isCloseTo(exponent, within(1e-9));
    }

    @Test
    void aFitOfLittleIsNotAbsurd() {
        assertThat(MissCurve.fit(new double[16], 0).miss(1)).isEqualTo(0.5);
        assertThat(MissCurve.fit(new double[] {5, 0, 0}, 0).miss(1)).isZero();
        assertThat(MissCurve.fit(new double[] {0, 0, 0}, 5).miss(3)).isEqualTo(1);
        assertThat(MissCurve.fit(new double[] {3}, 1).miss(1)).isCloseTo(0.25, within(1e-12));
    }
}
