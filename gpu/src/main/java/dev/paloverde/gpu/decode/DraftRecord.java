package dev.paloverde.gpu.decode;

/**
 * How often a lookup and a draft model were right about one sequence lately: accepted tokens over tokens that could be
 * compared, later rounds counting more. A function of the sequence alone.
 */
final class DraftRecord {
    private static final double KEPT = 0.8;
    /** The model is asked at least once in as many rounds. */
    private static final int ROUNDS_TO_TRIAL = 16;

    private final Score lookup = new Score(0.5);
    private final Score model = new Score(0.7);
    private int[] lookedUp = {};
    private int[] drafted = {};
    private int from;
    private int rounds;

    /** Compares the last proposals with what came, and looks up the next. */
    void look(GenerationSequence sequence, int count) {
        lookup.compare(lookedUp, sequence, from);
        model.compare(drafted, sequence, from);
        lookedUp = LookupDrafter.continuation(sequence, count);
        drafted = new int[0];
        from = sequence.length();
        rounds++;
    }

    /** Takes down what the model proposed in this round. */
    void drafted(int[] tokens) {
        drafted = tokens;
    }

    int[] lookedUp() {
        return lookedUp;
    }

    boolean lookupLeads() {
        return lookedUp.length > 0 && rounds % ROUNDS_TO_TRIAL != 0 && lookup.rate() > model.rate();
    }

    private static final class Score {
        private double right;
        private double compared;

        /** @param prior the rate before there is anything to compare, as good as one comparison */
        Score(double prior) {
            right = prior;
            compared = 1;
        }

        double rate() {
            return right / compared;
        }

        void compare(int[] tokens, GenerationSequence sequence, int from) {
            int known = Math.min(tokens.length, sequence.length() - from);
            if (known == 0) {
                return;
            }
            int same = 0;
            while (same < known && tokens[same] == sequence.token(from + same)) {
                same++;
            }
            right = KEPT * right + same;
            compared = KEPT * compared + Math.min(known, same + 1);
        }
    }
}
