package dev.paloverde.data.picture;

import static dev.paloverde.data.picture.Figure.rectangle;
import static dev.paloverde.data.picture.Geometry.darker;
import static dev.paloverde.data.picture.Geometry.lighter;
import static dev.paloverde.data.picture.Geometry.mix;

import dev.paloverde.data.text.Scene;

/** The things of the world, each mostly in the color that is asked for. */
final class Figures {
    private static final int DARK = 0x3A3034;
    private static final int STEM = 0x4E8A44;
    private static final int STEEL = 0x9AA0A6;

    private Figures() {}

    static Figure of(Scene.Shape shape, int color) {
        return switch (shape) {
            case SAGUARO -> saguaro(color);
            case ROCK -> rock(color);
            case PALO_VERDE -> paloVerde(color);
            case BIRD -> bird(color);
            case HOUSE -> house(color);
            case BARREL -> barrel(color);
            case TENT -> tent(color);
            case FLOWER -> flower(color);
        };
    }

    static Figure saguaro(int color) {
        Figure figure = new Figure();
        arm(figure, color, -1, 0.36, 0.40, 0.70);
        arm(figure, color, 1, 0.30, 0.52, 0.84);
        figure.body(color, rectangle(-0.13, 0, 0.13, 0.92)).bodyEllipse(color, 0, 0.92, 0.13, 0.08);
        for (double x : new double[] {-0.06, 0.05}) {
            figure.detail(darker(color), rectangle(x - 0.012, 0.02, x + 0.012, 0.92));
        }
        return figure;
    }

    private static void arm(Figure figure, int color, int side, double reach, double from, double to) {
        double thick = 0.16;
        double outer = side * (reach + thick / 2);
        double inner = side * (reach - thick / 2);
        double left = Math.min(outer, inner);
        double right = Math.max(outer, inner);
        figure.body(color, rectangle(Math.min(0, outer), from, Math.max(0, outer), from + 0.09))
                .body(color, rectangle(left, from, right, to))
                .bodyEllipse(color, (left + right) / 2, to, thick / 2, 0.05)
                .detail(
                        darker(color),
                        rectangle((left + right) / 2 - 0.012, from + 0.05, (left + right) / 2 + 0.012, to));
    }

    static Figure rock(int color) {
        return new Figure()
                .body(color, -0.50, 0, -0.44, 0.42, -0.26, 0.80, 0.02, 1, 0.28, 0.86, 0.44, 0.50, 0.50, 0)
                .detail(lighter(color), -0.26, 0.80, 0.02, 1, 0.10, 0.70, -0.12, 0.56)
                .detail(darker(color), 0.50, 0, 0.44, 0.50, 0.28, 0.30, 0.18, 0);
    }

    static Figure paloVerde(int color) {
        int bark = mix(darker(color), 0x6E7A3A, 0.45);
        return new Figure()
                .body(
                        bark, -0.06, 0, -0.05, 0.30, -0.26, 0.60, -0.16, 0.62, 0.01, 0.40, 0.20, 0.62, 0.28, 0.58, 0.07,
                        0.28, 0.07, 0)
                .bodyEllipse(color, -0.25, 0.60, 0.25, 0.17)
                .bodyEllipse(color, 0.25, 0.58, 0.25, 0.17)
                .bodyEllipse(color, 0, 0.76, 0.34, 0.24)
                .detailEllipse(lighter(color), -0.14, 0.84, 0.10, 0.06)
                .detailEllipse(lighter(color), -0.32, 0.65, 0.08, 0.045)
                .detailEllipse(darker(color), 0.26, 0.50, 0.13, 0.045)
                .detailEllipse(darker(color), 0.16, 0.70, 0.10, 0.045);
    }

    static Figure bird(int color) {
        return new Figure()
                .body(0xE09030, rectangle(-0.09, 0, -0.05, 0.32))
                .body(0xE09030, rectangle(0.07, 0, 0.11, 0.32))
                .body(color, -0.50, 0.66, -0.46, 0.50, -0.12, 0.34, -0.10, 0.62)
                .bodyEllipse(color, 0, 0.48, 0.30, 0.24)
                .body(0xF0A030, 0.36, 0.86, 0.50, 0.76, 0.36, 0.70)
                .bodyEllipse(color, 0.24, 0.79, 0.17, 0.20)
                .detail(darker(color), -0.34, 0.52, -0.02, 0.36, 0.12, 0.44, 0.04, 0.60)
                .detailEllipse(DARK, 0.29, 0.84, 0.032, 0.038);
    }

