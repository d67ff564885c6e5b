package dev.paloverde.gpu.decode;

import java.util.Arrays;

/**
 * What followed the last tokens of a growing text when they stood in it before. A suffix automaton (Blumer et al., "The
 * smallest automaton recognizing the subwords of a text", 1985): after each token, the link of its last state is the
 * longest suffix that occurs earlier, found without a search. A text of n tokens has at most 2 n states and
 * 3 n transitions; adding a token follows a constant number of them on average.
 */
final class SuffixIndex {
    private static final int NONE = -1;

    private int[] text = new int[64];
    private int length;

    // states: the length of their longest word, their suffix link, where that word ended last
    private int[] longest = new int[128];
    private int[] link = new int[128];
    private int[] end = new int[128];
    private int[] firstEdge = new int[128];
    private int states = 1;
    private int last;

    // transitions, chained by state
    private int[] edgeToken = new int[256];
    private int[] edgeTarget = new int[256];
    private int[] nextEdge = new int[256];
    private int edges;

    private int matched;
    private int follows;

    SuffixIndex() {
        link[0] = NONE;
        firstEdge[0] = NONE;
    }

    /** {@return the number of tokens in it} */
    int length() {
        return length;
    }

    /** {@return how long the longest suffix is that occurs earlier in the text} */
    int matched() {
        return matched;
    }

    void add(int token) {
        if (length == text.length) {
            text = Arrays.copyOf(text, 2 * length);
        }
        text[length++] = token;
        int state = newState(longest[last] + 1);
        int at = last;
        while (at != NONE && target(at, token) == NONE) {
            addEdge(at, token, state);
            at = link[at];
        }
        // split may move the arrays
        int suffix = at == NONE ? 0 : split(at, token);
        link[state] = suffix;
        last = state;
        matched = longest[suffix];
        follows = end[suffix] + 1;
        end[suffix] = length - 1;
    }

    /** The state of a token after a state whose longest word is that of the state, and no longer one. */
    private int split(int from, int token) {
        int to = target(from, token);
        if (longest[from] + 1 == longest[to]) {
            return to;
        }
        int clone = newState(longest[from] + 1);
        end[clone] = end[to];
        link[clone] = link[to];
        for (int edge = firstEdge[to]; edge != NONE; edge = nextEdge[edge]) {
            addEdge(clone, edgeToken[edge], edgeTarget[edge]);
        }
        for (int at = from; at != NONE && target(at, token) == to; at = link[at]) {
            retarget(at, token, clone);
        }
        link[to] = clone;
        return clone;
    }

    /**
     * What followed the longest suffix that occurs earlier; copied tokens may be copied again, so that a period goes on.
     *
     * @param count how many tokens
     * @return none if the suffix is empty
     */
    int[] continuation(int count) {
        if (matched == 0) {
            return new int[0];
        }
        int[] tokens = new int[count];
        for (int i = 0; i < count; i++) {
            int position = follows + i;
            tokens[i] = position < length ? text[position] : tokens[position - length];
        }
        return tokens;
    }

    private int newState(int wordLength) {
        if (states == longest.length) {
            longest = Arrays.copyOf(longest, 2 * states);
            link = Arrays.copyOf(link, 2 * states);
            end = Arrays.copyOf(end, 2 * states);
            firstEdge = Arrays.copyOf(firstEdge, 2 * states);
        }
        longest[states] = wordLength;
        end[states] = length - 1;
        firstEdge[states] = NONE;
        return states++;
    }

    private int edge(int state, int token) {
        int edge = firstEdge[state];
        while (edge != NONE && edgeToken[edge] != token) {
            edge = nextEdge[edge];
        }
        return edge;
    }

    private int target(int state, int token) {
        int edge = edge(state, token);
        return edge == NONE ? NONE : edgeTarget[edge];
    }

    private void retarget(int state, int token, int to) {
        edgeTarget[edge(state, token)] = to;
    }

    private void addEdge(int state, int token, int to) {
        if (edges == edgeToken.length) {
            edgeToken = Arrays.copyOf(edgeToken, 2 * edges);
            edgeTarget = Arrays.copyOf(edgeTarget, 2 * edges);
            nextEdge = Arrays.copyOf(nextEdge, 2 * edges);
        }
        edgeToken[edges] = token;
        edgeTarget[edges] = to;
        nextEdge[edges] = firstEdge[state];
        firstEdge[state] = edges++;
    }
}
