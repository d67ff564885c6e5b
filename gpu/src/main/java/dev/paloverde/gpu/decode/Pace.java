package dev.paloverde.gpu.decode;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Chooses how many tokens are proposed in a round, by what each choice has been measured to give: tokens in a second, for
 * each size of the batch. A batch that is full keeps the device busy without speculation; as it drains, speculation begins
 * to pay, and the choice changes by itself.
 *
 * <p>What is behind is tried again now and then, but no more than pays for being sure: all trials together may lose less than a
 * hundredth of the time. How many tokens a sequence gets from a choice is taken to be the same in every batch; how long a
 * round takes is measured for each size, and before that guessed from the nearest size where it was. Times are taken
 * beside those of the rounds around them, since a machine that others use is not as fast at all times.
 */
final class Pace {
    /** What trials may cost of all time, as far as it is known beforehand. */
    private static final double SHARE = 0.007;
    /** Rounds after which a choice is tried again, at the earliest. */
    private static final int ROUNDS_TO_TRIAL = 96;
    /** Sequences that a trial counts in all its rounds together, and the fewest rounds; another before them only warms up. */
    private static final int TRIAL_SEQUENCES = 8;

    private static final int TRIAL_ROUNDS = 2;
    /** A trial ends at once when a token takes so many times as long as with the best choice. */
    private static final double HOPELESS = 1.3;
    /** So many rounds of the best choice follow a trial, and it does not count if they are so many times faster or slower. */
    private static final int SETTLING = 3;

    private static final double STEADY = 1.25;
    /** A batch of so many is expected to gain from speculation, and a larger one to lose, until something is measured. */
    private static final int FEW = 4;
    /** How much of an estimate of tokens one more sequence replaces, at least: one says little about the next. */
    private static final double NEW = 0.02;
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
    private final double[] tokens;
    private final long[] sequences;
    private double nanos;
    private double lost;

    /** @param choices the first being what few sequences begin with */
    Pace(List<Choice> choices) {
        this.choices = choices.toArray(Choice[]::new);
        this.tokens = new double[this.choices.length];
        this.sequences = new long[this.choices.length];
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
                : choices[size(decoding).choose(decoding)];
    }

    /**
     * Takes down what a round gave. Where rounds overlap, others may have been chosen since.
     *
     * @param choice what was chosen for it
     * @param tokens chosen in the round
     * @param nanos that the round took, drafting included
     */
    void measured(int decoding, Choice choice, int tokens, long nanos) {
        if (choices.length > 1 && decoding > 0) {
            size(decoding).measured(decoding, List.of(choices).indexOf(choice), tokens, nanos);
        }
    }

    private Size size(int decoding) {
        int index = Math.min(SIZES - 1, 31 - Integer.numberOfLeadingZeros(decoding));
        if (sizes[index] == null) {
            sizes[index] = new Size(index);
        }
        return sizes[index];
    }

    /** {@return the other sizes that were ever met, the nearest first, and of two as near the larger one} */
    private Stream<Size> neighbours(int index) {
        return IntStream.range(0, SIZES)
                .filter(other -> other != index && sizes[other] != null)
                .boxed()
                .sorted(Comparator.<Integer>comparingInt(other -> Math.abs(other - index))
                        .thenComparing(Comparator.reverseOrder()))
                .map(other -> sizes[other]);
    }

    private void count(int choice, int sequencesNow, int tokensNow) {
        sequences[choice] += sequencesNow;
        double share = Math.max(1 - Math.pow(1 - NEW, sequencesNow), sequencesNow / (double) sequences[choice]);
        tokens[choice] += share * (tokensNow / (double) sequencesNow - tokens[choice]);
    }

    /** What is known of batches of about the same size. */
    private final class Size {
        private final int index;
        /** How long rounds took in trials, over how slow the machine was around them. */
        private final double[][] recent = new double[choices.length][RECENT];

        private final int[] measured = new int[choices.length];
        /** How long other rounds took, over what they took in trials: how slow the machine is. */
        private final double[] drifts = new double[SETTLING];

        private int drifted;
        private final long[] nextTrial = new long[choices.length];
        private long round;
        private Trial trial;

        Size(int index) {
            this.index = index;
        }

        int choose(int decoding) {
            int best = best();
            if (trial == null && best < 0) {
                trial = new Trial(first(decoding), decoding);
            } else if (trial == null) {
                int due = due(best);
                if (due >= 0 && lost + drift() * expectedLoss(due, best, decoding) <= SHARE * nanos) {
                    trial = new Trial(due, decoding);
                }
            }
            return trial == null || trial.left == 0 ? best : trial.choice;
        }

        /** {@return the choice to begin with: what is best at the nearest size} */
        private int first(int decoding) {
            Optional<Integer> known =
                    neighbours(index).map(Size::best).filter(best -> best >= 0).findFirst();
            if (known.isPresent() || decoding <= FEW) {
                return known.orElse(0);
            }
            return IntStream.range(0, choices.length)
                    .filter(choice -> choices[choice].tokens() == 0)
                    .findFirst()
                    .orElse(0);
        }

