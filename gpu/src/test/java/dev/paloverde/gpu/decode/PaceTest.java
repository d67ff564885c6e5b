package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** By measured costs alone the right choice is found, for each size of the batch, and again when costs change. */
class PaceTest {
    private static final int TOKENS = 6;
    private static final Speculation SPECULATION = Speculation.of(
                    Speculation.Strategy.SPECULATIVE, Speculation.Drafting.MODEL)
            .tokens(TOKENS);

    /** A device whose step takes a microsecond, and more when it has more than 64 rows; and a drafter of a tenth. */
    private static final class Device {
        private final Random random = new Random(1);
        private final double acceptance;
        private double nanos;
        private double tokens;

        Device(double acceptance) {
            this.acceptance = acceptance;
        }

        void round(Pace pace, int sequences) {
            Pace.Choice choice = pace.choose(sequences);
            int proposed = choice.tokens();
            int chosen = 0;
            for (int i = 0; i < sequences; i++) {
                int accepted = 0;
                while (accepted < proposed && random.nextDouble() < acceptance) {
                    accepted++;
                }
                chosen += accepted + 1;
            }
            int rows = sequences * (1 + proposed);
            double time = (1000 * Math.max(1, rows / 64.0) + 100 * proposed) * (0.9 + 0.2 * random.nextDouble());
            pace.measured(sequences, choice, chosen, (long) time);
            nanos += time;
            tokens += chosen;
        }

        double nanosPerToken(Pace pace, int sequences, int rounds) {
            nanos = 0;
            tokens = 0;
            for (int i = 0; i < rounds; i++) {
                round(pace, sequences);
            }
            return nanos / tokens;
        }
    }

    @Test
    void aFullBatchIsDecodedPlainlyAndASmallOneIsNot() {
        Pace pace = Pace.of(SPECULATION);
        Device device = new Device(0.8);
        for (int sequences : new int[] {64, 32, 2, 1, 64}) {
            double best = Double.POSITIVE_INFINITY;
            for (int tokens : new int[] {0, 3, 6}) {
                best = Math.min(best, new Device(0.8).nanosPerToken(new Pace(tokens), sequences, 4000));
            }
            device.nanosPerToken(pace, sequences, 100);
            assertThat(device.nanosPerToken(pace, sequences, 4000))
                    .as("%d sequences", sequences)
                    .isLessThan(1.03 * best);
        }
        assertThat(device.nanosPerToken(pace, 1, 1000)).isLessThan(1000 / 2.0);
    }

    @Test
    void whereNoTokenIsAcceptedSpeculationIsGivenUp() {
        Pace pace = Pace.of(SPECULATION);
        Device device = new Device(0);
        device.nanosPerToken(pace, 4, 200);
        assertThat(device.nanosPerToken(pace, 4, 4000)).isLessThan(1.03 * 1000 / 4);
    }

    @Test
    void itIsTakenUpAgainWhenItPays() {
        Pace pace = Pace.of(SPECULATION);
        new Device(0).nanosPerToken(pace, 1, 3000);
        new Device(0.95).nanosPerToken(pace, 1, 5000);
        assertThat(new Device(0.95).nanosPerToken(pace, 1, 1000)).isLessThan(400);
    }

    /** What runs beside the target slows it down by a half, or by a twentieth; drafting in its stead takes a fifth. */
    @ParameterizedTest
    @CsvSource({"1500, false", "1050, true"})
    void draftingAheadHasToPayToo(long besideNanos, boolean pays) {
        Pace pace = Pace.of(Speculation.of(Speculation.Strategy.SSD, Speculation.Drafting.MODEL)
                .tokens(TOKENS));
        int ahead = 0;
        int rounds = 3000;
        for (int round = 0; round < rounds; round++) {
            Pace.Choice choice = pace.choose(2);
            long draft = choice.ahead() ? 0 : 33 * choice.tokens();
            pace.measured(2, choice, 2 * (1 + choice.tokens() / 2), draft + (choice.ahead() ? besideNanos : 1000));
            ahead += choice.ahead() ? 1 : 0;
        }
        assertThat(ahead > 0.9 * rounds).isEqualTo(pays);
        assertThat(ahead < 0.1 * rounds).isNotEqualTo(pays);
    }

    /** A device that records a step when it comes the second time, and again for other sizes. */
    @Test
    void whatHappensOnceDoesNotDecide() {
        Pace pace = Pace.of(SPECULATION);
        int[] seen = new int[TOKENS + 1];
        int best = 0;
        for (int round = 0; round < 400; round++) {
            Pace.Choice choice = pace.choose(1);
            int tokens = choice.tokens();
            boolean once = ++seen[tokens] == 2 || seen[tokens] == 5;
            pace.measured(1, choice, 1 + tokens * 2 / 3, once ? 30_000 : 1000 + 80 * tokens);
            best += tokens == TOKENS ? 1 : 0;
        }
        assertThat(best).isGreaterThan(340);
    }

