package dev.paloverde.gpu.kernels;

/** What a feed-forward layer without a gate does to its sums. */
public enum Activation {
    /** {@code x * Phi(x)}, Phi the standard normal distribution function (Hendrycks and Gimpel, arXiv 1606.08415). */
    GELU,
    /** {@code 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))}, the same paper's approximation of it. */
    GELU_TANH
}
