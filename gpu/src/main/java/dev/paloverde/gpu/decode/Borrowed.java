package dev.paloverde.gpu.decode;

import java.util.List;
import java.util.concurrent.CompletableFuture;

/** An engine that someone else closes. */
record Borrowed(Engine engine) implements Engine {
    @Override
    public CompletableFuture<Generation> generate(GenerationRequest request) {
        return engine.generate(request);
    }

    @Override
    public CompletableFuture<Scoring> score(ScoringRequest request) {
        return engine.score(request);
    }

    @Override
    public CompletableFuture<Choices> choose(ChoicesRequest request) {
        return engine.choose(request);
    }

    @Override
    public CompletableFuture<Embedding> embed(EmbeddingRequest request) {
        return engine.embed(request);
    }

    @Override
    public EngineMetrics metrics() {
        return engine.metrics();
    }

    @Override
    public SpeculationMetrics speculation() {
        return engine.speculation();
    }

    @Override
    public List<SpeculationRound> speculationRounds() {
        return engine.speculationRounds();
    }

    @Override
    public int context() {
        return engine.context();
    }

    /** Does nothing. */
    @Override
    public void close() {}
}
