package dev.paloverde.gpu.decode;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/** Tokens are proposed while the target waits, then verified together. */
final class Speculative implements Speculator {
    private final Drafter drafter;
    private final Pace pace;
    private final int required;
    private final SpeculationCounter counter = new SpeculationCounter();
    private final Deque<Turn> turns = new ArrayDeque<>();
    private Round round;
    private int decoding;
    private Pace.Choice choice;
    private long draftNanos;
    private long lastEnd;

    Speculative(Drafter drafter, Speculation speculation) {
        this.drafter = drafter;
        this.pace = Pace.of(speculation);
        this.required = speculation.rule() == Speculation.Rule.REJECTION ? speculation.tokens() : 0;
    }

    @Override
    public int proposals(int count) {
        decoding = count;
        choice = pace.choose(decoding);
        return choice.tokens();
    }

    @Override
    public int required() {
        return required;
    }

    @Override
    public List<Slice> propose(List<Slice> slices) {
        long begin = System.nanoTime();
        round = Round.of(slices);
        if (round.asks()) {
            drafter.propose(round);
        }
        draftNanos = System.nanoTime() - begin;
        return Round.fit(slices);
    }

    @Override
    public void verifying(List<Slice> slices) {
        turns.add(new Turn(round, decoding, choice, draftNanos, System.nanoTime()));
    }

    @Override
    public void verified(List<Slice> slices) {
        long end = System.nanoTime();
        Turn turn = turns.remove();
        counter.count(turn, end);
        if (turn.round().size() == slices.size()) {
            int chosen = 0;
            for (GenerationSequence sequence : turn.round().sequences()) {
                chosen += sequence.accepted() + 1;
            }
            pace.measured(turn.decoding(), turn.choice(), chosen, turn.draftNanos() + turn.nanos(lastEnd, end));
        }
        lastEnd = end;
    }

    @Override
    public SpeculationMetrics metrics() {
        return counter.totals();
    }

    @Override
    public List<SpeculationRound> rounds() {
        return counter.rounds();
    }

    @Override
    public void close() {
        drafter.close();
    }
}
