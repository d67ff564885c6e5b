/**
 * The engine: runs language and vision models in this process, on a GPU or on the CPU. It knows tensors, kernels, models and decoding,
 * and nothing of Spark, Hadoop or Arrow. Its rooms, each on top of those before:
 *
 * <ul>
 *   <li>{@link dev.paloverde.gpu.device}: a GPU's memory and queues, kernels compiled ahead of time, and what can go wrong
 *       with them. All that knows the CUDA driver is there.
 *   <li>{@link dev.paloverde.gpu.kernels}: the operations a model is made of, as one abstract class, and its
 *       implementations. The law that everything above leans on is written there: the value of a row depends on that row
 *       alone, never on its company.
 *   <li>{@link dev.paloverde.gpu.image}: image files, decoded within limits and resized as image processors do.
 *   <li>{@link dev.paloverde.gpu.model}: from a Hugging Face model directory to a model on a device, a tokenizer and a
 *       chat template.
 *   <li>{@link dev.paloverde.gpu.decode}: requests in, completions out; rows of many tasks share the steps of one engine
 *       through a paged key-value cache.
 *   <li>{@link dev.paloverde.gpu.vision}: images in, latents out.
 * </ul>
 *
 * <p>Whatever fails, fails with a {@link dev.paloverde.gpu.PaloverdeException}; its {@link dev.paloverde.gpu.ErrorCode} says
 * whether one row is lost or none can live.
 */
package dev.paloverde.gpu;
