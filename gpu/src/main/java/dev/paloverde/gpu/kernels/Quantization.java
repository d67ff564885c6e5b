package dev.paloverde.gpu.kernels;

/** What becomes of a projection's weights when they are loaded. */
public enum Quantization {
    /** They stay what they are in the file, as far as the device can compute with that. */
    NONE,
    /**
     * Each becomes a number of eight bits, e4m3 (Micikevicius et al., arXiv 2209.05433), times a scale of its output: the
     * largest weight of the output becomes 448, the largest number there is. Half the memory, and half the time where
     * reading weights takes it; {@link Fp8} says how it is rounded.
     */
    FP8
}
