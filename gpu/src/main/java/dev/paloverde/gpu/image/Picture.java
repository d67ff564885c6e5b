package dev.paloverde.gpu.image;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;

/**
 * A decoded image: 8 bits of red, green and blue a pixel, row by row from the top left. The array is not copied; nobody
 * changes it.
 *
 * @param width pixels in a row, at least 1
 * @param height rows, at least 1
 * @param rgb {@code 3 * width * height} samples
 */
public record Picture(int width, int height, byte[] rgb) {
    /** Checks that the samples are as many as the sides say. */
    public Picture {
        if (width < 1 || height < 1 || rgb.length != 3L * width * height) {
            throw new PaloverdeException(
                    ErrorCode.INTERNAL, "%d samples for %d x %d pixels".formatted(rgb.length, width, height));
        }
    }

    /** {@return a sample from 0 to 255; channel 0 is red} */
    public int sample(int x, int y, int channel) {
        return rgb[3 * (y * width + x) + channel] & 0xff;
    }

    /**
     * {@return the part of the picture at {@code (left, top)}}
     *
     * @throws PaloverdeException {@code INTERNAL} where that is not within it
     */
    public Picture crop(int left, int top, int cropWidth, int cropHeight) {
        if (left < 0 || top < 0 || left + cropWidth > width || top + cropHeight > height) {
            throw new PaloverdeException(
                    ErrorCode.INTERNAL,
                    "%d x %d pixels at (%d, %d) of %d x %d".formatted(cropWidth, cropHeight, left, top, width, height));
        }
        byte[] part = new byte[3 * cropWidth * cropHeight];
        for (int y = 0; y < cropHeight; y++) {
            System.arraycopy(rgb, 3 * ((top + y) * width + left), part, 3 * y * cropWidth, 3 * cropWidth);
        }
        return new Picture(cropWidth, cropHeight, part);
    }
}
