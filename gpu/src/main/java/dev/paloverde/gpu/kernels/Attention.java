package dev.paloverde.gpu.kernels;

/**
 * How queries see keys: causally, scaled, within a window where there is one.
 *
 * @param scale factor of the scores, usually {@code 1 / sqrt(width)}
 * @param window a query at position p sees positions {@code p - window + 1} to p; {@link #UNLIMITED} for all
 */
public record Attention(float scale, int window) {
    /** No window: all earlier positions are seen. */
    public static final int UNLIMITED = Integer.MAX_VALUE;
}
