/**
 * The engine: requests in, completions out.
 *
 * <h2>From the outside</h2>
 *
 * <p>{@link dev.paloverde.gpu.decode.Engines#acquire} gives a {@link dev.paloverde.gpu.decode.SharedEngine}: one engine
 * for all threads of the JVM that ask for the same {@link dev.paloverde.gpu.decode.EngineSpec}, with the model's
 * tokenizer and fingerprint beside it. The {@link dev.paloverde.gpu.decode.Engine} takes four kinds of requests, each
 * answered by a future:
 *
 * <ul>
 *   <li>{@link dev.paloverde.gpu.decode.GenerationRequest}: a prompt to continue, as its
 *       {@link dev.paloverde.gpu.decode.Sampling} says;
 *   <li>{@link dev.paloverde.gpu.decode.ScoringRequest}: the log-probability of each token of a text of any length, in
 *       windows;
 *   <li>{@link dev.paloverde.gpu.decode.ChoicesRequest}: the log-probabilities of continuations of one context, which is
 *       computed once;
 *   <li>{@link dev.paloverde.gpu.decode.EmbeddingRequest}: a text as a vector.
 * </ul>
 *
 * <p>What a request gets depends on the request, the model and the kernels, never on
 * {@link dev.paloverde.gpu.decode.EngineOptions} or on its neighbours; on {@link dev.paloverde.gpu.decode.Speculation} only
 * where that has the rule of rejection. A {@link dev.paloverde.gpu.decode.RowKey} names a
 * row by its content; a {@link dev.paloverde.gpu.decode.Receipt} names everything else that a result depends on.
 *
 * <h2>A step</h2>
 *
 * <p>{@code BatchingEngine} owns one thread, which alone touches kernels, model and cache. Again and again it
 *
 * <ol>
 *   <li>takes in what was submitted and withdrawn since the last step. A request is a {@code Work}: a future and the
 *       {@code Sequence}s that must be done for it, one for a generation, one for each window of a text, a trunk and its
 *       forks for choices;
 *   <li>lets the {@code Scheduler} admit sequences in the order of submission while the {@code PagePool} has pages for
 *       them, and choose the rows of the step: one of each sequence that decodes, then as much of the prefills as
 *       {@code step-tokens} leaves room for. A sequence that grows where no page is free takes those of the last in
 *       order, which will be computed again;
 *   <li>runs the model once over all rows, as a {@link dev.paloverde.gpu.kernels.StepBatch};
 *   <li>asks each sequence what it wants of its rows. The {@code Readout} gathers the wishes, runs the output projection
 *       for just these rows in bounded blocks, and hands out logits to choose from, log-probabilities, or hidden states;
 *   <li>takes finished sequences out, and completes requests whose sequences are all done.
 * </ol>
 *
 * <p>Computing positions again, in other chunks or on other pages, gives the same bits: that is the law of
 * {@link dev.paloverde.gpu.kernels.Kernels}. What was chosen is never chosen again, and would be chosen alike.
 *
 * <h2>Choosing a token</h2>
 *
 * <p>The {@code Sampler} narrows the vocabulary down as {@code Sampling} says, with a {@code Ranking} that sorts only
 * candidates, and takes the token of the largest {@code logit / temperature + noise}, where the noise of a token is a
 * Gumbel variable that {@code RowNoise} makes from seed, row key, position and token with {@code Philox}. This has exactly
 * the law of sampling from the softmax, needs no state, and lets a second model propose with the very same noise.
 * Exponentials come from {@code Softmax}, logarithms from {@link java.lang.StrictMath}: no bit depends on the
 * just-in-time compiler. A device that has a {@link dev.paloverde.gpu.kernels.TokenChooser} chooses by the same rule where its
 * logits are, for sequences without filters and penalties; for others a {@link dev.paloverde.gpu.kernels.TokenRanker} gives the
 * first ranks of their tokens, and only where these do not decide do all logits come to the host. {@code StopTexts} watches the
 * decoded output.
 *
 * <p>Where the device chooses, the engine begins a step before it has read the one before: {@code Readout} holds what is still
 * on its way, and a {@code GenerationSequence} counts the token that the device knows and the host does not.
 *
 * <h2>Guessing ahead</h2>
 *
 * <p>{@link dev.paloverde.gpu.decode.Speculation} says whether tokens are guessed and verified many at a time. A {@code
 * Speculator} is the engine's strategy, called around each step: it says how many tokens to propose, proposes them once the
 * {@code Scheduler} has found rows and pages for them, hears when the step begins and how it ended. A sequence's own row
 * and one for each proposed token are rows of one slice; {@code GenerationSequence} chooses from them in order until a
 * choice is not the proposed token, and takes the rows behind it back. What is chosen is what would be chosen without
 * proposals, so that with the coupled rule a strategy changes no bit. With the rule of rejection, {@code Rejection} decides
 * by a {@code DraftLaw}; what comes out then depends on the draft model and on how many tokens are proposed, but not on
 * batches, memory, or what was foreseen.
 *
 * <p>{@code Autoregressive} proposes nothing. {@code Speculative} asks a {@code Drafter}: {@code ModelDrafter}, which lets a
 * {@code DraftModel} extend {@code Branch}es, {@code LookupDrafter} with its {@code SuffixIndex}, or {@code BoundDrafter}
 * with a {@code DraftRecord} of which of them was right. A draft model's cache has the engine's page numbers, so that a
 * sequence has one block table for both.
 *
 * <p>{@code Ssd} has an {@code AheadDraft} run on a thread of the drafter's while the target verifies: guesses of the
 * outcome, a branch for each on {@code ScratchPages}. Where the device has a {@link
 * dev.paloverde.gpu.kernels.TokenProposer}, guesses come ranked from it, and a proposal or all branches together are one
 * chain of steps that the host waits for once. {@code OutcomeStatistics} counts what came and lets
 * {@link dev.paloverde.gpu.decode.speculate.FanOut} share the guesses out, {@code FallbackChoice} says what follows a wrong
 * one. {@code Pace} stops proposing where it does not pay, and drafting ahead where that slows the target down by more than it
 * saves; a step without proposals begins before the one before is handed out, whatever the strategy. A {@link
 * dev.paloverde.gpu.decode.DraftSpec} says where the draft model runs: beside the target, on multiprocessors set apart, or
 * on a device of its own. {@link dev.paloverde.gpu.decode.SpeculationMetrics} and
 * {@link dev.paloverde.gpu.decode.SpeculationRound} tell what happened.
 */
package dev.paloverde.gpu.decode;
