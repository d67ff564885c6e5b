package dev.paloverde.data.picture;

/** Points on a circle, and colors between colors. */
final class Geometry {
    private static final int CORNERS = 48;
    private static final double[] CIRCLE = new double[2 * CORNERS];

    static {
        for (int corner = 0; corner < CORNERS; corner++) {
            double angle = 2 * Math.PI * corner / CORNERS;
            CIRCLE[2 * corner] = StrictMath.cos(angle);
            CIRCLE[2 * corner + 1] = StrictMath.sin(angle);
        }
    }

    private Geometry() {}

    /** The unit circle as a polygon: x, y, x, y, ...; not to be changed. */
    static double[] circle() {
        return CIRCLE;
    }

    /** The color that has {@code share} of {@code second} and the rest of {@code first}. */
    static int mix(int first, int second, double share) {
        int mixed = 0;
        for (int shift = 16; shift >= 0; shift -= 8) {
            int from = first >> shift & 0xFF;
            int to = second >> shift & 0xFF;
            mixed |= (int) Math.rint(from + (to - from) * share) << shift;
        }
        return mixed;
    }

    static int lighter(int rgb) {
        return mix(rgb, 0xFFFFFF, 0.35);
    }

    static int darker(int rgb) {
        return mix(rgb, 0x201818, 0.22);
    }
}
