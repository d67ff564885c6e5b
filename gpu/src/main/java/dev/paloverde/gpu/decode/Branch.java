package dev.paloverde.gpu.decode;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A way that a sequence may go on, as a draft model sees it. It has a copy of all it needs, so that a thread of its own
 * can work on it while the sequence grows. Positions are those of the sequence.
 */
final class Branch {
    private final GenerationSequence sequence;
    private final RowNoise noise;
    private final Sampling sampling;
    private final SeenTokens seen;
    private final int first;
    private final int own;
    private int[] tokens;
    private int length;
    private int[] pages;
    private int computed;
    private final List<float[]> states = new ArrayList<>();
    private final List<Double> chances = new ArrayList<>();

    private Branch(GenerationSequence sequence, SeenTokens seen, int first, int own, int[] tokens, int[] pages) {
        this.sequence = sequence;
        this.noise = sequence.noise();
        this.sampling = sequence.request().sampling();
        this.seen = seen;
        this.first = first;
        this.own = own;
        this.tokens = tokens;
        this.length = first + tokens.length;
        this.pages = pages;
        this.computed = first;
    }

    /**
     * Begins with all of a sequence's tokens and those that are proposed to it, on the sequence's own pages.
     *
     * @param from the first position to compute; all before it stand in the drafter's cache
     */
    static Branch of(GenerationSequence sequence, int from) {
        int known = sequence.length();
        int[] tokens = new int[known + sequence.proposed() - from];
        for (int i = 0; i < tokens.length; i++) {
            tokens[i] = sequence.token(from + i);
        }
        SeenTokens seen = penalised(sequence) ? sequence.seen().copy() : sequence.seen();
        return new Branch(sequence, seen, from, known, tokens, sequence.pages());
    }

    /**
     * {@return a branch of this one} It has this one's tokens before a position, with what was appended or seen so far, a
     * token of its own there, and no pages.
     */
    Branch fork(int position, int token) {
        SeenTokens copy = penalised(sequence) ? seen.copy() : seen;
        Branch fork = new Branch(sequence, copy, position, position, new int[0], new int[0]);
        fork.append(token);
        return fork;
    }

    private static boolean penalised(GenerationSequence sequence) {
        return sequence.request().sampling().repetitionPenalty() != 1;
    }

    GenerationSequence sequence() {
        return sequence;
    }

    Sampling sampling() {
        return sampling;
    }

    RowNoise noise() {
        return noise;
    }

    /** {@return the tokens that a penalty applies to: the sequence's, and what was appended or seen here} */
    SeenTokens seen() {
        return seen;
    }

    /** {@return the number of positions that have a token} */
    int length() {
        return length;
    }

    /** {@return the token at a position that is not computed at the beginning} */
    int token(int position) {
        return tokens[position - first];
    }

    void append(int token) {
        if (length - first == tokens.length) {
            tokens = Arrays.copyOf(tokens, Math.max(8, 2 * tokens.length));
        }
        tokens[length++ - first] = token;
        if (penalised(sequence)) {
            seen.add(token);
        }
    }

    /** Takes down the law that the last token was drawn from. */
    void drawn(float[] state, double chance) {
        states.add(state);
        chances.add(chance);
    }

    /** {@return how many tokens were drawn} */
    int drawn() {
        return states.size();
    }

    /** {@return a drafter's hidden states that the drawn tokens' laws come from} */
    List<float[]> states() {
        return states;
    }

    /** {@return the probabilities that the drawn tokens had} */
    double[] chances() {
        return chances.stream().mapToDouble(Double::doubleValue).toArray();
    }

    /** Lets a penalty apply to a token from now on that was there from the beginning. */
    void see(int position) {
        if (penalised(sequence)) {
            seen.add(token(position));
        }
    }

    /** {@return the position of the first token that is not the sequence's, or not the trunk's} */
    int firstOwn() {
        return own;
    }

    /** {@return the tokens from the first that is not the sequence's, or not the trunk's, on} */
    int[] own() {
        return Arrays.copyOfRange(tokens, own - first, length - first);
    }

    int computed() {
        return computed;
    }

    void advance(int rows) {
        computed += rows;
    }

    int[] pages() {
        return pages;
    }

    void pages(int[] table) {
        pages = table;
    }
}
