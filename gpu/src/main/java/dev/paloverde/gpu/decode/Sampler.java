package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.RankedRows;
import java.util.Arrays;

/**
 * Chooses a token from a row of logits. What it chooses depends on the logits, the {@link Sampling}, the row's noise, the
 * position and the tokens before; not on when it is asked. Holds scratch memory: one per thread.
 */
final class Sampler {
    private static final int FIRST_NUCLEUS = 64;

    private final int vocabulary;
    private final Ranking ranking;
    private final int[] kept;
    private float[] unpenalised = new float[64];

    /**
     * What was chosen, and its log-probability under the model's own distribution.
     *
     * @param largest logit of the row
     * @param logSum natural logarithm of the sum of {@code exp(logit - largest)}
     */
    record Choice(int token, double logProbability, float largest, double logSum) {
        /** {@return the same row's choice, had it been another token} */
        Choice insteadOf(int other, float logit) {
            return new Choice(other, logit - (double) largest - logSum, largest, logSum);
        }
    }

    Sampler(int vocabulary) {
        this.vocabulary = vocabulary;
        this.ranking = new Ranking();
        this.kept = new int[vocabulary];
    }

    /**
     * @param logits from {@code from}, one per token; as before on return
     * @param seen the tokens of prompt and output
     * @param position the position that the token will have
     * @throws PaloverdeException {@code NOT_A_NUMBER} if the logits have no softmax
     */
    Choice choose(float[] logits, int from, Sampling sampling, RowNoise noise, SeenTokens seen, int position) {
        float largest = largest(logits, from);
        double sum = Softmax.sum(logits, from, vocabulary, largest, 1);
        if (Double.isNaN(sum) || Float.isInfinite(largest)) {
            throw noSoftmax(position);
        }
        int token = sampling.repetitionPenalty() == 1
                ? choose(logits, from, largest, sampling, noise, position)
                : choosePenalised(logits, from, sampling, noise, seen, position);
        double logSum = StrictMath.log(sum);
        return new Choice(token, logits[from + token] - (double) largest - logSum, largest, logSum);
    }

    /**
     * What {@link #choose} chooses, by the first ranks of a row.
     *
     * @param rows ranked with this temperature and penalty; drawn where neither top-k nor top-p nor min-p cuts the law off
     * @param position the position that the token will have
     * @return null where it would take more ranks to tell
     * @throws PaloverdeException {@code NOT_A_NUMBER} if the logits have no softmax
     */
    Choice choose(RankedRows rows, int row, Sampling sampling, RowNoise noise, int position) {
        if (!rows.lawful(row)) {
            throw noSoftmax(position);
        }
        double logSum = StrictMath.log(rows.sum(row));
        int rank = sampling.temperature() == 0 ? 0 : drawn(rows, row, sampling, noise, position);
        if (rank < 0) {
            return null;
        }
        double logProbability = rows.plainLogit(row, rank) - (double) rows.largest(row) - logSum;
        return new Choice(rows.token(row, rank), logProbability, rows.largest(row), logSum);
    }

    /** {@return the rank of the token that is drawn; -1 where there are too few} */
    private int drawn(RankedRows rows, int row, Sampling sampling, RowNoise noise, int position) {
        int ranks = rows.ranks();
        boolean all = ranks == vocabulary;
        boolean cut = true;
        int count = ranks;
        if (sampling.topK() > 0 && sampling.topK() < vocabulary) {
            count = sampling.topK();
            if (count > ranks) {
                return -1;
            }
            if (sampling.topP() < 1) {
                double mass = 0;
                for (int rank = 0; rank < count; rank++) {
                    mass += weight(rows, row, rank, sampling);
                }
                count = reach(rows, row, sampling, sampling.topP() * mass, count);
            }
        } else if (sampling.topP() < 1) {
            count = reach(rows, row, sampling, sampling.topP() * rows.mass(row), ranks);
            if (count > ranks && !all) {
                return -1;
            }
        } else if (rows.drawn(row) >= 0) {
            return rankOf(rows, row, rows.drawn(row));
        } else {
            cut = false;
        }
        double floor = floor(rows.logit(row, 0), sampling);
        int best = -1;
        double bestValue = Double.NEGATIVE_INFINITY;
        for (int rank = 0; rank < Math.min(count, ranks) && (rank == 0 || rows.logit(row, rank) >= floor); rank++) {
            double value = rows.logit(row, rank) / (double) sampling.temperature()
                    + noise.gumbel(position, rows.token(row, rank));
            if (best < 0 || value > bestValue || value == bestValue && rows.token(row, rank) < rows.token(row, best)) {
                best = rank;
                bestValue = value;
            }
        }
        return cut || all || rows.logit(row, ranks - 1) < floor ? best : -1;
    }

    private static int rankOf(RankedRows rows, int row, int token) {
        for (int rank = 0; rank < rows.ranks(); rank++) {
            if (rows.token(row, rank) == token) {
                return rank;
            }
        }
        return -1;
    }

