package dev.paloverde.data.picture;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;

/**
 * A picture that polygons are filled into: {@value #SAMPLES} x {@value #SAMPLES} samples a pixel, averaged in the end.
 * Coordinates are pixels from the upper left corner, in fractions of a sample.
 */
final class Canvas {
    private static final int SAMPLES = 4;

    private final int width;
    private final int height;
    private final BufferedImage samples;
    private final Graphics2D graphics;

    Canvas(int width, int height) {
        this.width = width;
        this.height = height;
        samples = new BufferedImage(width * SAMPLES, height * SAMPLES, BufferedImage.TYPE_INT_RGB);
        graphics = samples.createGraphics();
    }

    int width() {
        return width;
    }

    int height() {
        return height;
    }

    /**
     * Fills a polygon.
     *
     * @param points x, y, x, y, ...
     * @param rgb 0xRRGGBB
     */
    void polygon(int rgb, double... points) {
        int[] xs = new int[points.length / 2];
        int[] ys = new int[points.length / 2];
        for (int point = 0; point < xs.length; point++) {
            xs[point] = (int) Math.rint(points[2 * point] * SAMPLES);
            ys[point] = (int) Math.rint(points[2 * point + 1] * SAMPLES);
        }
        graphics.setColor(new Color(rgb));
        graphics.fillPolygon(xs, ys, xs.length);
    }

    void rectangle(int rgb, double left, double top, double right, double bottom) {
        polygon(rgb, left, top, right, top, right, bottom, left, bottom);
    }

    void ellipse(int rgb, double centerX, double centerY, double radiusX, double radiusY) {
        double[] circle = Geometry.circle();
        double[] points = new double[circle.length];
        for (int at = 0; at < points.length; at += 2) {
            points[at] = centerX + radiusX * circle[at];
            points[at + 1] = centerY + radiusY * circle[at + 1];
        }
        polygon(rgb, points);
    }

    /** What was drawn so far, at its final size. */
    BufferedImage picture() {
        BufferedImage picture = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        int[] rows = new int[width * SAMPLES * SAMPLES];
        for (int y = 0; y < height; y++) {
            samples.getRGB(0, y * SAMPLES, width * SAMPLES, SAMPLES, rows, 0, width * SAMPLES);
            for (int x = 0; x < width; x++) {
                picture.setRGB(x, y, average(rows, x * SAMPLES));
            }
        }
        return picture;
    }

    private int average(int[] rows, int left) {
        int red = 0;
        int green = 0;
        int blue = 0;
        for (int row = 0; row < SAMPLES; row++) {
            for (int column = 0; column < SAMPLES; column++) {
                int rgb = rows[row * width * SAMPLES + left + column];
                red += rgb >> 16 & 0xFF;
                green += rgb >> 8 & 0xFF;
                blue += rgb & 0xFF;
            }
        }
        int count = SAMPLES * SAMPLES;
        int half = count / 2;
        return (red + half) / count << 16 | (green + half) / count << 8 | (blue + half) / count;
    }
}
