package dev.paloverde.gpu.kernels;

import java.util.Arrays;

/**
 * How images become rows of patches: image {@code i} is rows {@code i * sequence} and on, of which the first {@code prefix}
 * are not patches and become zero; patches follow row by row from the top left.
 *
 * @param width of an image in pixels, a multiple of {@code side}
 * @param height of it, likewise
 * @param side of a patch in pixels
 * @param prefix rows of an image before its patches
 * @param order of a patch's numbers
 * @param values [3][256] what a sample of red, green and blue becomes
 */
public record PatchLayout(int width, int height, int side, int prefix, Order order, float[][] values) {
    /** Samples of a pixel. */
    static final int CHANNELS = 3;

    /** How a patch's numbers stand. */
    public enum Order {
        /** [3, side, side]. */
        CHANNELS_FIRST,
        /** [side, side, 3]. */
        CHANNELS_LAST
    }

    /** {@return patches of an image} */
    public int patches() {
        return width / side * (height / side);
    }

    /** {@return rows of an image} */
    public int sequence() {
        return prefix + patches();
    }

    /** {@return numbers of a patch} */
    public int numbers() {
        return CHANNELS * side * side;
    }

    /** {@return samples of an image} */
    public int samples() {
        return CHANNELS * width * height;
    }

    /**
     * Cuts one image.
     *
     * @param samples {@link #samples} of them: [height, width, 3]
     * @param out [sequence, numbers] from {@code at} on
     */
    void cut(byte[] samples, float[] out, int at) {
        Arrays.fill(out, at, at + prefix * numbers(), 0f);
        int across = width / side;
        int row = at + prefix * numbers();
        for (int patch = 0; patch < patches(); patch++, row += numbers()) {
            int corner = patch / across * side * width + patch % across * side;
            for (int y = 0; y < side; y++) {
                for (int x = 0; x < side; x++) {
                    int from = CHANNELS * (corner + y * width + x);
                    int pixel = y * side + x;
                    for (int channel = 0; channel < CHANNELS; channel++) {
                        int to = order == Order.CHANNELS_LAST
                                ? CHANNELS * pixel + channel
                                : channel * side * side + pixel;
                        out[row + to] = values[channel][samples[from + channel] & 0xff];
                    }
                }
            }
        }
    }
}
