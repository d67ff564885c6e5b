package dev.paloverde.gpu.image;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.Serializable;

/**
 * What an image may have before it is decoded: a file of a few bytes can claim gigabytes of pixels.
 *
 * @param maxPixels width times height
 * @param maxFrames of an animation
 */
public record ImageLimits(long maxPixels, int maxFrames) implements Serializable {
    /** 89,478,485 pixels, where Pillow begins to warn of decompression bombs (a quarter GiB of RGB); 4096 frames. */
    public static final ImageLimits STANDARD = new ImageLimits(89_478_485, 4_096);

    /** The most pixels whose samples fit into an array. */
    private static final long MOST = (Integer.MAX_VALUE - 16) / 4;

    /** Checks the limits themselves. */
    public ImageLimits {
        if (maxPixels < 1 || maxPixels > MOST || maxFrames < 1) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "a limit of %d pixels and %d frames; give from 1 to %d pixels, and at least 1 frame"
                            .formatted(maxPixels, maxFrames, MOST));
        }
    }

    /** @throws PaloverdeException {@code IMAGE_TOO_LARGE} */
    void check(long width, long height) {
        if (width * height > maxPixels) {
            throw new PaloverdeException(
                    ErrorCode.IMAGE_TOO_LARGE,
                    "the image claims %,d x %,d pixels, more than the %,d allowed".formatted(width, height, maxPixels));
        }
    }
}
