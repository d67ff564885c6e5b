package dev.paloverde.data.picture;

import static dev.paloverde.data.picture.Geometry.mix;

import dev.paloverde.data.text.Draws;
import dev.paloverde.data.text.Scene;

/** Sky and ground of a scene. */
final class Backdrop {
    private final Canvas canvas;
    private final Draws draws;
    private final int horizon;

    Backdrop(Canvas canvas, Draws draws, int horizon) {
        this.canvas = canvas;
        this.draws = draws;
        this.horizon = horizon;
    }

    void paint(Scene.Ground ground, Scene.Sky sky) {
        switch (sky) {
            case BLUE -> gradient(0, horizon, 0x7DBBEA, 0xDCEFFA);
            case PINK_EVENING -> gradient(0, horizon, 0xB070B0, 0xFBC0C4);
            case DARK_WITH_STARS -> {
                gradient(0, horizon, 0x10142E, 0x2C3462);
                stars();
            }
            case GRAY_WITH_RAIN -> {
                gradient(0, horizon, 0x7F868E, 0xB4BABF);
                clouds();
            }
            case ORANGE_SUNRISE -> {
                gradient(0, horizon, 0xF08A3C, 0xFFD58A);
                canvas.ellipse(0xFFE7A6, 75.5, horizon, 22, 22);
                canvas.ellipse(0xFFF3C8, 75.5, horizon, 16, 16);
            }
        }
        switch (ground) {
            case YELLOW_SAND -> sand();
            case BROWN_SOIL -> soil();
            case GRAY_STONES -> stones();
            case DRY_GRASS -> grass();
        }
        if (sky == Scene.Sky.GRAY_WITH_RAIN) {
            rain();
        }
    }

    private void gradient(int top, int bottom, int from, int to) {
        for (int y = top; y < bottom; y++) {
            canvas.rectangle(mix(from, to, (y - top) / (double) (bottom - top)), 0, y, canvas.width(), y + 1);
        }
    }

    private void stars() {
        for (int star = 0; star < 42; star++) {
            double x = draws.between(2, canvas.width() - 3);
            double y = draws.between(2, horizon - 8);
            double radius = draws.between(2, 5) / 4.0;
            canvas.polygon(0xFFF8DC, x, y - radius, x + radius, y, x, y + radius, x - radius, y);
        }
    }

    private void clouds() {
        for (int cloud = 0; cloud < 5; cloud++) {
            double x = cloud * 50 + draws.between(0, 24);
            double y = draws.between(6, 20);
            int color = mix(0x6B7178, 0x989EA5, draws.below(3) / 4.0);
            for (int part = -1; part <= 1; part++) {
                canvas.ellipse(color, x + 15 * part, y + 3 * part * part, 17, 9);
            }
        }
    }

    private void rain() {
        for (int drop = 0; drop < 110; drop++) {
            double x = draws.between(0, canvas.width());
            double y = draws.between(18, canvas.height());
            canvas.polygon(0xC9D6E2, x, y, x + 1, y, x - 2, y + 8, x - 3, y + 8);
        }
    }

    private void sand() {
        gradient(horizon, canvas.height(), 0xEFDDA8, 0xE4C67C);
        for (int ripple = 0; ripple < 46; ripple++) {
            double y = depth();
            double near = nearness(y);
            canvas.ellipse(0xD9BA72, draws.between(0, canvas.width()), y, 5 + 14 * near, 0.4 + 0.7 * near);
        }
    }

    private void soil() {
        gradient(horizon, canvas.height(), 0xB48C66, 0x94683F);
        for (int clod = 0; clod < 120; clod++) {
            double y = depth();
            double near = nearness(y);
            int color = draws.pick(0x84592F, 0xA98055, 0x784F2A);
            canvas.ellipse(color, draws.between(0, canvas.width()), y, 0.8 + 2.4 * near, 0.5 + 1.2 * near);
        }
    }

    private void stones() {
        gradient(horizon, canvas.height(), 0xB5B3AF, 0xA19F9B);
        for (int y = horizon + 3; y < canvas.height() + 6; y += 3 + (y - horizon) / 14) {
            double near = nearness(y);
            for (double x = draws.between(-6, 0); x < canvas.width() + 6; x += 7 + 14 * near + draws.below(6)) {
                int color = draws.pick(0xC9C7C3, 0x8D8B88, 0xBAB4AA, 0x9CA0A4);
                canvas.ellipse(0x86837F, x, y + 0.8, 1.8 + 4.4 * near, 1.1 + 2.5 * near);
                canvas.ellipse(color, x, y, 1.8 + 4.4 * near, 1.0 + 2.3 * near);
            }
        }
    }

    private void grass() {
        gradient(horizon, canvas.height(), 0xD8C98A, 0xC2AC5E);
        for (int y = horizon + 3; y < canvas.height() + 8; y += 5 + (y - horizon) / 16) {
            double tall = 2.5 + 8 * nearness(y);
            for (double x = draws.between(-8, 0); x < canvas.width() + 4; x += draws.between(10, 22)) {
                int color = draws.pick(0xA98F45, 0xB69A4C, 0xE3D596);
                double lean = draws.between(-3, 3) * tall / 10;
                canvas.polygon(color, x - 0.6, y, x + lean - tall / 4, y - tall, x + 0.6, y);
                canvas.polygon(color, x - 0.6, y, x + lean + tall / 4, y - tall * 0.9, x + 0.6, y);
            }
        }
    }

    private double depth() {
        double share = draws.below(1000) / 1000.0;
        return horizon + 2 + (canvas.height() - horizon) * share * (0.35 + 0.65 * share);
    }

    private double nearness(double y) {
        return (y - horizon) / (canvas.height() - horizon);
    }
}
