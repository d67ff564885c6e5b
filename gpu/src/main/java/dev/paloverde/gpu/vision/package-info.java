/**
 * The engine for images: {@link dev.paloverde.gpu.vision.VisionEngines#acquire} gives one {@link
 * dev.paloverde.gpu.vision.VisionEngine} to all threads of the JVM that ask for the same {@link
 * dev.paloverde.gpu.vision.VisionSpec}. A picture goes in, [tokens, width] latents come out of a future; what they are depends
 * on the picture, the model and the kernels, and never on the other images of a step.
 */
package dev.paloverde.gpu.vision;