    /** Short lives too: a partition of texts that end one after another is slower by 3% at most, but for luck in acceptance. */
    @ParameterizedTest
    @CsvSource({"0.8, 100", "0.6, 400", "0.3, 100", "0.9, 1200", "0, 600"})
    void drainingCostsNoMoreThanPlainDecoding(double acceptance, int draftNanos) {
        double lost = 0;
        int seeds = 20;
        for (int seed = 0; seed < seeds; seed++) {
            Random random = new Random(seed);
            int[] lengths = new int[96];
            for (int i = 0; i < lengths.length; i++) {
                lengths[i] = (int) Math.min(700, 24 / Math.pow(1 - random.nextDouble(), 1 / 1.1));
            }
            double plain = drain(new Pace(0), lengths, acceptance, draftNanos);
            double paced = drain(Pace.of(SPECULATION), lengths, acceptance, draftNanos);
            lost += paced / plain - 1;
            assertThat(paced).as("seed %d", seed).isLessThan(1.05 * plain);
        }
        assertThat(lost / seeds).isLessThan(0.03);
    }

    /** {@return how long texts of such lengths take, all begun at once; tokens cost with the batch, proposals with their number} */
    private static double drain(Pace pace, int[] lengths, double acceptance, int draftNanos) {
        Random random = new Random(3);
        int[] left = lengths.clone();
        double nanos = 0;
        while (true) {
            int[] live = Arrays.stream(left).filter(tokens -> tokens > 0).toArray();
            if (live.length == 0) {
                return nanos;
            }
            Pace.Choice choice = pace.choose(live.length);
            int chosen = 0;
            for (int i = 0; i < left.length; i++) {
                int accepted = 0;
                while (left[i] > 0 && accepted < choice.tokens() && random.nextDouble() < acceptance) {
                    accepted++;
                }
                chosen += left[i] > 0 ? accepted + 1 : 0;
                left[i] -= accepted + 1;
            }
            int rows = live.length * (1 + choice.tokens());
            double time = 1000 * Math.max(1, rows / 64.0) + draftNanos * choice.tokens();
            pace.measured(live.length, choice, chosen, (long) time);
            nanos += time;
        }
    }

    /** Others use the machine for a while: that makes no choice look better than it is for long. */
    @Test
    void aMachineThatIsSlowAtTimesDoesNotDecide() {
        for (int seed = 0; seed < 20; seed++) {
            Random random = new Random(seed);
            Pace pace = Pace.of(SPECULATION);
            double plain = 0;
            double paced = 0;
            double slow = 1;
            for (int round = 0; round < 3000; round++) {
                if (random.nextInt(60) == 0) {
                    slow = 1 + 3 * random.nextDouble();
                }
                Pace.Choice choice = pace.choose(16);
                int tokens = 16 * (1 + choice.tokens() / 2);
                double nanos = slow * (1000 + 700 * choice.tokens()) * (0.8 + 0.4 * random.nextDouble());
                pace.measured(16, choice, tokens, (long) nanos);
                paced += nanos / slow;
                plain += 1000.0 * tokens / 16;
            }
            assertThat(paced).as("seed %d", seed).isLessThan(1.05 * plain);
        }
    }

    /** A plain step may be chosen while one before it is under way; what that one gives is not taken for the trial's. */
    @Test
    void roundsThatOverlapAreToldApart() {
        Pace pace = Pace.of(SPECULATION);
        Pace.Choice before = pace.choose(64);
        for (int round = 0; round < 3000; round++) {
            Pace.Choice next = pace.choose(64);
            pace.measured(64, before, 64 * (1 + before.tokens() / 3), before.tokens() == 0 ? 1000 : 5000);
            before = next;
        }
        assertThat(before.tokens()).isZero();
    }

    @Test
    void alwaysMeansAlwaysAndRejectionLeavesNoChoice() {
        Pace always = Pace.of(SPECULATION.pace(Speculation.Pace.ALWAYS));
        Pace rejection = Pace.of(SPECULATION.rejection(1));
        for (int round = 0; round < 300; round++) {
            assertThat(always.choose(5).tokens()).isEqualTo(TOKENS);
            assertThat(rejection.choose(5).tokens()).isEqualTo(TOKENS);
            always.measured(5, always.choose(5), 5, 1_000_000);
            rejection.measured(5, rejection.choose(5), 5, 1_000_000);
        }
    }

    /** The first draft of each of two sizes is recorded, which takes thirty times as long. */
    @Test
    void theFallbackForgetsWhatHappensOnce() {
        FallbackChoice choice = new FallbackChoice(SPECULATION.fallback(Speculation.Fallback.MEASURED));
        int asked = 0;
        for (int round = 0; round < 100; round++) {
            boolean draft = choice.draft(1, 0);
            if (draft) {
                choice.drafted(asked++ < 2 ? 30_000 : 500);
            }
            choice.verified(1000);
            choice.brought(draft, draft ? 3 : 1);
        }
        assertThat(asked).isGreaterThan(90);
    }

    @Test
    void theFallbackIsTheOneThatGivesMoreTokensInASecond() {
        // the drafter takes as long as a step and brings four tokens, a lookup brings two
        FallbackChoice choice = new FallbackChoice(SPECULATION.fallback(Speculation.Fallback.MEASURED));
        int[] asked = new int[2];
        for (int round = 0; round < 4000; round++) {
            // alone, four tokens in two units are as many as two in one; with 15 others that wait, they are fewer
            int others = round % 2 == 0 ? 0 : 15;
            boolean draft = choice.draft(1, others);
            if (round > 1000) {
                asked[round % 2] += draft ? 1 : 0;
            }
            if (draft) {
                choice.drafted(900);
            }
            choice.verified(1000);
            choice.brought(draft, draft ? 4 : 2);
            if (others > 0) {
                choice.broughtWithout(4);
            }
        }
        assertThat(asked[0]).isGreaterThan(1350);
        assertThat(asked[1]).isLessThan(150).isPositive();
    }
}
