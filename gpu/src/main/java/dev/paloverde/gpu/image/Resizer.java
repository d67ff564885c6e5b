package dev.paloverde.gpu.image;

import java.util.Arrays;

/**
 * Resizes pictures to the bit as Pillow does, which image processors of models are trained with: along rows first, then
 * along columns, weights in 22 bits of fixed point, samples rounded to 8 bits in between.
 */
public final class Resizer {
    /** 8 bits are the sample's, 2 are left for weights that are negative or overshoot. */
    private static final int FRACTION_BITS = 32 - 8 - 2;

    private static final int HALF = 1 << FRACTION_BITS - 1;

    private Resizer() {}

    /** {@return the picture with sides of {@code width} and {@code height}; itself where it has them} */
    public static Picture resize(Picture picture, int width, int height, Resampling filter) {
        if (picture.width() == width && picture.height() == height) {
            return picture;
        }
        if (filter == Resampling.NEAREST) {
            return nearest(picture, width, height);
        }
        Picture wide = picture.width() == width ? picture : rows(picture, width, filter);
        return wide.height() == height ? wide : columns(wide, height, filter);
    }

    private static Picture nearest(Picture picture, int width, int height) {
        byte[] out = new byte[3 * width * height];
        int[] columns = nearest(picture.width(), width);
        int[] rows = nearest(picture.height(), height);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int from = 3 * (rows[y] * picture.width() + columns[x]);
                System.arraycopy(picture.rgb(), from, out, 3 * (y * width + x), 3);
            }
        }
        return new Picture(width, height, out);
    }

    /** Places are summed up step by step, as Pillow does: that decides where one falls on the border of two pixels. */
    private static int[] nearest(int from, int to) {
        int[] pixels = new int[to];
        double step = (double) from / to;
        double place = step * 0.5;
        for (int i = 0; i < to; i++) {
            pixels[i] = Math.min(from - 1, (int) place);
            place += step;
        }
        return pixels;
    }

    private static Picture rows(Picture picture, int width, Resampling filter) {
        Resampling.Taps taps = filter.taps(picture.width(), width);
        int[][] weights = fixed(taps);
        byte[] in = picture.rgb();
        byte[] out = new byte[3 * width * picture.height()];
        for (int y = 0; y < picture.height(); y++) {
            for (int x = 0; x < width; x++) {
                int at = 3 * (y * picture.width() + taps.first()[x]);
                int red = HALF;
                int green = HALF;
                int blue = HALF;
                for (int weight : weights[x]) {
                    red += (in[at] & 0xff) * weight;
                    green += (in[at + 1] & 0xff) * weight;
                    blue += (in[at + 2] & 0xff) * weight;
                    at += 3;
                }
                int to = 3 * (y * width + x);
                out[to] = sample(red);
                out[to + 1] = sample(green);
                out[to + 2] = sample(blue);
            }
        }
        return new Picture(width, picture.height(), out);
    }

    private static Picture columns(Picture picture, int height, Resampling filter) {
        Resampling.Taps taps = filter.taps(picture.height(), height);
        int[][] weights = fixed(taps);
        int row = 3 * picture.width();
        byte[] in = picture.rgb();
        byte[] out = new byte[row * height];
        int[] sums = new int[row];
        for (int y = 0; y < height; y++) {
            Arrays.fill(sums, HALF);
            int at = taps.first()[y] * row;
            for (int weight : weights[y]) {
                for (int i = 0; i < row; i++) {
                    sums[i] += (in[at + i] & 0xff) * weight;
                }
                at += row;
            }
            for (int i = 0; i < row; i++) {
                out[y * row + i] = sample(sums[i]);
            }
        }
        return new Picture(picture.width(), height, out);
    }

    private static int[][] fixed(Resampling.Taps taps) {
        int[][] fixed = new int[taps.weights().length][];
        for (int i = 0; i < fixed.length; i++) {
            double[] weights = taps.weights()[i];
            fixed[i] = new int[weights.length];
            for (int j = 0; j < weights.length; j++) {
                double scaled = weights[j] * (1 << FRACTION_BITS);
                fixed[i][j] = (int) (scaled < 0 ? scaled - 0.5 : scaled + 0.5);
            }
        }
        return fixed;
    }

    private static byte sample(int sum) {
        return (byte) Math.max(0, Math.min(255, sum >> FRACTION_BITS));
    }
}
