package dev.paloverde.gpu.model;

import dev.paloverde.gpu.image.Picture;
import dev.paloverde.gpu.image.Resampling;

/**
 * The latents of an image where there is no model: its patches themselves. 224 x 224 pixels by bicubic resizing, samples from
 * -1 to 1, cut into 256 patches of 14 x 14, each [channel, row, column]. Weaker than a model's (Tong et al., arXiv
 * 2603.03276), and the same everywhere.
 */
public final class PixelPatches {
    /** Patches of an image. */
    public static final int TOKENS = 256;

    /** Numbers of a patch. */
    public static final int WIDTH = 588;

    /** Changes whenever a bit of any result does. */
    public static final String VERSION = "pixels-224-14-1";

    private static final int SIDE = 224;
    private static final int PATCH = 14;
    private static final float[] HALVES = {0.5f, 0.5f, 0.5f};
    private static final ImageProcessor PROCESSOR =
            new ImageProcessor(0, Resampling.BICUBIC, SIDE, SIDE, 1 / 255.0, HALVES, HALVES);

    private PixelPatches() {}

    /** {@return [TOKENS, WIDTH]} */
    public static float[] of(Picture picture) {
        float[] pixels = PROCESSOR.process(picture);
        float[] patches = new float[TOKENS * WIDTH];
        int columns = SIDE / PATCH;
        for (int patch = 0; patch < TOKENS; patch++) {
            int corner = patch / columns * PATCH * SIDE + patch % columns * PATCH;
            for (int row = 0; row < VisionConfiguration.CHANNELS * PATCH; row++) {
                int from = row / PATCH * SIDE * SIDE + corner + row % PATCH * SIDE;
                System.arraycopy(pixels, from, patches, patch * WIDTH + row * PATCH, PATCH);
            }
        }
        return patches;
    }
}
