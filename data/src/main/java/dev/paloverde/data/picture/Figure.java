package dev.paloverde.data.picture;

import java.util.ArrayList;
import java.util.List;

/**
 * A drawn thing, in a box of its own: x from -0.5 on the left to 0.5 on the right, y from 0 where it stands to 1 at its
 * top. Its body has an outline around all of it; details lie on the body and have none.
 */
final class Figure {
    private record Part(int rgb, double[] points, boolean body) {}

    private static final int OUTLINE = 0x3A3034;
    private static final double[] AROUND = {1, 0, 0.7, 0.7, 0, 1, -0.7, 0.7, -1, 0, -0.7, -0.7, 0, -1, 0.7, -0.7};

    private final List<Part> parts = new ArrayList<>();

    Figure body(int rgb, double... points) {
        parts.add(new Part(rgb, points, true));
        return this;
    }

    Figure bodyEllipse(int rgb, double x, double y, double radiusX, double radiusY) {
        return body(rgb, ellipse(x, y, radiusX, radiusY));
    }

    Figure detail(int rgb, double... points) {
        parts.add(new Part(rgb, points, false));
        return this;
    }

    Figure detailEllipse(int rgb, double x, double y, double radiusX, double radiusY) {
        return detail(rgb, ellipse(x, y, radiusX, radiusY));
    }

    static double[] rectangle(double left, double bottom, double right, double top) {
        return new double[] {left, bottom, left, top, right, top, right, bottom};
    }

    private static double[] ellipse(double x, double y, double radiusX, double radiusY) {
        double[] circle = Geometry.circle();
        double[] points = new double[circle.length];
        for (int at = 0; at < points.length; at += 2) {
            points[at] = x + radiusX * circle[at];
            points[at + 1] = y + radiusY * circle[at + 1];
        }
        return points;
    }

    /**
     * Draws it.
     *
     * @param x the middle of where it stands, in pixels
     * @param y the height of where it stands
     * @param width of the box, in pixels; negative for the mirror image
     * @param height of the box
     * @param outline thickness of the outline
     */
    void paint(Canvas canvas, double x, double y, double width, double height, double outline) {
        for (Part part : parts) {
            if (part.body()) {
                for (int around = 0; around < AROUND.length; around += 2) {
                    double shiftedX = x + outline * AROUND[around];
                    double shiftedY = y + outline * AROUND[around + 1];
                    canvas.polygon(OUTLINE, placed(part.points(), shiftedX, shiftedY, width, height));
                }
            }
        }
        for (Part part : parts) {
            canvas.polygon(part.rgb(), placed(part.points(), x, y, width, height));
        }
    }

    private static double[] placed(double[] points, double x, double y, double width, double height) {
        double[] placed = new double[points.length];
        for (int at = 0; at < points.length; at += 2) {
            placed[at] = x + width * points[at];
            placed[at + 1] = y - height * points[at + 1];
        }
        return placed;
    }
}
