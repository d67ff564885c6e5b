package dev.paloverde.gpu.decode;

import java.util.List;

/** A token a step. */
final class Autoregressive implements Speculator {
    @Override
    public int proposals(int decoding) {
        return 0;
    }

    @Override
    public int required() {
        return 0;
    }

    @Override
    public List<Slice> propose(List<Slice> slices) {
        return slices;
    }

    @Override
    public void verifying(List<Slice> slices) {}

    @Override
    public void verified(List<Slice> slices) {}

    @Override
    public SpeculationMetrics metrics() {
        return SpeculationMetrics.NONE;
    }

    @Override
    public List<SpeculationRound> rounds() {
        return List.of();
    }

    @Override
    public void close() {}
}
