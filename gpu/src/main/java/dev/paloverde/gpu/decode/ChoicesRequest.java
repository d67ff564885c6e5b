package dev.paloverde.gpu.decode;

import java.util.List;

/**
 * Continuations of one context to compare. The context is computed once.
 *
 * @param context token ids, at least one
 * @param choices token ids of each continuation, at least one each
 */
public record ChoicesRequest(int[] context, List<int[]> choices) {}
