package dev.paloverde.gpu.decode;

/**
 * Proposes what followed the last tokens when prompt or output had them before (prompt lookup, Saxena 2023; with the
 * longest suffix instead of one of fixed length). Costs no forward step.
 */
final class LookupDrafter implements Drafter {
    /** A single token says little about the next one. */
    private static final int SHORTEST_MATCH = 2;

    @Override
    public void propose(Round round) {
        for (int i = 0; i < round.size(); i++) {
            GenerationSequence sequence = round.sequences().get(i);
            sequence.propose(continuation(sequence, round.counts()[i]));
        }
    }

    /** {@return tokens that may follow; none if the last ones are new} */
    static int[] continuation(GenerationSequence sequence, int count) {
        SuffixIndex suffixes = sequence.suffixes();
        return suffixes.matched() < SHORTEST_MATCH ? new int[0] : suffixes.continuation(count);
    }
}
