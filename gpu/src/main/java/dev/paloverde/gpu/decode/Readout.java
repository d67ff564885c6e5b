package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.kernels.Tensor;
import dev.paloverde.gpu.kernels.TokenChooser;
import dev.paloverde.gpu.model.LanguageModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What the sequences of a step want from its hidden states. The output projection is run only for rows that someone asked
 * for, in blocks of bounded size: at no time are there [tokens x vocabulary] numbers.
 */
final class Readout implements AutoCloseable {
    /** Numbers in a block of logits: 16 MiB of them. */
    private static final int LOGITS = 4 << 20;

    private final Kernels kernels;
    private final LanguageModel model;
    private final Sampler sampler;
    private final int sampleRows;
    private final Tensor gathered;
    private final float[] logits;
    private final TokenChooser chooser;
    private final int scoreRows;
    private final float[] logProbabilities;
    private final int[] best;

    private final List<GenerationSequence> samplers = new ArrayList<>();
    private final List<GenerationSequence> choosers = new ArrayList<>();
    private final List<EmbeddingSequence> poolers = new ArrayList<>();
    private final List<Score> scorers = new ArrayList<>();
    private int[] sampleFrom = new int[64];
    private int[] poolFrom = new int[64];
    private int[] chooseFrom = new int[64];
    private int[] scoreFrom = new int[64];
    private int[] targets = new int[64];
    private int[] choosePositions = new int[64];
    private int chosen;

    private record Score(Sequence sequence, Scores scores, int index) {}

    /** @param sampleRows how many rows may be sampled in a step without a second pass over the output projection */
    Readout(Kernels kernels, LanguageModel model, int sampleRows) {
        this.kernels = kernels;
        this.model = model;
        this.sampler = new Sampler(model.vocabulary());
        this.sampleRows = Math.max(1, Math.min(LOGITS / model.vocabulary(), sampleRows));
        this.logits = new float[sampleRows * model.vocabulary()];
        this.chooser = kernels.chooser().orElse(null);
        this.scoreRows = kernels.scoringRows();
        this.logProbabilities = new float[scoreRows];
        this.best = new int[scoreRows];
        this.gathered =
                kernels.tensor(Math.max(sampleRows, scoreRows), model.head().columns());
    }

    /**
     * Asks for a token to be chosen from the logits of a row: on the device where it can, from logits on the host else.
     *
     * @param position the position that the token will have
     */
    void sample(GenerationSequence sequence, int row, int position) {
        if (chooser != null && sequence.plain()) {
            chooseFrom = put(chooseFrom, choosers.size(), row);
            choosePositions = put(choosePositions, choosers.size(), position);
            choosers.add(sequence);
        } else {
            sampleFrom = put(sampleFrom, samplers.size(), row);
            samplers.add(sequence);
        }
    }

    /** Asks for the log-probability of a token under the logits of a row. */
    void score(Sequence sequence, Scores scores, int index, int row, int target) {
        scoreFrom = put(scoreFrom, scorers.size(), row);
        targets = put(targets, scorers.size(), target);
        scorers.add(new Score(sequence, scores, index));
    }

    /** Asks for the hidden state of a row. */
    void pool(EmbeddingSequence sequence, int row) {
        poolFrom = put(poolFrom, poolers.size(), row);
        poolers.add(sequence);
    }

    private static int[] put(int[] array, int index, int value) {
        int[] large = index < array.length ? array : Arrays.copyOf(array, 2 * array.length);
        large[index] = value;
        return large;
    }

    /** {@return the number of tokens chosen} Hands out what was asked for, and forgets it. */
    int run(Tensor hidden) {
        int sampled = runSamples(hidden) + runChoices(hidden);
        runScores(hidden);
        for (int i = 0; i < poolers.size(); i++) {
            EmbeddingSequence sequence = poolers.get(i);
            float[] row = hidden.read(poolFrom[i]);
            guard(sequence, () -> sequence.pool(row));
        }
        samplers.clear();
        choosers.clear();
        scorers.clear();
        poolers.clear();
        return sampled;
    }

    private int runSamples(Tensor hidden) {
        chosen = 0;
        for (int first = 0; first < samplers.size(); first += sampleRows) {
            int count = Math.min(sampleRows, samplers.size() - first);
            gather(hidden, sampleFrom, first, count);
            kernels.logits(gathered, model.head(), logits);
            for (int i = 0; i < count; i++) {
                GenerationSequence sequence = samplers.get(first + i);
                int from = i * model.vocabulary();
                guard(sequence, () -> chosen += sequence.sample(sampler, logits, from) ? 1 : 0);
            }
        }
        return chosen;
    }

    private int runChoices(Tensor hidden) {
        chosen = 0;
        for (int first = 0; first < choosers.size(); ) {
            int count = Math.min(Math.min(chooser.rows(), scoreRows), choosers.size() - first);
            gather(hidden, chooseFrom, first, count);
            TokenChooser.Draws draws = new TokenChooser.Draws(
                    new float[count],
                    new int[count],
                    new int[count],
                    new int[count],
                    new int[count],
                    RowNoise.Purpose.TOKEN.ordinal());
            for (int i = 0; i < count; i++) {
                choosers.get(first + i).draw(draws, i, choosePositions[first + i]);
            }
            int[] tokens = new int[count];
            chooser.choose(gathered, model.head(), draws, tokens, logProbabilities);
            for (int i = 0; i < count; i++) {
                GenerationSequence sequence = choosers.get(first + i);
                int token = tokens[i];
                float logProbability = logProbabilities[i];
                guard(sequence, () -> chosen += sequence.chosen(token, logProbability) ? 1 : 0);
            }
            first += count;
        }
        return chosen;
    }

    private void runScores(Tensor hidden) {
        for (int first = 0; first < scorers.size(); first += scoreRows) {
            int count = Math.min(scoreRows, scorers.size() - first);
            gather(hidden, scoreFrom, first, count);
            int[] wanted = Arrays.copyOfRange(targets, first, first + count);
            kernels.logProbabilities(gathered, model.head(), wanted, logProbabilities, best);
            for (int i = 0; i < count; i++) {
                Score score = scorers.get(first + i);
                float logProbability = logProbabilities[i];
                boolean mostLikely = best[i] == wanted[i];
                guard(score.sequence(), () -> score.scores().put(score.index(), logProbability, mostLikely));
            }
        }
    }

    private void gather(Tensor hidden, int[] rows, int first, int count) {
        gathered.resize(count);
        kernels.gather(hidden, Arrays.copyOfRange(rows, first, first + count), gathered);
    }

    /** Lets a sequence's own failure be its own; what no row can survive passes through. */
    static void guard(Sequence sequence, Runnable action) {
        if (sequence.work().over()) {
            return;
        }
        try {
            action.run();
        } catch (PaloverdeException e) {
            if (e.code().scope() == ErrorCode.Scope.JOB) {
                throw e;
            }
            sequence.work().fail(e);
        } catch (RuntimeException e) {
            sequence.work().fail(new PaloverdeException(ErrorCode.INTERNAL, "a row could not be processed: " + e, e));
        }
    }

    @Override
    public void close() {
        gathered.close();
    }
}
