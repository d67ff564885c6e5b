package dev.paloverde.gpu.decode;

import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Requests in, completions out. One thread of the engine's own runs the steps; any number of threads submit. A request
 * that cannot be served completes with a {@link dev.paloverde.gpu.PaloverdeException} of row scope and harms no other.
 * Cancelling a future withdraws its request at the next step. Submitting blocks while too much is waiting.
 */
public interface Engine extends AutoCloseable {
    /** Continues a prompt. */
    CompletableFuture<Generation> generate(GenerationRequest request);

    /** Scores a text. */
    CompletableFuture<Scoring> score(ScoringRequest request);

    /** Compares continuations of one context. */
    CompletableFuture<Choices> choose(ChoicesRequest request);

    /** Embeds a text. */
    CompletableFuture<Embedding> embed(EmbeddingRequest request);

    /** {@return what the engine has done so far; values only grow} */
    EngineMetrics metrics();

    /** {@return what came of speculation so far; values only grow} */
    SpeculationMetrics speculation();

    /** {@return the last steps in which sequences decoded, at most some thousands; none without speculation} */
    List<SpeculationRound> speculationRounds();

    /** {@return the most positions a sequence may have here: the model's context, or less where the cache is smaller} */
    int context();

    /** Stops after the current step; what has not completed fails with {@code CANCELLED}. */
    @Override
    void close();
}
