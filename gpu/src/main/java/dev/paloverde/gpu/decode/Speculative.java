package dev.paloverde.gpu.decode;

import java.util.List;

/** Tokens are proposed while the target waits, then verified together. */
final class Speculative implements Speculator {
    private final Drafter drafter;
    private final int tokens;
    private final int required;
    private final SpeculationCounter counter = new SpeculationCounter();
    private Round round;
    private long draftNanos;

    Speculative(Drafter drafter, Speculation speculation) {
        this.drafter = drafter;
        this.tokens = speculation.tokens();
        this.required = speculation.rule() == Speculation.Rule.REJECTION ? tokens : 0;
    }

    @Override
    public int proposals(int decoding) {
        return tokens;
    }

    @Override
    public int required() {
        return required;
    }

    @Override
    public List<Slice> propose(List<Slice> slices) {
        long begin = System.nanoTime();
        round = Round.of(slices);
        drafter.propose(round);
        draftNanos = System.nanoTime() - begin;
        return Round.fit(slices);
    }

    @Override
    public void verifying(List<Slice> slices) {}

    @Override
    public void verified(List<Slice> slices, long nanos) {
        counter.count(round, draftNanos, 0, nanos);
    }

    @Override
    public SpeculationMetrics metrics() {
        return counter.totals();
    }

    @Override
    public void close() {
        drafter.close();
    }
}