    static Figure house(int color) {
        return new Figure()
                .body(color, rectangle(-0.42, 0, 0.42, 0.62))
                .body(darker(color), -0.50, 0.60, -0.30, 1, 0.30, 1, 0.50, 0.60)
                .detail(darker(darker(color)), rectangle(-0.12, 0, 0.10, 0.42))
                .detail(0xFFF2B8, rectangle(0.20, 0.22, 0.34, 0.44))
                .detail(0xFFF2B8, rectangle(-0.34, 0.22, -0.20, 0.44));
    }

    static Figure barrel(int color) {
        return new Figure()
                .body(
                        color, -0.38, 0, -0.47, 0.30, -0.50, 0.50, -0.47, 0.70, -0.38, 1, 0.38, 1, 0.47, 0.70, 0.50,
                        0.50, 0.47, 0.30, 0.38, 0)
                .detail(darker(color), -0.44, 0.20, -0.465, 0.28, 0.465, 0.28, 0.44, 0.20)
                .detail(darker(color), -0.465, 0.72, -0.44, 0.80, 0.44, 0.80, 0.465, 0.72)
                .detail(lighter(color), -0.34, 0.33, -0.36, 0.50, -0.34, 0.67, -0.22, 0.67, -0.24, 0.50, -0.22, 0.33);
    }

    static Figure tent(int color) {
        return new Figure()
                .body(color, -0.50, 0, 0, 1, 0.50, 0)
                .detail(lighter(color), -0.50, 0, 0, 1, -0.20, 0)
                .detail(darker(darker(color)), -0.12, 0, 0.02, 0.62, 0.16, 0);
    }

    static Figure flower(int color) {
        Figure figure = new Figure()
                .body(STEM, rectangle(-0.05, 0, 0.05, 0.55))
                .body(STEM, 0.03, 0.06, 0.34, 0.30, 0.30, 0.10)
                .body(STEM, -0.03, 0.12, -0.34, 0.36, -0.30, 0.16);
        for (int petal = 0; petal < 6; petal++) {
            double angle = Math.PI * petal / 3;
            figure.bodyEllipse(color, 0.29 * StrictMath.cos(angle), 0.74 + 0.155 * StrictMath.sin(angle), 0.20, 0.112);
        }
        return figure.detailEllipse(0x7A4A20, 0, 0.74, 0.16, 0.086).detailEllipse(0xF2C84B, -0.02, 0.75, 0.10, 0.052);
    }

    static Figure flag(int color) {
        return new Figure()
                .body(0xD8D8D8, rectangle(-0.30, 0, -0.22, 1))
                .body(color, -0.22, 0.98, 0.50, 0.80, -0.22, 0.60)
                .detail(darker(color), -0.22, 0.66, 0.22, 0.72, -0.22, 0.60);
    }

    static Figure waterTank() {
        int color = 0x5E9CC8;
        return new Figure()
                .body(0x7A5A40, rectangle(-0.40, 0, -0.30, 0.40))
                .body(0x7A5A40, rectangle(0.30, 0, 0.40, 0.40))
                .body(0x7A5A40, rectangle(-0.05, 0, 0.05, 0.40))
                .body(color, rectangle(-0.46, 0.36, 0.46, 0.86))
                .body(darker(color), -0.50, 0.86, 0, 1, 0.50, 0.86)
                .detail(lighter(color), rectangle(-0.38, 0.40, -0.24, 0.82))
                .detail(darker(color), rectangle(-0.46, 0.58, 0.46, 0.62));
    }

    static Figure chargingPlace() {
        return new Figure()
                .body(STEEL, -0.50, 0, -0.40, 0.08, 0.40, 0.08, 0.50, 0)
                .body(0xE8E8E8, rectangle(-0.20, 0.08, 0.20, 1))
                .detail(0x3D8F5A, rectangle(-0.14, 0.56, 0.14, 0.92))
                .detail(0xFFE35A, 0.04, 0.90, -0.09, 0.72, -0.01, 0.72, -0.04, 0.58, 0.09, 0.77, 0.01, 0.77)
                .detail(DARK, rectangle(-0.10, 0.30, 0.10, 0.40));
    }
}