    /** How many of the first {@code limit} ranks it takes to reach a mass; one more if they do not. */
    private static int reach(RankedRows rows, int row, Sampling sampling, double wanted, int limit) {
        double mass = 0;
        for (int rank = 0; rank < limit; rank++) {
            mass += weight(rows, row, rank, sampling);
            if (mass >= wanted) {
                return rank + 1;
            }
        }
        return limit + 1;
    }

    private static double weight(RankedRows rows, int row, int rank, Sampling sampling) {
        return weight(rows.logit(row, rank), rows.logit(row, 0), sampling.temperature());
    }

    /**
     * What {@link #choose} would choose, without its log-probability.
     *
     * @return a token, or -1 where the logits have no softmax
     */
    int propose(float[] logits, int from, Sampling sampling, RowNoise noise, SeenTokens seen, int position) {
        float largest = largest(logits, from);
        if (Float.isNaN(largest) || Float.isInfinite(largest)) {
            return -1;
        }
        return sampling.repetitionPenalty() == 1
                ? choose(logits, from, largest, sampling, noise, position)
                : choosePenalised(logits, from, sampling, noise, seen, position);
    }

    static PaloverdeException noSoftmax(int position) {
        return new PaloverdeException(
                ErrorCode.NOT_A_NUMBER,
                "the logits at position %d are not all numbers and have no softmax; look for NaN or infinite weights, or for"
                                .formatted(position)
                        + " activations beyond the range of the data type");
    }

    private int choosePenalised(
            float[] logits, int from, Sampling sampling, RowNoise noise, SeenTokens seen, int position) {
        penalise(logits, from, sampling.repetitionPenalty(), seen);
        int token = choose(logits, from, largest(logits, from), sampling, noise, position);
        restore(logits, from, seen);
        return token;
    }

    private void penalise(float[] logits, int from, float penalty, SeenTokens seen) {
        if (unpenalised.length < seen.count()) {
            unpenalised = new float[Math.max(seen.count(), 2 * unpenalised.length)];
        }
        for (int i = 0; i < seen.count(); i++) {
            int at = from + seen.token(i);
            unpenalised[i] = logits[at];
            logits[at] = logits[at] > 0 ? logits[at] / penalty : logits[at] * penalty;
        }
    }

    private void restore(float[] logits, int from, SeenTokens seen) {
        for (int i = 0; i < seen.count(); i++) {
            logits[from + seen.token(i)] = unpenalised[i];
        }
    }