        /** {@return the choice that has waited longest for a trial, if its time has come; -1 if none has} */
        private int due(int best) {
            int due = -1;
            for (int choice = 0; choice < choices.length; choice++) {
                if (choice != best && round >= nextTrial[choice] && (due < 0 || nextTrial[choice] < nextTrial[due])) {
                    due = choice;
                }
            }
            return due;
        }

        /**
         * What a trial is going to lose, in nanoseconds. A choice that was never tried anywhere is expected to lose nothing
         * where there are few sequences; where there are many, its rounds to take as long as if no token shared a step.
         */
        private double expectedLoss(int choice, int best, int decoding) {
            int rounds = Trial.rounds(decoding);
            double guessed = nanos(choice);
            if (Double.isNaN(guessed)) {
                guessed = neighbours(index)
                        .map(size -> nanos(best) * size.nanos(choice) / size.nanos(best))
                        .filter(nanos -> !nanos.isNaN())
                        .findFirst()
                        .orElse(Double.NaN);
            }
            if (Double.isNaN(guessed) || sequences[choice] == 0) {
                return decoding <= FEW ? Double.NEGATIVE_INFINITY : rounds * nanos(best) * choices[choice].tokens();
            }
            double worth = nanos(best) * tokens[choice] / tokens[best];
            return rounds * Math.max(0, guessed - worth);
        }

        void measured(int decoding, int choice, int roundTokens, long roundNanos) {
            round++;
            nanos += roundNanos;
            boolean tried = trial != null && trial.left > 0 && choice == trial.choice;
            if (tried) {
                tried(decoding, roundTokens, roundNanos);
                return;
            }
            count(choice, decoding, roundTokens);
            if (measured[choice] > 0) {
                drifts[drifted++ % SETTLING] = roundNanos / nanos(choice);
                if (trial != null && trial.left == 0 && --trial.settling == 0) {
                    settle();
                }
            }
        }

        private void tried(int decoding, int roundTokens, long roundNanos) {
            int choice = trial.choice;
            nextTrial[choice] = round + ROUNDS_TO_TRIAL;
            int best = best();
            if (best >= 0) {
                double worth = drift() * nanos(best) / tokens[best] * roundTokens / decoding;
                lost += Math.max(0, roundNanos - worth);
            }
            trial.left--;
            if (trial.warming) {
                trial.warming = false;
                return;
            }
            count(choice, decoding, roundTokens);
            trial.nanos[trial.counted++] = roundNanos;
            if (best < 0 && trial.left == 0) {
                take(1);
            } else if (best >= 0 && roundNanos * tokens[best] > HOPELESS * drift() * nanos(best) * tokens[choice]) {
                trial.left = 0;
            }
        }

        /** Rounds of the best choice have followed those of a trial: it counts if the machine was as fast after it as before. */
        private void settle() {
            double after = drift();
            if (Math.max(after, trial.before) < STEADY * Math.min(after, trial.before)) {
                take(Math.sqrt(after * trial.before));
            } else {
                trial = null;
            }
        }

        private void take(double drift) {
            for (int i = 0; i < trial.counted; i++) {
                recent[trial.choice][measured[trial.choice]++ % RECENT] = trial.nanos[i] / drift;
            }
            trial = null;
        }

        /** {@return how slow the machine is now} */
        private double drift() {
            return drifted == 0 ? 1 : median(drifts, drifted);
        }

        private int best() {
            int best = -1;
            for (int choice = 0; choice < choices.length; choice++) {
                if (measured[choice] > 0 && (best < 0 || nanos(choice) * tokens[best] < nanos(best) * tokens[choice])) {
                    best = choice;
                }
            }
            return best;
        }

        /** {@return how long a round of a choice takes when the machine is as it was first; not a number where none was measured} */
        private double nanos(int choice) {
            return measured[choice] == 0 ? Double.NaN : median(recent[choice], measured[choice]);
        }

        /** Some rounds of a choice, of which the first only warms up, and then some of the best one to compare them with. */
        private final class Trial {
            private final int choice;
            private final double before = drift();
            private final long[] nanos;
            private int counted;
            private int left;
            private int settling = SETTLING;
            private boolean warming = true;

            Trial(int choice, int decoding) {
                this.choice = choice;
                this.left = rounds(decoding);
                this.nanos = new long[left - 1];
            }

            static int rounds(int decoding) {
                return 1 + Math.max(TRIAL_ROUNDS, TRIAL_SEQUENCES / decoding);
            }
        }
    }

    private static double median(double[] ring, int count) {
        double[] sorted = Arrays.copyOf(ring, Math.min(ring.length, count));
        Arrays.sort(sorted);
        return sorted[(sorted.length - 1) / 2];
    }
}
