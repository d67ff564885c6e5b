package dev.paloverde.gpu.decode;

/** A choice of more than one token, behind its context. */
final class ForkSequence extends Sequence {
    private final int[] choice;
    private final Scores scores;
    private int scored = 1;

    ForkSequence(Work<?> work, int part, TrunkSequence trunk, int[] choice, Scores scores) {
        super(work, part, trunk, 0);
        this.choice = choice;
        this.scores = scores;
    }

    @Override
    int length() {
        return base() + choice.length - 1;
    }

    @Override
    int token(int position) {
        return choice[position - base()];
    }

    @Override
    void read(int first, int count, int row, Readout readout) {
        int through = first + count - base();
        for (; scored <= through; scored++) {
            readout.score(this, scores, scored, row + scored - 1 + base() - first, choice[scored]);
        }
    }

    @Override
    boolean done() {
        return scored == choice.length;
    }
}
