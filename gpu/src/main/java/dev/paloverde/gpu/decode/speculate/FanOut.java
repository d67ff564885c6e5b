package dev.paloverde.gpu.decode.speculate;

import java.util.Arrays;

/**
 * Shares guesses of a round's outcome out among the numbers of tokens that may be accepted. The exact integer form of the
 * geometric fan-out (Kumar, Dao and May, arXiv 2603.03251, Theorem 12): it minimises
 * {@code sum_k w_k miss_k(F_k)} subject to {@code sum_k F_k <= budget}, where {@code w_k = a^k (1 - a)} for k below K and
 * {@code w_K = a^K}.
 */
public final class FanOut {
    private FanOut() {}

    /**
     * The best allocation, by dynamic programming over the numbers of accepted tokens; among equal ones, the one with more
     * guesses on fewer accepted tokens.
     *
     * @param acceptance the chance that a proposed token is accepted, where those before it were; from 0 to 1
     * @param recovery how often the token that replaces a rejected one is not foreseen
     * @param bonus how often the token after K accepted ones is not foreseen
     * @param tokens K
     * @param budget the most guesses
     * @return [K + 1] guesses where k tokens are accepted
     */
    public static int[] geometric(double acceptance, MissCurve recovery, MissCurve bonus, int tokens, int budget) {
        double[][] least = new double[tokens + 2][budget + 1];
        int[][] choice = new int[tokens + 1][budget + 1];
        for (int k = tokens; k >= 0; k--) {
            double weight = weight(acceptance, k, tokens);
            MissCurve curve = k == tokens ? bonus : recovery;
            for (int left = 0; left <= budget; left++) {
                double best = Double.POSITIVE_INFINITY;
                for (int guesses = left; guesses >= 0; guesses--) {
                    double miss = weight * curve.miss(guesses) + least[k + 1][left - guesses];
                    if (miss < best) {
                        best = miss;
                        choice[k][left] = guesses;
                    }
                }
                least[k][left] = best;
            }
        }
        int[] guesses = new int[tokens + 1];
        int left = budget;
        for (int k = 0; k <= tokens; k++) {
            guesses[k] = choice[k][left];
            left -= guesses[k];
        }
        return guesses;
    }

    /** The same number of guesses for each of 0 to K accepted tokens. */
    public static int[] uniform(int tokens, int guesses) {
        int[] all = new int[tokens + 1];
        Arrays.fill(all, guesses);
        return all;
    }

    /** The chance that an outcome is not among the guesses. */
    public static double miss(double acceptance, MissCurve recovery, MissCurve bonus, int... guesses) {
        int tokens = guesses.length - 1;
        double miss = 0;
        for (int k = 0; k <= tokens; k++) {
            miss += weight(acceptance, k, tokens) * (k == tokens ? bonus : recovery).miss(guesses[k]);
        }
        return miss;
    }

    private static double weight(double acceptance, int k, int tokens) {
        return k == tokens ? Math.pow(acceptance, k) : Math.pow(acceptance, k) * (1 - acceptance);
    }
}
