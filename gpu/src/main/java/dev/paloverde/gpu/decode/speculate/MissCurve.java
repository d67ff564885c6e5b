package dev.paloverde.gpu.decode.speculate;

/**
 * How often an outcome is not among the first guesses: {@code scale * guesses^-exponent} from one guess on, and always
 * with none (Kumar, Dao and May, arXiv 2603.03251, Theorem 12, has the scale 1, by which one guess would never be right).
 *
 * @param scale the share of outcomes that the first guess does not foresee, from 0 to 1
 * @param exponent how fast further guesses help, at least 0
 */
public record MissCurve(double scale, double exponent) {
    /** The share of outcomes that are not among this many guesses. */
    public double miss(int guesses) {
        return guesses == 0 ? 1 : scale * Math.pow(guesses, -exponent);
    }

    /**
     * Fits a curve to measured ranks: by weighted least squares on logarithms, each number of guesses weighted by how many
     * outcomes it missed, which is how well its logarithm is known.
     *
     * @param ranks how many outcomes were the first guess, the second, ...
     * @param beyond how many were none of these
     * @return a curve; of scale 0 if nothing was missed, this method's default where nothing was measured
     */
    public static MissCurve fit(double[] ranks, double beyond) {
        double total = beyond;
        for (double count : ranks) {
            total += count;
        }
        if (total == 0) {
            return new MissCurve(0.5, 1);
        }
        double weights = 0;
        double x = 0;
        double y = 0;
        double xx = 0;
        double xy = 0;
        double missed = total;
        for (int rank = 0; rank < ranks.length; rank++) {
            missed -= ranks[rank];
            if (missed > 1e-9 * total) {
                double logGuesses = Math.log(rank + 1);
                double logMiss = Math.log(missed / total);
                weights += missed;
                x += missed * logGuesses;
                y += missed * logMiss;
                xx += missed * logGuesses * logGuesses;
                xy += missed * logGuesses * logMiss;
            }
        }
        if (weights == 0) {
            return new MissCurve(0, 1);
        }
        double spread = xx - x * x / weights;
        double exponent = spread < 1e-9 * weights ? 1 : Math.max(0, -(xy - x * y / weights) / spread);
        double scale = Math.exp((y + exponent * x) / weights);
        return new MissCurve(Math.min(1, scale), exponent);
    }
}
