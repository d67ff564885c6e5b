package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.kernels.RankedRows;
import dev.paloverde.gpu.kernels.TokenRanker;
import java.util.stream.IntStream;

/** Rows of logits, ranked in the plainest way. */
final class PlainRanks implements RankedRows {
    private final int ranks;
    private final float[][] plain;
    private final float[][] logits;
    private final int[][] order;
    private final float[] temperatures;
    private final int[] drawn;

    /**
     * @param rows [rows * vocabulary] logits
     * @param ranks the most tokens to rank
     */
    PlainRanks(float[] rows, int vocabulary, int ranks, TokenRanker.Asks asks) {
        int count = asks.penalties().length;
        this.ranks = Math.min(ranks, vocabulary);
        this.temperatures = asks.draws().temperatures();
        plain = new float[count][vocabulary];
        logits = new float[count][];
        order = new int[count][];
        drawn = new int[count];
        for (int row = 0; row < count; row++) {
            System.arraycopy(rows, row * vocabulary, plain[row], 0, vocabulary);
            float[] after = plain[row].clone();
            float penalty = asks.penalties()[row];
            for (int token : asks.seen()[row]) {
                after[token] = after[token] > 0 ? after[token] / penalty : after[token] * penalty;
            }
            logits[row] = after;
            order[row] = IntStream.range(0, vocabulary)
                    .boxed()
                    .sorted((a, b) -> after[a] == after[b] ? a - b : Float.compare(after[b], after[a]))
                    .mapToInt(Integer::intValue)
                    .toArray();
            drawn[row] = asks.drawn()[row] && temperatures[row] > 0 ? draw(asks, row) : -1;
        }
    }

    private int draw(TokenRanker.Asks asks, int row) {
        int best = -1;
        double bestValue = Double.NEGATIVE_INFINITY;
        for (int token = 0; token < logits[row].length; token++) {
            double value = logits[row][token] / (double) temperatures[row]
                    + RowNoise.gumbel(Philox.bits(
                            token,
                            asks.draws().positions()[row],
                            asks.draws().purpose(),
                            asks.draws().streams()[row],
                            asks.draws().keys0()[row],
                            asks.draws().keys1()[row]));
            if (value > bestValue) {
                bestValue = value;
                best = token;
            }
        }
        return best;
    }

    @Override
    public int ranks() {
        return ranks;
    }

    @Override
    public boolean lawful(int row) {
        return !Double.isNaN(sum(row)) && !Float.isInfinite(largest(row));
    }

    @Override
    public float largest(int row) {
        float largest = Float.NEGATIVE_INFINITY;
        for (float logit : plain[row]) {
            largest = Math.max(largest, logit);
        }
        return largest;
    }

    @Override
    public double sum(int row) {
        return Softmax.sum(plain[row], 0, plain[row].length, largest(row), 1);
    }

    @Override
    public double mass(int row) {
        return Softmax.sum(logits[row], 0, logits[row].length, logit(row, 0), temperatures[row]);
    }

    @Override
    public int drawn(int row) {
        return drawn[row];
    }

    @Override
    public int token(int row, int rank) {
        requireRank(rank);
        return order[row][rank];
    }

    @Override
    public float logit(int row, int rank) {
        return logits[row][token(row, rank)];
    }

    @Override
    public float plainLogit(int row, int rank) {
        return plain[row][token(row, rank)];
    }

    private void requireRank(int rank) {
        if (rank < 0 || rank >= ranks) {
            throw new IllegalArgumentException("rank " + rank + " of " + ranks);
        }
    }
}
