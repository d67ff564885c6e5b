package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.model.Tokenizer;
import java.util.Arrays;
import java.util.List;

/**
 * Watches a growing output for stop texts, which may begin in one token and end in another. The text that counts is
 * always that of all tokens decoded at once. To notice a stop early without decoding everything after each token, only
 * the tail is decoded, long enough for the longest stop and for a decoder that treats its first tokens in a way of their
 * own (a blank left out, a character that began before); what the tail shows is then looked up in the whole text.
 */
final class StopTexts {
    private static final int MARGIN = 32;

    private final Tokenizer tokenizer;
    private final List<String> stops;
    private final int reach;
    private int tail;

    StopTexts(Tokenizer tokenizer, List<String> stops) {
        this.tokenizer = tokenizer;
        this.stops = stops;
        this.reach = MARGIN + stops.stream().mapToInt(String::length).max().orElse(0);
    }

    /**
     * To be called after each token.
     *
     * @return whether the text of the first {@code count} tokens contains a stop
     */
    boolean reached(int[] tokens, int count) {
        if (stops.isEmpty()) {
            return false;
        }
        String text = tokenizer.decode(Arrays.copyOfRange(tokens, tail, count));
        if (find(text) >= 0) {
            return tail == 0 || find(tokenizer.decode(Arrays.copyOf(tokens, count))) >= 0;
        }
        if (text.length() > 4 * reach) {
            shorten(tokens, count);
        }
        return false;
    }

    /** {@return the text of the first {@code count} tokens, ending before the first stop in it} */
    String text(int[] tokens, int count) {
        String text = tokenizer.decode(Arrays.copyOf(tokens, count));
        int stop = find(text);
        return stop < 0 ? text : text.substring(0, stop);
    }

    /** Moves the tail's beginning as far as it goes while its text stays long enough. */
    private void shorten(int[] tokens, int count) {
        int low = tail;
        int high = count;
        while (high - low > 1) {
            int middle = low + high >>> 1;
            if (tokenizer.decode(Arrays.copyOfRange(tokens, middle, count)).length() >= reach) {
                low = middle;
            } else {
                high = middle;
            }
        }
        tail = low;
    }

    private int find(String text) {
        int first = -1;
        for (String stop : stops) {
            int at = text.indexOf(stop);
            if (at >= 0 && (first < 0 || at < first)) {
                first = at;
            }
        }
        return first;
    }
}
