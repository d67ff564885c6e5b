package dev.paloverde.gpu.decode;

import java.util.ArrayList;
import java.util.List;

/**
 * The context that choices share. From its last row the first token of every choice is scored; the rest of a choice is a
 * fork.
 */
final class TrunkSequence extends Sequence {
    private final ChoicesRequest request;
    private final List<Scores> scores;
    private final List<ForkSequence> forks = new ArrayList<>();
    private boolean firstScored;

    /** @param scores of each choice */
    TrunkSequence(Work<?> work, ChoicesRequest request, List<Scores> scores) {
        super(work, 0, null, tokens(request));
        this.request = request;
        this.scores = scores;
        for (int i = 0; i < request.choices().size(); i++) {
            if (request.choices().get(i).length > 1) {
                forks.add(new ForkSequence(work, 1 + i, this, request.choices().get(i), scores.get(i)));
            }
        }
    }

    private static long tokens(ChoicesRequest request) {
        long tokens = request.context().length;
        for (int[] choice : request.choices()) {
            tokens += choice.length;
        }
        return tokens;
    }

    @Override
    int length() {
        return request.context().length;
    }

    @Override
    int token(int position) {
        return request.context()[position];
    }

    @Override
    void read(int first, int count, int row, Readout readout) {
        if (first + count == length() && !firstScored) {
            firstScored = true;
            for (int i = 0; i < scores.size(); i++) {
                readout.score(
                        this,
                        scores.get(i),
                        0,
                        row + count - 1,
                        request.choices().get(i)[0]);
            }
        }
    }

    @Override
    boolean done() {
        return computed() == length();
    }

    @Override
    List<ForkSequence> forks() {
        return forks;
    }
}
