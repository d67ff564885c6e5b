package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.kernels.RankedRows;
import dev.paloverde.gpu.kernels.TokenChooser;
import dev.paloverde.gpu.kernels.TokenRanker;
import java.util.Arrays;

/**
 * A prompt and what has been generated after it. For one step at a time, tokens may be proposed to it: they are rows of
 * the step, each is compared with the token that is chosen in its place, and with the first that differs the rows after
 * it have no meaning.
 *
 * <p>Where it is computed ahead, it goes on with tokens that the device has chosen and the host does not know yet. They
 * count in its length. When one of them turns out to end it, what was computed behind it has no meaning.
 */
final class GenerationSequence extends Sequence {
    /** Where proposed tokens come from. */
    enum Origin {
        /** Drafted for this outcome of the round before, when it was known. */
        DRAFT,
        /** Drafted for this outcome while it was not known. */
        HIT,
        /** As DRAFT, after this outcome was not among those that were guessed. */
        MISS
    }

    private static final int[] NO_TOKENS = {};

    private final GenerationRequest request;
    private final RowNoise noise;
    private final SeenTokens seen = new SeenTokens();
    private final StopTexts stops;
    private final int[] endTokens;
    private final int context;
    private final Rejection rejection;
    private int[] output = new int[16];
    private int generated;
    private double logProbability;
    private FinishReason finish;
    private int awaited;
    private int reference;
    private boolean asked;
    private int[] proposal = NO_TOKENS;
    private int proposedFrom;
    private int accepted;
    private Origin origin = Origin.DRAFT;
    private DraftLaw law = DraftLaw.CERTAIN;
    private boolean diverged;
    private SuffixIndex suffixes;
    private final DraftRecord record = new DraftRecord();

    /**
     * @param endTokens ids that end the sequence
     * @param context the most tokens that prompt and output may have together
     * @param rejection how proposed tokens are accepted; null for the coupled rule
     */
    GenerationSequence(
            Work<?> work,
            GenerationRequest request,
            StopTexts stops,
            int[] endTokens,
            int context,
            Rejection rejection) {
        super(work, 0, null, request.prompt().length);
        this.request = request;
        this.stops = stops;
        this.endTokens = request.sampling().ignoreEnd() ? new int[0] : endTokens;
        this.context = context;
        this.rejection = rejection;
        this.noise = new RowNoise(request.sampling().seed(), request.key());
        if (request.sampling().repetitionPenalty() != 1) {
            for (int token : request.prompt()) {
                seen.add(token);
            }
        }
    }

    @Override
    int length() {
        return known() + awaited;
    }

    /** {@return the number of tokens that the host knows} */
    private int known() {
        return request.prompt().length + generated;
    }

    @Override
    int token(int position) {
        int prompt = request.prompt().length;
        if (position < prompt) {
            return request.prompt()[position];
        }
        if (position < known()) {
            return output[position - prompt];
        }
        return position < length() ? reference : proposal[position - length()];
    }

    /** Says where the device has the token that it was asked to choose. */
    void choosing(int referenceToToken) {
        asked = true;
        reference = referenceToToken;
    }

    /** The last read asked for one token at most: nothing was proposed. */
    @Override
    void goOn() {
        awaited += asked ? 1 : 0;
    }

    @Override
    boolean exhausted() {
        return done() || generated + awaited >= request.sampling().maxTokens() || length() >= context;
    }

    @Override
    boolean decoding() {
        return generated + awaited > 0 && computed() == length() - 1;
    }

    /** Where the rule is rejection, a token that others were proposed after is never computed without them. */
    @Override
    int prefill() {
        return rejection != null && generated > 0 ? length() - 1 : length();
    }

    @Override
    int room() {
        int end = Math.min(request.prompt().length + request.sampling().maxTokens(), context);
        return Math.max(0, end - length() - 1);
    }

    /** Proposes what could follow its last token, for the next step; no tokens for none. */
    void propose(int[] tokens) {
        propose(tokens, Origin.DRAFT, DraftLaw.CERTAIN);
    }

    /**
     * Proposes what could follow its last token, for the next step.
     *
     * @param from where the tokens come from
     * @param drawnFrom the laws they were drawn from
     */
    void propose(int[] tokens, Origin from, DraftLaw drawnFrom) {
        proposal = tokens;
        law = drawnFrom;
        origin = from;
        proposedFrom = known();
        accepted = 0;
    }

    /** {@return the proposed tokens} */
    int[] proposal() {
        return proposal;
    }

    Origin origin() {
        return origin;
    }

    /** Marks the proposal as one that takes the place of one drafted ahead. */
    void missed() {
        origin = Origin.MISS;
    }

    /** {@return how many tokens are proposed} */
    int proposed() {
        return proposal.length;
    }

    /** {@return how many of them were chosen in the step} */
    int accepted() {
        return accepted;
    }

    @Override
    void read(int first, int count, int row, Readout readout) {
        diverged = false;
        asked = false;
        for (int position = Math.max(first, length() - 1); position < first + count; position++) {
            readout.sample(this, row + position - first, position + 1);
        }
    }

