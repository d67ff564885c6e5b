package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.decode.speculate.FanOut;
import dev.paloverde.gpu.decode.speculate.MissCurve;

/**
 * What has come of proposals and at which rank it was foreseen, later rounds counting more; and the fan-out that follows
 * from it. Acceptance is kept apart by where the proposal came from, since one drafted in haste is worse.
 */
final class OutcomeStatistics {
    /** When as much is counted, all counts are halved. */
    private static final double WEIGHT = 4096;

    private final Speculation speculation;
    private final SaguaroSampling saguaro;
    private final Rate afterHit = new Rate();
    private final Rate afterMiss = new Rate();
    private final Ranks recovery = new Ranks();
    private final Ranks bonus = new Ranks();
    private int[][] hitLists;
    private int[][] missLists;
    private int observed;

    OutcomeStatistics(Speculation speculation) {
        this.speculation = speculation;
        this.saguaro = speculation.rule() == Speculation.Rule.REJECTION ? new SaguaroSampling(speculation) : null;
        forget();
    }

    private void forget() {
        hitLists = new int[speculation.tokens() + 1][];
        missLists = new int[speculation.tokens() + 1][];
    }

    /**
     * Counts an outcome.
     *
     * @param hit whether the proposal had been drafted ahead
     * @param accepted how many proposed tokens were chosen
     * @param proposed of how many
     * @param rank of the token chosen then, from 0; {@link AheadDraft#RANKS} or more if it was not ranked
     */
    void observe(boolean hit, int accepted, int proposed, int rank) {
        (hit ? afterHit : afterMiss).add(accepted, proposed);
        (accepted == proposed ? bonus : recovery).add(rank);
        if (++observed % 64 == 0) {
            forget();
        }
    }

    /**
     * How many guesses to make.
     *
     * @param hit whether the proposal had been drafted ahead
     * @param proposed how many tokens are proposed
     * @return [proposed + 1] for each number of chosen tokens
     */
    int[] fanOut(boolean hit, int proposed) {
        if (saguaro != null) {
            return saguaro.guesses(proposed);
        }
        if (speculation.spread() == Speculation.Spread.UNIFORM) {
            return FanOut.uniform(proposed, speculation.fanOut());
        }
        int[][] lists = hit ? hitLists : missLists;
        if (lists[proposed] == null) {
            lists[proposed] = FanOut.geometric(
                    (hit ? afterHit : afterMiss).value(),
                    recovery.curve(),
                    bonus.curve(),
                    proposed,
                    speculation.fanOut() * (proposed + 1));
        }
        return lists[proposed];
    }

    /** Accepted tokens over those that were looked at. */
    private static final class Rate {
        // as good as eight tokens, so that the first few do not decide
        private double accepted = 6;
        private double seen = 8;

        void add(int right, int proposed) {
            accepted += right;
            seen += Math.min(proposed, right + 1);
            if (seen > WEIGHT) {
                accepted /= 2;
                seen /= 2;
            }
        }

        double value() {
            return accepted / seen;
        }
    }

    private static final class Ranks {
        private final double[] counts = new double[AheadDraft.RANKS];
        private double beyond = 1;
        private double total = 4;

        Ranks() {
            counts[0] = 2;
            counts[1] = 1;
        }

        void add(int rank) {
            if (rank < counts.length) {
                counts[rank]++;
            } else {
                beyond++;
            }
            total++;
            if (total > WEIGHT) {
                total /= 2;
                beyond /= 2;
                for (int i = 0; i < counts.length; i++) {
                    counts[i] /= 2;
                }
            }
        }

        MissCurve curve() {
            return MissCurve.fit(counts, beyond);
        }
    }
}
