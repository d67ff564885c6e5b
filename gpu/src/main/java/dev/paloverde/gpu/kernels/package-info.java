/**
 * One abstract set of operations, {@link dev.paloverde.gpu.kernels.Kernels}, and its implementations. A model is written
 * once over it. Weights come in as {@link dev.paloverde.gpu.kernels.HostTensor}s and become {@link
 * dev.paloverde.gpu.kernels.Matrix} and {@link dev.paloverde.gpu.kernels.Weights} in the layout the device likes;
 * activations are {@link dev.paloverde.gpu.kernels.Tensor}s; a step's rows and whose they are, a {@link
 * dev.paloverde.gpu.kernels.StepBatch}.
 */
package dev.paloverde.gpu.kernels;
