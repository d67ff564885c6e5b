/**
 * Hugging Face model directories, as they are. Names of tensors and of model families live here and nowhere else.
 *
 * <p>{@link dev.paloverde.gpu.model.ModelDirectory} is the way in. Opening one reads {@code config.json} into a {@link
 * dev.paloverde.gpu.model.ModelConfiguration}, in which the {@link dev.paloverde.gpu.model.ModelFamily}'s conventions have
 * become plain facts (which biases there are, how far each layer sees, how {@link
 * dev.paloverde.gpu.model.RotaryScaling} stretches the rotary frequencies), and {@code generation_config.json} into {@link
 * dev.paloverde.gpu.model.GenerationDefaults}. Its fingerprint stands for every byte that results depend on.
 *
 * <p>Weights: {@code WeightFiles} finds the safetensors files, {@code SafetensorsHeader} holds what a file claims against
 * what it is, {@code SafetensorsFile} maps it into memory, {@code Checkpoint} hands out tensors by name and shape,
 * {@code FiniteScan} sees that they are numbers. {@code Transformer} stacks them, gives them to the {@link
 * dev.paloverde.gpu.kernels.Kernels} of a device, and is the {@link dev.paloverde.gpu.model.LanguageModel} that {@code
 * dev.paloverde.gpu.decode} drives: one forward pass, written once, for all families and all devices.
 *
 * <p>Images: {@link dev.paloverde.gpu.model.VisionDirectory} is the way in to a vision model. {@link
 * dev.paloverde.gpu.model.VisionConfiguration} is its shape, {@code ImageProcessor} what is done to a picture before it,
 * {@code VisionWeights} knows the tensors by their names and folds what can be folded, {@code PositionGrid} fits position
 * embeddings to another grid, and {@code VisionTransformer} is the {@link dev.paloverde.gpu.model.VisionModel}: one pass for
 * SigLIP, SigLIP 2 and DINOv2.
 *
 * <p>Text: {@link dev.paloverde.gpu.model.Tokenizer} is Hugging Face's own library on {@code tokenizer.json}; plain text
 * goes through a copy of it in which no special token can be written ({@code TokenizerFile}). {@link
 * dev.paloverde.gpu.model.ChatTemplate} writes conversations with the template that came with the model, run by {@link
 * dev.paloverde.gpu.model.jinja}.
 *
 * <p>Model files come from anywhere. Nothing in them is executed; sizes are bounded before memory is taken; an index cannot
 * name files elsewhere; whatever is wrong becomes a {@link dev.paloverde.gpu.PaloverdeException} that names the file, the
 * value and what to do.
 *
 * <p>Held against transformers, on files that {@code src/test/recipes} made: logits and greedy tokens ({@code
 * ParityTest}), configurations and rotary frequencies ({@code ModelConfigurationTest}), templates ({@code
 * JinjaTemplateTest}), vision models' pixels and latents ({@code VisionParityTest}).
 */
package dev.paloverde.gpu.model;
