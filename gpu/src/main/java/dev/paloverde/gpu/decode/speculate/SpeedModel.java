package dev.paloverde.gpu.decode.speculate;

/**
 * How fast speculation is, from what can be measured. The unit of time is one verification, and that of speed one token of
 * decoding without speculation, which takes one unit as well: verifying a few tokens takes as long as computing one.
 * Leviathan, Kalman and Matias, arXiv 2211.17192, Theorem 3.8, and Kumar, Dao and May, arXiv 2603.03251, Theorem 7.
 */
public final class SpeedModel {
    private SpeedModel() {}

    /**
     * Tokens of a round: {@code (1 - a^(K + 1)) / (1 - a)}.
     *
     * @param acceptance a, the chance that a proposed token is accepted, where those before it were; from 0 to 1
     * @param tokens K, how many are proposed
     */
    public static double tokensPerRound(double acceptance, int tokens) {
        double sum = 0;
        double power = 1;
        for (int k = 0; k <= tokens; k++) {
            sum += power;
            power *= acceptance;
        }
        return sum;
    }

    /**
     * Tokens in a unit of time where tokens are drafted first and verified then.
     *
     * @param tokensPerRound E
     * @param draft time for drafting a round, in verifications
     */
    public static double speculative(double tokensPerRound, double draft) {
        return tokensPerRound / (1 + draft);
    }

    /**
     * Tokens in a unit of time, for one sequence of a batch, where the next round is drafted during verification:
     * {@code (p E_hit + (1 - p) E_miss) / (q max(1, T_p) + (1 - q) (1 + T_b))}. With one sequence q is p, and this is
     * Theorem 7. A batch waits for the fallback unless all of its sequences hit, so that for b of them q is p^b.
     *
     * @param hitRate p, the chance that an outcome was foreseen
     * @param tokensAfterHit E_hit, tokens of a round after a hit
     * @param tokensAfterMiss E_miss
     * @param ahead T_p, time for drafting during a verification, in verifications
     * @param fallback T_b, time for drafting after a miss
     * @param sequences b
     */
    public static double ahead(
            double hitRate,
            double tokensAfterHit,
            double tokensAfterMiss,
            double ahead,
            double fallback,
            int sequences) {
        double allHit = Math.pow(hitRate, sequences);
        double tokens = hitRate * tokensAfterHit + (1 - hitRate) * tokensAfterMiss;
        return tokens / (allHit * Math.max(1, ahead) + (1 - allHit) * (1 + fallback));
    }
}