    /** {@return whether any token may be chosen, by its logit, temperature and noise alone} */
    boolean plain() {
        Sampling sampling = request.sampling();
        return rejection == null
                && sampling.topK() == 0
                && sampling.topP() == 1
                && sampling.minP() == 0
                && sampling.repetitionPenalty() == 1;
    }

    /** Says how the token of a position is drawn, as entry {@code index} of {@code draws}. */
    void draw(TokenChooser.Draws draws, int index, int position) {
        draws.temperatures()[index] = request.sampling().temperature();
        draws.positions()[index] = position;
        noise.key(draws, index);
    }

    /**
     * Chooses the next token from the logits of the last one.
     *
     * @return whether there was one to choose: not behind a proposed token that was not chosen
     */
    boolean sample(Sampler sampler, float[] logits, int from) {
        if (diverged) {
            return false;
        }
        int index = length() - proposedFrom;
        Sampler.Choice choice = sampler.choose(logits, from, request.sampling(), noise, seen, length());
        if (rejection != null && index < proposal.length) {
            int token = rejection.choose(
                    logits, from, request.sampling(), noise, seen, length(), proposal[index], law, index);
            choice = choice.insteadOf(token, logits[from + token]);
        }
        take(choice.token(), choice.logProbability(), index);
        return true;
    }

    /** {@return whether the device may rank the tokens of its row: there is one, and the token is accepted as it is} */
    boolean ranked() {
        return rejection == null && proposal.length == 0;
    }

    /** {@return whether nothing but a penalty is between the law and the token} */
    boolean whole() {
        Sampling sampling = request.sampling();
        return sampling.topK() == 0 && sampling.topP() == 1 && sampling.minP() == 0;
    }

    /** Says how the tokens of its row are ranked, as entry {@code index} of {@code asks}. */
    void ask(TokenRanker.Asks asks, int index) {
        draw(asks.draws(), index, known());
        asks.penalties()[index] = request.sampling().repetitionPenalty();
        asks.seen()[index] = seen.tokens();
        asks.drawn()[index] = whole();
    }

    /** {@return whether the ranks are enough to choose the next token from} Takes it if they are. */
    boolean sample(Sampler sampler, RankedRows rows, int row) {
        Sampler.Choice choice = sampler.choose(rows, row, request.sampling(), noise, known());
        if (choice == null) {
            return false;
        }
        take(choice.token(), choice.logProbability(), known() - proposedFrom);
        return true;
    }

    /**
     * Takes the next token, which the device chose as {@link #draw} said.
     *
     * @return as {@link #sample}; nor is there one behind the end
     */
    boolean chosen(int token, float logProbabilityOfToken) {
        boolean ahead = awaited > 0;
        if (ahead) {
            awaited--;
        }
        if (ahead ? done() : diverged) {
            return false;
        }
        if (Float.isNaN(logProbabilityOfToken)) {
            throw Sampler.noSoftmax(known());
        }
        take(token, logProbabilityOfToken, known() - proposedFrom);
        return true;
    }

    /** @param index of the token among those that were proposed */
    private void take(int token, double logProbabilityOfToken, int index) {
        append(token, logProbabilityOfToken);
        boolean foreseen = index < proposal.length && proposal[index] == token;
        accepted += foreseen ? 1 : 0;
        diverged = !foreseen || finish != null;
    }

    private void append(int token, double logProbabilityOfToken) {
        logProbability += logProbabilityOfToken;
        if (ends(token)) {
            finish = FinishReason.STOP;
            return;
        }
        append(token);
        if (stops.reached(output, generated)) {
            finish = FinishReason.STOP;
        } else if (generated == request.sampling().maxTokens()) {
            finish = FinishReason.LENGTH;
        } else if (known() == context) {
            finish = FinishReason.CONTEXT;
        }
    }

    private void append(int token) {
        if (generated == output.length) {
            output = Arrays.copyOf(output, 2 * generated);
        }
        output[generated++] = token;
        if (request.sampling().repetitionPenalty() != 1) {
            seen.add(token);
        }
    }

    /** Takes back the rows of a step whose tokens were not chosen. */
    void settle() {
        if (!done()) {
            retreat(length() - 1);
        }
        propose(NO_TOKENS);
    }

    GenerationRequest request() {
        return request;
    }

    RowNoise noise() {
        return noise;
    }

    /** {@return the tokens that a penalty applies to; empty if there is none} */
    SeenTokens seen() {
        return seen;
    }

    /** {@return whether a token would end it} */
    boolean ends(int token) {
        for (int end : endTokens) {
            if (end == token) {
                return true;
            }
        }
        return false;
    }

    /** {@return how right its drafters were} */
    DraftRecord record() {
        return record;
    }

    /** {@return prompt and output as an index of what followed what} */
    SuffixIndex suffixes() {
        if (suffixes == null) {
            suffixes = new SuffixIndex();
        }
        while (suffixes.length() < known()) {
            suffixes.add(token(suffixes.length()));
        }
        return suffixes;
    }

    @Override
    boolean done() {
        return finish != null;
    }

    Generation result() {
        return new Generation(Arrays.copyOf(output, generated), stops.text(output, generated), logProbability, finish);
    }
}