    private int choose(float[] logits, int from, float largest, Sampling sampling, RowNoise noise, int position) {
        double temperature = sampling.temperature();
        if (temperature == 0) {
            return first(logits, from, largest);
        }
        double floor = floor(largest, sampling);
        int count = keep(logits, from, largest, sampling);
        if (count == vocabulary) {
            return noise.argmax(logits, from, vocabulary, temperature, floor, first(logits, from, largest), position);
        }
        int best = -1;
        double bestValue = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < count && (i == 0 || logits[from + kept[i]] >= floor); i++) {
            int token = kept[i];
            double value = logits[from + token] / temperature + noise.gumbel(position, token);
            if (best < 0 || value > bestValue || value == bestValue && token < best) {
                best = token;
                bestValue = value;
            }
        }
        return best;
    }

    /**
     * The tokens that {@link #choose} would choose from most readily, best first: the first is its choice, the second what
     * it would choose if the first were not there, and so on.
     *
     * @param n how many are wanted
     * @param out at least n ids
     * @return how many there are, fewer where the filters keep fewer; none where the logits have no softmax
     */
    int candidates(
            float[] logits,
            int from,
            Sampling sampling,
            RowNoise noise,
            SeenTokens seen,
            int position,
            int n,
            int[] out) {
        float largest = largest(logits, from);
        if (n == 0 || Float.isNaN(largest) || Float.isInfinite(largest)) {
            return 0;
        }
        if (sampling.repetitionPenalty() == 1) {
            return ranked(logits, from, largest, sampling, noise, position, n, out);
        }
        penalise(logits, from, sampling.repetitionPenalty(), seen);
        int count = ranked(logits, from, largest(logits, from), sampling, noise, position, n, out);
        restore(logits, from, seen);
        return count;
    }

    /**
     * The law that {@link #choose} chooses by.
     *
     * @param seen the tokens of prompt and output
     * @param out [vocabulary] probabilities
     * @return whether there is one: not where the logits have no softmax
     */
    boolean law(float[] logits, int from, Sampling sampling, SeenTokens seen, double[] out) {
        Arrays.fill(out, 0);
        float largest = largest(logits, from);
        if (Float.isNaN(largest) || Float.isInfinite(largest)) {
            return false;
        }
        if (sampling.repetitionPenalty() == 1) {
            fill(logits, from, largest, sampling, out);
        } else {
            penalise(logits, from, sampling.repetitionPenalty(), seen);
            fill(logits, from, largest(logits, from), sampling, out);
            restore(logits, from, seen);
        }
        return true;
    }

    private void fill(float[] logits, int from, float largest, Sampling sampling, double[] out) {
        double temperature = sampling.temperature();
        if (temperature == 0) {
            out[first(logits, from, largest)] = 1;
            return;
        }
        double floor = floor(largest, sampling);
        int count = keep(logits, from, largest, sampling);
        double sum = 0;
        for (int i = 0; i < count; i++) {
            int token = count == vocabulary ? i : kept[i];
            if (logits[from + token] >= floor || logits[from + token] == largest) {
                out[token] = weight(logits[from + token], largest, temperature);
                sum += out[token];
            }
        }
        for (int i = 0; i < count; i++) {
            out[count == vocabulary ? i : kept[i]] /= sum;
        }
    }

    /**
     * The tokens of the largest logits after the penalty, in order.
     *
     * @param n how many are wanted
     * @param out at least n ids
     * @return how many there are; none where the logits have no softmax
     */
    int likeliest(float[] logits, int from, Sampling sampling, SeenTokens seen, int n, int[] out) {
        float largest = largest(logits, from);
        if (n == 0 || Float.isNaN(largest) || Float.isInfinite(largest)) {
            return 0;
        }
        penalise(logits, from, sampling.repetitionPenalty(), seen);
        ranking.top(logits, from, vocabulary, n, out);
        restore(logits, from, seen);
        return Math.min(n, vocabulary);
    }

    private int ranked(
            float[] logits,
            int from,
            float largest,
            Sampling sampling,
            RowNoise noise,
            int position,
            int n,
            int[] out) {
        double temperature = sampling.temperature();
        if (temperature == 0) {
            ranking.top(logits, from, vocabulary, n, out);
            return Math.min(n, vocabulary);
        }
        double floor = floor(largest, sampling);
        int count = keep(logits, from, largest, sampling);
        if (count == vocabulary) {
            return noise.top(logits, from, vocabulary, temperature, floor, position, n, out);
        }
        int[] sorted = Arrays.copyOf(kept, count);
        Arrays.sort(sorted);
        double[] values = new double[n];
        int found = 0;
        for (int token : sorted) {
            if (logits[from + token] >= floor || token == kept[0]) {
                double value = logits[from + token] / temperature + noise.gumbel(position, token);
                found = RowNoise.insert(value, token, values, out, found);
            }
        }
        return found;
    }

    private static double floor(float largest, Sampling sampling) {
        return sampling.minP() > 0
                ? largest + sampling.temperature() * StrictMath.log(sampling.minP())
                : Double.NEGATIVE_INFINITY;
    }

    /** Ranks the tokens that top-k and top-p keep; {@return how many, or the whole vocabulary, unranked, for all} */
    private int keep(float[] logits, int from, float largest, Sampling sampling) {
        double temperature = sampling.temperature();
        if (sampling.topK() > 0 && sampling.topK() < vocabulary) {
            ranking.top(logits, from, vocabulary, sampling.topK(), kept);
            int count = sampling.topK();
            if (sampling.topP() < 1) {
                double mass = 0;
                for (int i = 0; i < count; i++) {
                    mass += weight(logits[from + kept[i]], largest, temperature);
                }
                count = reach(logits, from, largest, temperature, sampling.topP() * mass, count);
            }
            return count;
        } else if (sampling.topP() < 1) {
            return nucleus(logits, from, largest, temperature, sampling.topP());
        }
        return vocabulary;
    }

    /** The size of the smallest set of most likely tokens that has the share p of the whole mass; they are in kept. */
    private int nucleus(float[] logits, int from, float largest, double temperature, double share) {
        double wanted = share * Softmax.sum(logits, from, vocabulary, largest, temperature);
        int ranked = Math.min(FIRST_NUCLEUS, vocabulary);
        while (true) {
            ranking.top(logits, from, vocabulary, ranked, kept);
            int count = reach(logits, from, largest, temperature, wanted, ranked);
            if (count < ranked || ranked == vocabulary) {
                return count;
            }
            ranked = (int) Math.min(16L * ranked, vocabulary);
        }
    }

    /** How many of the first {@code limit} kept tokens it takes to reach a mass; all of them if they do not. */
    private int reach(float[] logits, int from, float largest, double temperature, double wanted, int limit) {
        double mass = 0;
        for (int i = 0; i < limit; i++) {
            mass += weight(logits[from + kept[i]], largest, temperature);
            if (mass >= wanted) {
                return i + 1;
            }
        }
        return limit;
    }

    private static double weight(float logit, float largest, double temperature) {
        return Softmax.exp((logit - (double) largest) / temperature);
    }

    private float largest(float[] logits, int from) {
        float largest = Float.NEGATIVE_INFINITY;
        for (int token = 0; token < vocabulary; token++) {
            largest = Math.max(largest, logits[from + token]);
        }
        return largest;
    }

    private int first(float[] logits, int from, float value) {
        int token = 0;
        while (logits[from + token] != value) {
            token++;
        }
        return token;
    }
}
