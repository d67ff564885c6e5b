/**
 * Images as models see them. {@link dev.paloverde.gpu.image.ImageFile} is the way in: it knows a file's {@link
 * dev.paloverde.gpu.image.ImageFormat} by its first bytes, reads the sides, holds them against {@link
 * dev.paloverde.gpu.image.ImageLimits}, and only then decodes, to a {@link dev.paloverde.gpu.image.Picture}. {@link
 * dev.paloverde.gpu.image.Resizer} resizes one with the filters of {@link dev.paloverde.gpu.image.Resampling}, to the bit as
 * Pillow does (held against Pillow itself in {@code ResizerTest}).
 *
 * <p>The decoders are ImageIO's and TwelveMonkeys' ({@code Readers}); what they make of samples is {@code Rasters}'. {@code
 * GifFrames} lays the frames of an animation over one another. Files come from anywhere: whatever a decoder throws is the
 * row's error, and a file that ends too early is an error although decoders would fill it in ({@code PngChunks}). Of metadata
 * nothing is unpacked but how the camera was held ({@code Orientation}): pictures come out upright.
 */
package dev.paloverde.gpu.image;
