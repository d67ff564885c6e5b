package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.kernels.LateAnswers;
import dev.paloverde.gpu.kernels.RankedRows;
import dev.paloverde.gpu.kernels.Tensor;
import dev.paloverde.gpu.kernels.TokenChooser;
import dev.paloverde.gpu.kernels.TokenRanker;
import dev.paloverde.gpu.model.LanguageModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What the sequences of a step want from its hidden states. The output projection is run only for rows that someone asked
 * for, in blocks of bounded size: at no time are there [tokens x vocabulary] numbers. What the device finds by itself may be
 * handed out later, when the next step is on its way.
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
    private final TokenRanker ranker;
    private final int scoreRows;

    private final List<GenerationSequence> samplers = new ArrayList<>();
    private List<GenerationSequence> choosers = new ArrayList<>();
    private final List<EmbeddingSequence> poolers = new ArrayList<>();
    private List<Score> scorers = new ArrayList<>();
    private int[] sampleFrom = new int[64];
    private int[] poolFrom = new int[64];
    private int[] chooseFrom = new int[64];
    private int[] scoreFrom = new int[64];
    private int[] targets = new int[64];
    private int[] choosePositions = new int[64];
    private int chosen;

    private record Score(Sequence sequence, Scores scores, int index, int target) {}

    /** The rows that were read of a step, some of whose answers are still on their way. Closed when handed out or not. */
    final class Pending implements AutoCloseable {
        private final List<GenerationSequence> choosing;
        private final List<Score> scoring;
        private final List<LateAnswers> choices;
        private final List<LateAnswers> scores;
        private final int sampled;

        private Pending(List<LateAnswers> choices, List<LateAnswers> scores, int sampled) {
            this.choosing = choosers;
            this.scoring = scorers;
            this.choices = choices;
            this.scores = scores;
            this.sampled = sampled;
        }

        /** {@return the number of tokens chosen in the step} Waits for the answers and hands them out. */
        int handOut() {
            chosen = sampled;
            for (int i = 0; i < choosing.size(); i++) {
                LateAnswers answers = choices.get(i / chooser.rows());
                int row = i % chooser.rows();
                if (row == 0) {
                    answers.await();
                }
                GenerationSequence sequence = choosing.get(i);
                int token = answers.token(row);
                float logProbability = answers.logProbability(row);
                guard(sequence, () -> chosen += sequence.chosen(token, logProbability) ? 1 : 0);
            }
            for (int i = 0; i < scoring.size(); i++) {
                LateAnswers answers = scores.get(i / scoreRows);
                int row = i % scoreRows;
                if (row == 0) {
                    answers.await();
                }
                Score score = scoring.get(i);
                float logProbability = answers.logProbability(row);
                boolean mostLikely = answers.token(row) == score.target();
                guard(score.sequence(), () -> score.scores().put(score.index(), logProbability, mostLikely));
            }
            return chosen;
        }

        @Override
        public void close() {
            choices.forEach(LateAnswers::close);
            scores.forEach(LateAnswers::close);
        }
    }

    /** @param sampleRows how many rows may be sampled in a step without a second pass over the output projection */
    Readout(Kernels kernels, LanguageModel model, int sampleRows) {
        this.kernels = kernels;
        this.model = model;
        this.sampler = new Sampler(model.vocabulary());
        this.sampleRows = Math.max(1, Math.min(LOGITS / model.vocabulary(), sampleRows));
        this.logits = new float[this.sampleRows * model.vocabulary()];
        this.chooser = kernels.chooser().orElse(null);
        this.ranker = kernels.ranker().orElse(null);
        this.scoreRows = kernels.scoringRows();
        int mostRows = Math.max(Math.max(sampleRows, scoreRows), chooser == null ? 0 : chooser.rows());
        mostRows = Math.max(mostRows, ranker == null ? 0 : ranker.rows());
        this.gathered = kernels.tensor(mostRows, model.head().columns());
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
            sequence.choosing(TokenChooser.reference(choosers.size()));
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
        scorers.add(new Score(sequence, scores, index, target));
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

    /** {@return whether tokens are chosen on the device, and known there before they are here} */
    boolean choosesThere() {
        return chooser != null;
    }

    /**
     * Reads what was asked for, and forgets it. What the host finds itself is handed out at once.
     *
     * @param hidden states of the step's rows; what is still to be read of them is queued
     */
    Pending read(Tensor hidden) {
        int sampled = runSamples(hidden);
        List<LateAnswers> choices = choose(hidden);
        List<LateAnswers> scores = score(hidden);
        for (int i = 0; i < poolers.size(); i++) {
            EmbeddingSequence sequence = poolers.get(i);
            float[] row = hidden.read(poolFrom[i]);
            guard(sequence, () -> sequence.pool(row));
        }
        Pending pending = new Pending(choices, scores, sampled);
        samplers.clear();
        choosers = new ArrayList<>();
        scorers = new ArrayList<>();
        poolers.clear();
        return pending;
    }

    private int runSamples(Tensor hidden) {
        chosen = 0;
        int[] left = ranker == null ? IntStream.range(0, samplers.size()).toArray() : runRanked(hidden);
        for (int first = 0; first < left.length; first += sampleRows) {
            int count = Math.min(sampleRows, left.length - first);
            gather(hidden, rowsOf(left, first, count), 0, count);
            kernels.logits(gathered, model.head(), logits);
            for (int i = 0; i < count; i++) {
                GenerationSequence sequence = samplers.get(left[first + i]);
                int from = i * model.vocabulary();
                guard(sequence, () -> chosen += sequence.sample(sampler, logits, from) ? 1 : 0);
            }
        }
        return chosen;
    }

    private int[] rowsOf(int[] indices, int first, int count) {
        return Arrays.stream(indices, first, first + count)
                .map(i -> sampleFrom[i])
                .toArray();
    }

    /** Chooses from ranked tokens; {@return those among who sample that need all logits} */
    private int[] runRanked(Tensor hidden) {
        int[] ranked = IntStream.range(0, samplers.size())
                .filter(i -> samplers.get(i).ranked())
                .toArray();
        boolean[] enough = new boolean[samplers.size()];
        for (int first = 0; first < ranked.length; first += ranker.rows()) {
            int count = Math.min(ranker.rows(), ranked.length - first);
            gather(hidden, rowsOf(ranked, first, count), 0, count);
            TokenRanker.Asks asks =
                    new TokenRanker.Asks(draws(count), new float[count], new int[count][], new boolean[count]);
            for (int i = 0; i < count; i++) {
                samplers.get(ranked[first + i]).ask(asks, i);
            }
            RankedRows rows = ranker.rank(gathered, model.head(), asks);
            for (int i = 0; i < count; i++) {
                int row = i;
                int index = ranked[first + i];
                GenerationSequence sequence = samplers.get(index);
                enough[index] = sequence.work().over();
                guard(sequence, () -> {
                    enough[index] = true;
                    enough[index] = sequence.sample(sampler, rows, row);
                    chosen += enough[index] ? 1 : 0;
                });
            }
        }
        return IntStream.range(0, enough.length).filter(i -> !enough[i]).toArray();
    }

    private static TokenChooser.Draws draws(int count) {
        return new TokenChooser.Draws(
                new float[count],
                new int[count],
                new int[count],
                new int[count],
                new int[count],
                RowNoise.Purpose.TOKEN.ordinal());
    }

    private List<LateAnswers> choose(Tensor hidden) {
        List<LateAnswers> answers = new ArrayList<>();
        for (int first = 0; first < choosers.size(); first += chooser.rows()) {
            int count = Math.min(chooser.rows(), choosers.size() - first);
            gather(hidden, chooseFrom, first, count);
            TokenChooser.Draws draws = draws(count);
            for (int i = 0; i < count; i++) {
                choosers.get(first + i).draw(draws, i, choosePositions[first + i]);
            }
            answers.add(chooser.choose(gathered, model.head(), draws, first));
        }
        return answers;
    }

    private List<LateAnswers> score(Tensor hidden) {
        List<LateAnswers> answers = new ArrayList<>();
        for (int first = 0; first < scorers.size(); first += scoreRows) {
            int count = Math.min(scoreRows, scorers.size() - first);
            gather(hidden, scoreFrom, first, count);
            answers.add(kernels.score(gathered, model.head(), Arrays.copyOfRange(targets, first, first + count)));
        }
        return answers;
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
