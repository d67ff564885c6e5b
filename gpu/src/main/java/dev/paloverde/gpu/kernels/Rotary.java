package dev.paloverde.gpu.kernels;

/**
 * Rotary position embedding (Su et al., arXiv 2104.09864) in the half-split layout of Hugging Face's models: component
 * i of a head is paired with component {@code i + frequencies.length}, and both are turned by
 * {@code position * frequencies[i]}.
 *
 * @param frequencies [width / 2] angles per position, in radians, scaling already applied
 * @param magnitude factor of the rotated components (1 unless the scaling asks for another)
 */
public record Rotary(float[] frequencies, float magnitude) {}
