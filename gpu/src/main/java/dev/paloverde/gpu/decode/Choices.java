package dev.paloverde.gpu.decode;

import java.util.List;

/**
 * How likely each continuation is.
 *
 * @param choices in the order of the request; log-probabilities of the continuation's own tokens only
 */
public record Choices(List<Scoring> choices) {}
