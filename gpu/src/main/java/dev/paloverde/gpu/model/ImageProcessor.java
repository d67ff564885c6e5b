package dev.paloverde.gpu.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.image.Picture;
import dev.paloverde.gpu.image.Resampling;
import dev.paloverde.gpu.image.Resizer;
import java.nio.file.Path;

/**
 * What is done to a picture before a model sees it, as {@code preprocessor_config.json} says: resized, to given sides or so
 * that its shorter side has a length; the middle cut out of it; each sample scaled and normalised by its channel.
 *
 * @param shortestEdge length of the shorter side after resizing; 0 where {@code width} and {@code height} are what it is
 *     resized to
 * @param filter of the resizing
 * @param width of what the model sees, in pixels
 * @param height of it
 * @param scale what a sample from 0 to 255 is multiplied by
 * @param mean [3] what is then taken away
 * @param deviation [3] what it is then divided by
 */
record ImageProcessor(
        int shortestEdge, Resampling filter, int width, int height, double scale, float[] mean, float[] deviation) {
    private static final int LARGEST = 1 << 14;
    private static final int SAMPLES = 256;

    /** SigLIP 2 with native aspect ratios says how many patches, not how many pixels. */
    static ImageProcessor of(JsonNode tree, Path file, VisionConfiguration shape) {
        Fields fields = new Fields(tree, file);
        int side = shape.positionSide() * shape.patch();
        Fields size = fields.fields("size");
        int shortest = size.integer("shortest_edge", 0, 1, LARGEST);
        int height = size.integer("height", side, 1, LARGEST);
        int width = size.integer("width", side, 1, LARGEST);
        if (!fields.flag("do_resize", true)) {
            throw unsupported(file, "do_resize", "true: every image has another size, and the model one");
        }
        if (fields.flag("do_center_crop", false)) {
            Fields crop = fields.fields("crop_size");
            int cropHeight = crop.integer("height", side, 1, LARGEST);
            int cropWidth = crop.integer("width", side, 1, LARGEST);
            int least = shortest > 0 ? shortest : Math.min(width, height);
            if (Math.max(cropHeight, cropWidth) > least) {
                throw unsupported(file, "crop_size", "at most what size makes of an image");
            }
            if (shortest == 0 && (cropHeight != height || cropWidth != width)) {
                throw unsupported(file, "crop_size", "the same as size, where that has both sides");
            }
            height = cropHeight;
            width = cropWidth;
        } else if (shortest > 0) {
            throw unsupported(file, "size", "height and width, or shortest_edge with do_center_crop");
        }
        int number = fields.integer("resample", Resampling.BICUBIC.ordinal(), 0, 100);
        Resampling filter = Resampling.of(number)
                .orElseThrow(() -> unsupported(file, "resample", "a number from 0 to 5, Pillow's filters"));
        float[] mean = {0, 0, 0};
        float[] deviation = {1, 1, 1};
        if (fields.flag("do_normalize", true)) {
            mean = channels(fields, "image_mean");
            deviation = channels(fields, "image_std");
        }
        double scale = fields.flag("do_rescale", true) ? fields.number("rescale_factor", 1 / 255.0, 1e-9, 1e9) : 1;
        if (height % shape.patch() != 0 || width % shape.patch() != 0) {
            throw unsupported(file, "size", "whole patches of %d pixels".formatted(shape.patch()));
        }
        return new ImageProcessor(shortest, filter, width, height, scale, mean, deviation);
    }

    private static float[] channels(Fields fields, String key) {
        JsonNode list = fields.node(key);
        if (!list.isArray() || list.size() != VisionConfiguration.CHANNELS) {
            throw fields.wrong(key, list, "a list of three numbers");
        }
        float[] values = new float[VisionConfiguration.CHANNELS];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) list.get(i).asDouble(Double.NaN);
            if (!Float.isFinite(values[i]) || key.equals("image_std") && values[i] <= 0) {
                throw fields.wrong(key, list, "a list of three numbers, deviations above 0");
            }
        }
        return values;
    }

    private static PaloverdeException unsupported(Path file, String key, String supported) {
        return new PaloverdeException(ErrorCode.UNSUPPORTED_MODEL, "%s: %s is not %s".formatted(file, key, supported));
    }

    /** {@return what the model sees of a picture: [3, height, width]} */
    float[] process(Picture picture) {
        Picture fitted = fit(picture);
        float[][] values = values();
        int pixels = width * height;
        float[] out = new float[VisionConfiguration.CHANNELS * pixels];
        byte[] rgb = fitted.rgb();
        for (int i = 0; i < pixels; i++) {
            for (int channel = 0; channel < VisionConfiguration.CHANNELS; channel++) {
                out[channel * pixels + i] = values[channel][rgb[VisionConfiguration.CHANNELS * i + channel] & 0xff];
            }
        }
        return out;
    }

    /** {@return the picture resized and cut, as the model's own processor does} */
    Picture fit(Picture picture) {
        if (shortestEdge == 0) {
            return Resizer.resize(picture, width, height, filter);
        }
        boolean upright = picture.width() <= picture.height();
        int shorter = upright ? picture.width() : picture.height();
        int longer = upright ? picture.height() : picture.width();
        int other = (int) ((double) shortestEdge * longer / shorter);
        int cutSide = upright ? height : width;
        Picture resized = ratioIsBounded(other, cutSide)
                ? Resizer.resize(picture, upright ? shortestEdge : other, upright ? other : shortestEdge, filter)
                : Resizer.resize(middle(picture, upright, shorter), shortestEdge, shortestEdge, filter);
        return resized.crop((resized.width() - width) / 2, (resized.height() - height) / 2, width, height);
    }

    /** A picture of one row a million pixels long would become one of 256 rows: only its middle is resized. */
    private static boolean ratioIsBounded(int longer, int cutSide) {
        return longer <= 64 * (long) cutSide;
    }

    private static Picture middle(Picture picture, boolean upright, int shorter) {
        int from = ((upright ? picture.height() : picture.width()) - shorter) / 2;
        return picture.crop(upright ? 0 : from, upright ? from : 0, shorter, shorter);
    }

    /** {@return [3][256] what a sample of a channel becomes} */
    float[][] values() {
        float[][] table = new float[VisionConfiguration.CHANNELS][SAMPLES];
        for (int channel = 0; channel < table.length; channel++) {
            for (int sample = 0; sample < SAMPLES; sample++) {
                table[channel][sample] = ((float) (sample * scale) - mean[channel]) / deviation[channel];
            }
        }
        return table;
    }
}
