package dev.paloverde.gpu.decode;

/**
 * One window of a text to score. Token {@code i + 1} of the text is scored from the row of token {@code i}; the last
 * token of a window is never a row, since nothing is scored from it.
 */
final class WindowSequence extends Sequence {
    private final int[] text;
    private final int begin;
    private final int end;
    private final Scores scores;
    private int scored;

    /**
     * @param text the whole text
     * @param begin its first token that is in the window
     * @param end its first token behind the window
     * @param scored the first token to score, later than {@code begin}
     */
    WindowSequence(Work<?> work, int part, int[] text, int begin, int end, int scored, Scores scores) {
        super(work, part, null, end - begin);
        this.text = text;
        this.begin = begin;
        this.end = end;
        this.scored = scored;
        this.scores = scores;
    }

    @Override
    int length() {
        return end - 1 - begin;
    }

    @Override
    int token(int position) {
        return text[begin + position];
    }

    @Override
    void read(int first, int count, int row, Readout readout) {
        int through = begin + first + count;
        for (; scored <= through; scored++) {
            readout.score(this, scores, scored - 1, row + scored - 1 - begin - first, text[scored]);
        }
    }

    @Override
    boolean done() {
        return scored == end;
    }
}
