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
 * <p>What is behind is tried again now and then, but no more than pays for being sure: all trials together may lose a
 * hundredth of the time. How many tokens a sequence gets from a choice is taken to be the same in every batch; how long a
 * round takes is measured for each size, and before that guessed from the nearest size where it was.
 */
final class Pace {
    /** What trials may cost of all time. */
    private static final double SHARE = 0.01;
    /** Rounds after which a choice is tried again, at the earliest. */
    private static final int ROUNDS_TO_TRIAL = 96;
    /** Sequences that a trial counts in all its rounds together, and the fewest rounds; another before them only warms up. */
    private static final int TRIAL_SEQUENCES = 8;

    private static final int TRIAL_ROUNDS = 2;
    /** A trial ends at once when a token takes so many times as long as with the best choice. */
    private static final double HOPELESS = 1.5;
    /** A batch of so many is expected to gain from speculation, and a larger one to lose, until something is measured. */
    private static final int FEW = 8;
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
        private final long[][] recent = new long[choices.length][RECENT];
        private final int[] measured = new int[choices.length];
        private final long[] nextTrial = new long[choices.length];
        private long round;
        private int current = -1;
        private int trialLeft;
        private boolean warming;

        Size(int index) {
            this.index = index;
        }

        int choose(int decoding) {
            if (trialLeft > 0) {
                return current;
            }
            if (current < 0) {
                begin(first(decoding), decoding);
                return current;
            }
            int best = best();
            int due = due(best);
            if (due >= 0 && lost + expectedLoss(due, best, decoding) <= SHARE * nanos) {
                begin(due, decoding);
            } else {
                current = best;
            }
            return current;
        }

        private void begin(int choice, int decoding) {
            current = choice;
            trialLeft = trialRounds(decoding);
            warming = true;
        }

        private int trialRounds(int decoding) {
            return 1 + Math.max(TRIAL_ROUNDS, TRIAL_SEQUENCES / decoding);
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
            double guessed = nanos(choice);
            if (Double.isNaN(guessed)) {
                guessed = neighbours(index)
                        .map(size -> nanos(best) * size.nanos(choice) / size.nanos(best))
                        .filter(nanos -> !nanos.isNaN())
                        .findFirst()
                        .orElse(Double.NaN);
            }
            if (Double.isNaN(guessed) || sequences[choice] == 0) {
                return decoding <= FEW
                        ? Double.NEGATIVE_INFINITY
                        : trialRounds(decoding) * nanos(best) * choices[choice].tokens();
            }
            double worth = nanos(best) * tokens[choice] / tokens[best];
            return trialRounds(decoding) * Math.max(0, guessed - worth);
        }

        void measured(int decoding, int choice, int roundTokens, long roundNanos) {
            round++;
            nanos += roundNanos;
            if (choice == current && trialLeft > 0) {
                trialLeft--;
                nextTrial[choice] = round + ROUNDS_TO_TRIAL;
                lose(decoding, roundTokens, roundNanos);
                if (warming) {
                    warming = false;
                    return;
                }
            }
            recent[choice][measured[choice]++ % RECENT] = roundNanos;
            count(choice, decoding, roundTokens);
            if (choice == current && trialLeft > 0 && hopeless(choice)) {
                trialLeft = 0;
            }
        }

        private boolean hopeless(int choice) {
            int best = best();
            return nanos(choice) * tokens[best] > HOPELESS * nanos(best) * tokens[choice];
        }

        /** Takes down what a round of a trial took longer than the best choice takes for as many tokens. */
        private void lose(int decoding, int roundTokens, long roundNanos) {
            int best = best();
            if (best >= 0 && best != current) {
                lost += Math.max(0, roundNanos - nanos(best) * roundTokens / (decoding * tokens[best]));
            }
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

        /** {@return how long a round of a choice takes; not a number where none was measured} */
        private double nanos(int choice) {
            if (measured[choice] == 0) {
                return Double.NaN;
            }
            long[] sorted = Arrays.copyOf(recent[choice], Math.min(RECENT, measured[choice]));
            Arrays.sort(sorted);
            return sorted[(sorted.length - 1) / 2];
        }
    }
}
