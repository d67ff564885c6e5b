package dev.paloverde.pipelines.image;

import dev.paloverde.gpu.image.Picture;
import dev.paloverde.gpu.image.Resampling;
import dev.paloverde.gpu.image.Resizer;
import java.util.Arrays;

/**
 * The perceptual hash of a picture by its lowest frequencies: C. Zauner, "Implementation and Benchmarking of Perceptual Image
 * Hash Functions", Hagenberg 2010, in the form of the ImageHash library's {@code phash}: luminance, resized to 32 x 32 by
 * Lanczos' filter, cosine transform, of the lowest 8 x 8 frequencies each whether it is above their median. What looks alike
 * has hashes that differ in few of 64 bits.
 */
public final class PerceptualHash {
    private static final int SIDE = 32;
    private static final int LOW = 8;

    /** Coefficients are rounded to so many parts of one, so that what is zero but for rounding is zero. */
    private static final double PARTS = 1 << 10;

    /** Luminance of ITU-R BT.601 in 16 bits of fixed point, as Pillow's {@code convert("L")} has it. */
    private static final int RED = 19_595;

    private static final int GREEN = 38_470;
    private static final int BLUE = 7_471;

    /** [LOW][SIDE]: 2 cos(pi k (2 n + 1) / (2 SIDE)). */
    private static final double[][] COSINES = cosines();

    private PerceptualHash() {}

    private static double[][] cosines() {
        double[][] table = new double[LOW][SIDE];
        for (int k = 0; k < LOW; k++) {
            for (int n = 0; n < SIDE; n++) {
                table[k][n] = 2 * StrictMath.cos(Math.PI * k * (2 * n + 1) / (2 * SIDE));
            }
        }
        return table;
    }

    /** {@return the hash; its highest bit is the frequency 0, row by row} */
    public static long of(Picture picture) {
        Picture small = Resizer.resize(grey(picture), SIDE, SIDE, Resampling.LANCZOS);
        double[][] rows = new double[LOW][SIDE];
        for (int k = 0; k < LOW; k++) {
            for (int x = 0; x < SIDE; x++) {
                for (int y = 0; y < SIDE; y++) {
                    rows[k][x] += COSINES[k][y] * small.sample(x, y, 0);
                }
            }
        }
        double[] low = new double[LOW * LOW];
        for (int k = 0; k < LOW; k++) {
            for (int j = 0; j < LOW; j++) {
                double sum = 0;
                for (int x = 0; x < SIDE; x++) {
                    sum += COSINES[j][x] * rows[k][x];
                }
                low[k * LOW + j] = Math.rint(sum * PARTS) / PARTS;
            }
        }
        double[] sorted = low.clone();
        Arrays.sort(sorted);
        double median = (sorted[low.length / 2 - 1] + sorted[low.length / 2]) / 2;
        long hash = 0;
        for (double coefficient : low) {
            hash = hash << 1 | (coefficient > median ? 1 : 0);
        }
        return hash;
    }

    private static Picture grey(Picture picture) {
        byte[] rgb = picture.rgb();
        byte[] grey = new byte[rgb.length];
        for (int i = 0; i < rgb.length; i += 3) {
            byte luminance = (byte) luminance(rgb[i] & 0xff, rgb[i + 1] & 0xff, rgb[i + 2] & 0xff);
            grey[i] = luminance;
            grey[i + 1] = luminance;
            grey[i + 2] = luminance;
        }
        return new Picture(picture.width(), picture.height(), grey);
    }

    static int luminance(int red, int green, int blue) {
        return red * RED + green * GREEN + blue * BLUE + (1 << 15) >> 16;
    }
}
