package dev.paloverde.gpu.decode;

/**
 * A text to score. A text longer than {@code window} is scored in windows: each begins {@code stride} tokens after the
 * one before, and scores the tokens that none before has scored, so that every token is scored exactly once, with at
 * least {@code window - stride} tokens of context once that many exist.
 *
 * @param tokens ids; the first of them is context only (a begin token, usually); the array is not copied
 * @param window tokens in a window, at most the model's context
 * @param stride tokens from one window to the next, from 1 to {@code window - 1}
 */
public record ScoringRequest(int[] tokens, int window, int stride) {}
