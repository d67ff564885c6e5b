package dev.paloverde.data.picture;

import dev.paloverde.data.text.Draws;
import dev.paloverde.data.text.Scene;
import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Draws a {@link Scene}: what is far away stands higher and is a little smaller, what is in front covers what is behind.
 * Things of neighboring rows are not quite below one another, so that none hides another. Size, place and color of a
 * thing are those of the scene, and nothing is drawn that the scene does not have.
 */
public final class SceneDrawing {
    /** Width and height of a drawing, in pixels. */
    public static final int SIDE = 224;

    private static final int HORIZON = 70;
    private static final double[] COLUMN_MIDDLES = {40, 112, 184};
    private static final double[] ROW_SHIFTS = {-14, 14, -14};
    private static final double[] ROW_GROUNDS = {100, 153, 212};
    private static final double[] ROW_SCALES = {0.74, 0.87, 1};

    /**
     * Where a thing is.
     *
     * @param left of its box, in pixels from the left
     * @param top of its box, in pixels from above
     * @param right one past its box
     * @param bottom one past its box
     */
    public record Box(int left, int top, int right, int bottom) {}

    private record Extent(double width, double height) {}

    private SceneDrawing() {}

    /**
     * Draws a scene.
     *
     * @param seed of the details that no caption tells, such as the places of the stars
     * @return {@value #SIDE} x {@value #SIDE} pixels of RGB, the same for the same two
     */
    public static BufferedImage draw(Scene scene, long seed) {
        Canvas canvas = new Canvas(SIDE, SIDE);
        new Backdrop(canvas, Draws.of(seed, "backdrop", 0), HORIZON).paint(scene.ground(), scene.sky());
        List<Scene.Item> backToFront = new ArrayList<>(scene.items());
        backToFront.sort(Comparator.comparingInt(Scene.Item::row).thenComparingInt(Scene.Item::column));
        for (Scene.Item item : backToFront) {
            Extent extent = extent(item);
            boolean mirrored =
                    Draws.of(seed, "mirror", 3L * item.row() + item.column()).below(2) == 1;
            double width = mirrored ? -extent.width() : extent.width();
            Figures.of(item.shape(), rgb(item.color()))
                    .paint(canvas, middle(item), ground(item), width, extent.height(), outline(extent));
        }
        return canvas.picture();
    }

    /** The box of a thing, without its outline, cut to the picture. */
    public static Box box(Scene.Item item) {
        Extent extent = extent(item);
        return new Box(
                (int) Math.max(0, Math.floor(middle(item) - extent.width() / 2)),
                (int) Math.max(0, Math.floor(ground(item) - extent.height())),
                (int) Math.min(SIDE, Math.ceil(middle(item) + extent.width() / 2)),
                (int) Math.min(SIDE, Math.ceil(ground(item))));
    }

    /** The color that most of a thing has, 0xRRGGBB. */
    public static int rgb(Scene.Color color) {
        return switch (color) {
            case GREEN -> 0x3F9142;
            case ORANGE -> 0xF08A24;
            case YELLOW -> 0xF7D032;
            case WHITE -> 0xFAFAFA;
            case BROWN -> 0x85552F;
            case RED -> 0xCF3030;
            case BLUE -> 0x3A6BC8;
            case GRAY -> 0x8E9196;
        };
    }

    /** Thinner for what is small, which would else be all outline. */
    private static double outline(Extent extent) {
        return Math.max(0.4, Math.min(1, Math.sqrt(extent.width() * extent.height()) / 36));
    }

    private static double middle(Scene.Item item) {
        return COLUMN_MIDDLES[item.column()] + ROW_SHIFTS[item.row()];
    }

    private static double ground(Scene.Item item) {
        return ROW_GROUNDS[item.row()];
    }

    private static Extent extent(Scene.Item item) {
        Extent large = switch (item.shape()) {
            case SAGUARO -> new Extent(34, 58);
            case ROCK -> new Extent(46, 32);
            case PALO_VERDE -> new Extent(50, 52);
            case BIRD -> new Extent(42, 38);
            case HOUSE -> new Extent(48, 44);
            case BARREL -> new Extent(30, 38);
            case TENT -> new Extent(50, 38);
            case FLOWER -> new Extent(26, 48);
        };
        double scale = ROW_SCALES[item.row()];
        return switch (item.size()) {
            case LARGE -> new Extent(large.width() * scale, large.height() * scale);
            case TALL -> new Extent(large.width() * scale * 0.68, large.height() * scale * 1.4);
            case SMALL -> new Extent(large.width() * scale * 0.6, large.height() * scale * 0.6);
            case TINY -> new Extent(large.width() * scale * 0.42, large.height() * scale * 0.42);
        };
    }
}
