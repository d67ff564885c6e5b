package dev.paloverde.gpu.decode;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * Chooses how many tokens are proposed in a round, by what each choice has been measured to give: tokens in a second, for
 * each size of the batch. A batch that is full keeps the device busy without speculation; as it drains, speculation begins
 * to pay, and the choice changes by itself. What is behind is tried again now and then, the rarer the further behind.
 */
final class Pace {
    /** Of how many rounds one is a trial at first. */
    private static final int ROUNDS_TO_TRIAL = 96;

    private static final int LONGEST = 2048;
    /** Rounds of a trial; the first of them only warms up. */
    private static final int TRIAL = 3;
    /** How much of an estimate of tokens a new measurement replaces, at least: one round says little about the next. */
    private static final double NEW = 0.05;
    /** A round's time is the median of so many: what happens once (a device records a step of a new size) does not count. */
    private static final int RECENT = 8;
    /** Sizes from 2^i to 2^(i+1) - 1 are one. */
    private static final int SIZES = 20;

    /**
     * What to do in a round.
     *
     * @param tokens how many to propose
     * @param ahead whether to draft for the next round while these are verified
     */
    record Choice(int tokens, boolean ahead) {}

    private final Choice[] choices;
    private final Size[] sizes = new Size[SIZES];

    /** @param choices the first being tried first */
    Pace(List<Choice> choices) {
        this.choices = choices.toArray(Choice[]::new);
    }

    /** @param tokens numbers of tokens, drafted while the target waits */
    Pace(int... tokens) {
        this(Arrays.stream(tokens).mapToObj(count -> new Choice(count, false)).toList());
    }

    /**
     * Nothing, half of the tokens, or all of them, where speculation has to pay; all of them ahead or while the target waits,
     * since what runs beside it may slow it down by more than it saves.
     */
    static Pace of(Speculation speculation) {
        int tokens = speculation.tokens();
        boolean ahead = speculation.strategy() == Speculation.Strategy.SSD;
        if (speculation.pace() == Speculation.Pace.ALWAYS || speculation.rule() == Speculation.Rule.REJECTION) {
            return new Pace(List.of(new Choice(tokens, ahead)));
        }
        return new Pace(Stream.of(
                        new Choice(tokens, ahead),
                        new Choice(0, false),
                        new Choice((tokens + 1) / 2, ahead),
                        new Choice(tokens, false))
                .distinct()
                .toList());
    }

    /** {@return what to do in the next round} */
    Choice choose(int decoding) {
        return choices.length == 1 || decoding == 0
                ? choices[0]
                : choices[size(decoding).choose()];
    }

    /**
     * Takes down what the last choice for a size of batch gave.
     *
     * @param tokens chosen in the round
     * @param nanos that the round took, drafting included
     */
    void measured(int decoding, int tokens, long nanos) {
        if (choices.length > 1 && decoding > 0) {
            size(decoding).measured(tokens, nanos);
        }
    }

    private Size size(int decoding) {
        int index = Math.min(SIZES - 1, 31 - Integer.numberOfLeadingZeros(decoding));
        if (sizes[index] == null) {
            sizes[index] = new Size(choices.length);
        }
        return sizes[index];
    }

    private static final class Size {
        private final long[][] nanos;
        private final int[] measured;
        private final double[] tokens;
        private final long[] nextTrial;
        private final int[] wait;
        private long round;
        private int current;
        private int trialLeft = TRIAL;

        Size(int choices) {
            nanos = new long[choices][RECENT];
            measured = new int[choices];
            tokens = new double[choices];
            nextTrial = new long[choices];
            wait = new int[choices];
            Arrays.fill(wait, ROUNDS_TO_TRIAL);
        }

        int choose() {
            if (trialLeft > 0) {
                return current;
            }
            current = best();
            for (int choice = 0; choice < wait.length; choice++) {
                if (choice != current && round >= nextTrial[choice]) {
                    current = choice;
                    trialLeft = TRIAL;
                    return current;
                }
            }
            return current;
        }

        void measured(int roundTokens, long roundNanos) {
            round++;
            boolean trial = trialLeft > 0;
            trialLeft = Math.max(0, trialLeft - 1);
            if (trial && trialLeft == TRIAL - 1) {
                return;
            }
            nanos[current][measured[current]++ % RECENT] = roundNanos;
            tokens[current] += Math.max(NEW, 1.0 / measured[current]) * (roundTokens - tokens[current]);
            if (trial && trialLeft == 0) {
                boolean close = nanosPerToken(current) < 1.2 * nanosPerToken(best());
                wait[current] = close ? ROUNDS_TO_TRIAL : Math.min(LONGEST, 2 * wait[current]);
                nextTrial[current] = round + wait[current];
            }
        }

        private int best() {
            int best = 0;
            for (int choice = 1; choice < tokens.length; choice++) {
                if (nanosPerToken(choice) < nanosPerToken(best)) {
                    best = choice;
                }
            }
            return best;
        }

        private double nanosPerToken(int choice) {
            if (measured[choice] == 0) {
                return Double.POSITIVE_INFINITY;
            }
            long[] recent = Arrays.copyOf(nanos[choice], Math.min(RECENT, measured[choice]));
            Arrays.sort(recent);
            return recent[(recent.length - 1) / 2] / tokens[choice];
        }
    }
}
