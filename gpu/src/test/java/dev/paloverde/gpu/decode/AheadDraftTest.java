package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every branch is what a draft of its own would be, of the same tokens and without a cache. */
class AheadDraftTest {
    private static final float NOISE = 2;
    private static final int TOKENS = 4;
    private static final int PAGES = 40;
    private static final int[] PROMPT = {9, 8, 7, 6, 5, 4, 3, 11, 12};
    private static final int[] PROPOSED = {14, 15, 16};
    private static final Speculation SPECULATION =
            Speculation.of(Speculation.Strategy.SSD, Speculation.Drafting.MODEL).tokens(TOKENS);

    private final Sampler sampler = new Sampler(HashModel.VOCABULARY);

    private static GenerationSequence sequence(Sampling sampling, int pageTokens) {
        GenerationSequence sequence = new GenerationSequence(
                new Work<>(),
                new GenerationRequest(RowKey.of("a"), PROMPT, sampling),
                new StopTexts(new HashModel.ByteTokenizer(), List.of()),
                new int[] {HashModel.END},
                200,
                null);
        // pages in no order
        for (int page = 0; page * pageTokens < PROMPT.length + PROPOSED.length; page++) {
            sequence.addPage(page * 7 % PAGES);
        }
        sequence.propose(PROPOSED);
        return sequence;
    }

    @ParameterizedTest
    @CsvSource({
        "1, 0, 1.3, false",
        "2, 1, 1.3, true",
        "3, 0.7, 1, true",
        "4, 1.2, 1.3, false",
        "5, 1, 1, false",
        "16, 1, 1, true",
        "2, 0, 1, true"
    })
    void everyBranchIsASerialDraftOfItsTokens(int pageTokens, float temperature, float penalty, boolean proposing) {
        Sampling sampling = new Sampling(100, temperature, 0, 1, 0, penalty, List.of(), true, 3);
        GenerationSequence sequence = sequence(sampling, pageTokens);
        ScratchPages scratch = new ScratchPages(PAGES, 200, pageTokens);
        LoadedModel loaded = proposing
                ? HashModel.proposing(new HashModel(200), new HashModel(200), NOISE)
                : HashModel.loaded(new HashModel(200), new HashModel(200), NOISE);
        int[] fanOut = {5, 3, 0, 4};
        int checked = 0;
        // steps of few rows, so that branches are cut into several
        try (DraftModel model = new DraftModel(loaded.draft(), pageTokens, PAGES + 200, 7)) {
            AheadDraft ahead = new AheadDraft(model, new ModelDrafter(model, SPECULATION), scratch, SPECULATION);
            ahead.add(sequence, fanOut);
            ahead.run();
            for (int accepted = 0; accepted <= PROPOSED.length; accepted++) {
                int[] prefix = concat(PROMPT, Arrays.copyOf(PROPOSED, accepted));
                int[] candidates = new int[HashModel.VOCABULARY];
                int count = sampler.candidates(
                        HashModel.draftLogits(NOISE, prefix),
                        0,
                        sampling,
                        sequence.noise(),
                        seen(prefix),
                        prefix.length,
                        candidates.length,
                        candidates);
                int next = accepted < PROPOSED.length ? PROPOSED[accepted] : -1;
                int[] possible = Arrays.stream(candidates, 0, count)
                        .filter(token -> token != next)
                        .toArray();
                for (int rank = 0; rank < possible.length; rank++) {
                    int[] drafted = ahead.drafted(sequence, new AheadDraft.Outcome(accepted, possible[rank]));
                    if (rank < fanOut[accepted] && possible[rank] != HashModel.END) {
                        assertThat(drafted).isEqualTo(serial(sequence, concat(prefix, possible[rank])));
                        checked++;
                    } else {
                        assertThat(drafted).isNull();
                    }
                }
                assertThat(ahead.drafted(sequence, new AheadDraft.Outcome(accepted, next)))
                        .isNull();
            }
            assertThat(checked).isGreaterThanOrEqualTo(10);
            assertThat(sequence.drafted()).isEqualTo(PROMPT.length + PROPOSED.length);
            assertThat(scratch.inUse()).isPositive();
            ahead.release();
            assertThat(scratch.inUse()).isZero();
        }
    }

    private int[] serial(GenerationSequence sequence, int[] prefix) {
        int[] text = prefix;
        while (text.length < prefix.length + TOKENS
                && (text.length == prefix.length || text[text.length - 1] != HashModel.END || ignores(sequence))) {
            int token = sampler.propose(
                    HashModel.draftLogits(NOISE, text),
                    0,
                    sequence.request().sampling(),
                    sequence.noise(),
                    seen(text),
                    text.length);
            text = concat(text, token);
        }
        return Arrays.copyOfRange(text, prefix.length, text.length);
    }

    private static boolean ignores(GenerationSequence sequence) {
        return sequence.request().sampling().ignoreEnd();
    }

    private static SeenTokens seen(int[] text) {
        SeenTokens seen = new SeenTokens();
        Arrays.stream(text).forEach(seen::add);
        return seen;
    }

    private static int[] concat(int[] head, int... tail) {
        int[] all = Arrays.copyOf(head, head.length + tail.length);
        System.arraycopy(tail, 0, all, head.length, tail.length);
        return all;
    }

    /** What is known before the drafting begins leaves one branch to draft. */
    @ParameterizedTest
    @CsvSource({"0, false", "1, false", "2, false", "0, true", "1, true", "2, true"})
    void onlyWhatCanStillComeIsDrafted(int accepted, boolean proposing) {
        Sampling sampling = new Sampling(100, 1, 0, 1, 0, 1, List.of(), true, 3);
        GenerationSequence sequence = sequence(sampling, 4);
        LoadedModel loaded = proposing
                ? HashModel.proposing(new HashModel(200), new HashModel(200), NOISE)
                : HashModel.loaded(new HashModel(200), new HashModel(200), NOISE);
        int[] prefix = concat(PROMPT, Arrays.copyOf(PROPOSED, accepted));
        int[] candidates = new int[3];
        sampler.candidates(
                HashModel.draftLogits(NOISE, prefix),
                0,
                sampling,
                sequence.noise(),
                seen(prefix),
                prefix.length,
                3,
                candidates);
        int token = candidates[0] == PROPOSED[accepted] ? candidates[1] : candidates[0];
        int other = candidates[2];
        try (DraftModel model = new DraftModel(loaded.draft(), 4, PAGES + 200, 64)) {
            AheadDraft ahead = new AheadDraft(
                    model, new ModelDrafter(model, SPECULATION), new ScratchPages(PAGES, 200, 4), SPECULATION);
            ahead.add(sequence, new int[] {2, 2, 2, 2});
            ahead.settle(Map.of(sequence, new AheadDraft.Outcome(accepted, token)));
            ahead.run();
            assertThat(ahead.drafted(sequence, new AheadDraft.Outcome(accepted, token)))
                    .isEqualTo(serial(sequence, concat(prefix, token)));
            int[] dropped = ahead.drafted(sequence, new AheadDraft.Outcome(accepted, other));
            assertThat(dropped == null || dropped.length == 0).isTrue();
            assertThat(ahead.guesses()).isGreaterThanOrEqualTo(6);
        }
    }
}
