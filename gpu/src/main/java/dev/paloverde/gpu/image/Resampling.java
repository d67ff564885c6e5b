package dev.paloverde.gpu.image;

import java.util.Arrays;
import java.util.Optional;

/**
 * Filters for resizing, by the names and numbers of Pillow's {@code Image.Resampling}. A filter is stretched by the factor
 * that an image shrinks by, so that every source pixel counts; enlarging interpolates.
 */
public enum Resampling {
    /** The one nearest pixel. */
    NEAREST(0, 0),
    /** {@code sinc(x) sinc(x / 3)} within 3 pixels. */
    LANCZOS(1, 3),
    /** {@code 1 - |x|} within 1 pixel. */
    BILINEAR(2, 1),
    /** Keys' cubic convolution with a = -1/2 within 2 pixels. */
    BICUBIC(3, 2),
    /** The mean of the pixels that an output pixel covers. */
    BOX(4, 0.5),
    /** A cosine window over {@code sinc(x)} within 1 pixel. */
    HAMMING(5, 1);

    /** The a of {@link #BICUBIC}. */
    private static final double KEYS = -0.5;

    private final int number;
    private final double support;

    Resampling(int number, double support) {
        this.number = number;
        this.support = support;
    }

    /** {@return the filter of a number in {@code preprocessor_config.json}} */
    public static Optional<Resampling> of(int number) {
        return Arrays.stream(values()).filter(filter -> filter.number == number).findFirst();
    }

    /** {@return the filter's value at a distance, before its weights are made to sum to 1} */
    double weight(double x) {
        double distance = Math.abs(x);
        return switch (this) {
            case NEAREST, BOX -> x > -0.5 && x <= 0.5 ? 1 : 0;
            case BILINEAR -> Math.max(0, 1 - distance);
            case BICUBIC -> cubic(distance);
            case LANCZOS -> distance < 3 ? sinc(x) * sinc(x / 3) : 0;
            case HAMMING -> distance < 1 ? sinc(x) * (0.54 + 0.46 * StrictMath.cos(Math.PI * x)) : 0;
        };
    }

    private static double cubic(double distance) {
        if (distance < 1) {
            return ((KEYS + 2) * distance - (KEYS + 3)) * distance * distance + 1;
        }
        return distance < 2 ? (((distance - 5) * distance + 8) * distance - 4) * KEYS : 0;
    }

    private static double sinc(double x) {
        return x == 0 ? 1 : StrictMath.sin(Math.PI * x) / (Math.PI * x);
    }

    /**
     * Which source pixels make an output pixel, along one axis.
     *
     * @param first [outputs] the first of them
     * @param weights [outputs][] of it and its successors; each row sums to 1
     */
    public record Taps(int[] first, double[][] weights) {}

    /** {@return the taps that take {@code from} pixels to {@code to}; not for {@link #NEAREST}} */
    public Taps taps(int from, int to) {
        double scale = (double) from / to;
        double stretch = Math.max(1, scale);
        double reach = support * stretch;
        int[] first = new int[to];
        double[][] weights = new double[to][];
        for (int i = 0; i < to; i++) {
            double center = (i + 0.5) * scale;
            int begin = Math.max(0, (int) (center - reach + 0.5));
            int end = Math.min(from, (int) (center + reach + 0.5));
            double[] row = new double[end - begin];
            double sum = 0;
            for (int j = 0; j < row.length; j++) {
                row[j] = weight((j + begin - center + 0.5) * (1 / stretch));
                sum += row[j];
            }
            for (int j = 0; j < row.length; j++) {
                row[j] = sum == 0 ? row[j] : row[j] / sum;
            }
            first[i] = begin;
            weights[i] = row;
        }
        return new Taps(first, weights);
    }
}
