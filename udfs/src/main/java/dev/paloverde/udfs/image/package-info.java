/**
 * What a model does with images, as a function over batches. {@link dev.paloverde.udfs.image.ImageFunction} says what goes in
 * and what comes out; in a task, the run of {@link dev.paloverde.udfs.text} reads rows, lets {@code EmbedImageRows} decode
 * them and hands pictures to {@code ImageServing}: the executor's vision engine, or, where there is no model, the patches
 * themselves. An image that cannot be decoded, or claims too many pixels, is a row with a code.
 */
package dev.paloverde.udfs.image;
