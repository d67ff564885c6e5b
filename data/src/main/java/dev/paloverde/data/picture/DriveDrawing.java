package dev.paloverde.data.picture;

import static dev.paloverde.data.picture.Geometry.mix;

import dev.paloverde.data.text.Draws;
import dev.paloverde.data.text.Drive;
import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Draws what the camera of a rover sees on a {@link Drive}: a pinhole camera that looks along the heading over 90
 * degrees, {@value #CAMERA_HEIGHT} meters above the ground, {@value #CAMERA_BEHIND} meters behind the rover's front. The
 * pose of a drive is that of the front, so a goal that was reached stands just before the rover's nose. The goal is where
 * the trace has it; all else in the desert is scenery, and stays where it is from frame to frame.
 */
public final class DriveDrawing {
    /** Width and height of a frame, in pixels. */
    public static final int SIDE = 224;

    private static final double CAMERA_HEIGHT = 0.5;
    private static final double CAMERA_BEHIND = 0.8;
    private static final double FOCAL_LENGTH = SIDE / 2.0;
    private static final double NEAREST = 0.3;
    private static final int HORIZON = 86;
    private static final int BAND = 4;
    private static final double SUN_DIRECTION = 0.9;

    /** Something that stands upright and always shows its face, in meters. */
    private record Landmark(Figure figure, double x, double y, double width, double height) {}

    /** Something flat on the ground, round, in meters. */
    private record Spot(int rgb, double x, double y, double radius) {}

    /** A point of the ground as the camera sees it: {@code scale} pixels to the meter, there and upright. */
    private record View(double x, double y, double scale) {}

    private final Drive drive;
    private final List<Landmark> landmarks = new ArrayList<>();
    private final List<Spot> spots = new ArrayList<>();

    /**
     * Lays out a desert around a drive.
     *
     * @param seed of the scenery
     */
    public DriveDrawing(Drive drive, long seed) {
        this.drive = drive;
        Draws draws = Draws.of(seed, "drive-scenery", 0);
        landmarks.add(goal());
        for (int tries = 0; tries < 400 && landmarks.size() < 22; tries++) {
            double x = draws.between(-90, 90) / 10.0;
            double y = draws.between(-90, 90) / 10.0;
            Landmark landmark = landmark(draws, x, y);
            if (standsFree(landmark)) {
                landmarks.add(landmark);
            }
        }
        for (int spot = 0; spot < 420; spot++) {
            double x = draws.between(-600, 600) / 100.0;
            double y = draws.between(-600, 600) / 100.0;
            spots.add(new Spot(draws.pick(0xC9A25E, 0xD3B171, 0xB89058, 0xF0DCA4), x, y, draws.between(2, 5) / 100.0));
        }
    }

    /** {@return the frames: what is seen before each action, and in the end} */
    public List<BufferedImage> frames() {
        return drive.poses().stream().map(this::frame).toList();
    }

    private Landmark goal() {
        double x = drive.goalX();
        double y = drive.goalY();
        return switch (drive.goal()) {
            case SMALL_FLAG -> new Landmark(Figures.flag(0xE23B3B), x, y, 0.30, 0.62);
            case RED_STONE -> new Landmark(Figures.rock(0xCF3030), x, y, 0.46, 0.32);
            case WATER_TANK -> new Landmark(Figures.waterTank(), x, y, 0.60, 0.78);
            case CHARGING_PLACE -> new Landmark(Figures.chargingPlace(), x, y, 0.50, 0.60);
            case TALL_SAGUARO -> new Landmark(Figures.saguaro(0x3F9142), x, y, 0.50, 1.15);
        };
    }

    /** Scenery is small beside a goal of its kind, and never red. */
    private static Landmark landmark(Draws draws, double x, double y) {
        double size = draws.between(8, 12) / 10.0;
        return switch (draws.below(5)) {
            case 0 -> new Landmark(Figures.saguaro(0x5C9A58), x, y, 0.34 * size, 0.62 * size);
            case 1 -> new Landmark(Figures.paloVerde(0x86A83E), x, y, 0.95 * size, 0.95 * size);
            case 2 -> new Landmark(Figures.rock(0xA08468), x, y, 0.50 * size, 0.30 * size);
            case 3 -> new Landmark(Figures.rock(0x96938E), x, y, 0.36 * size, 0.26 * size);
            default -> new Landmark(Figures.flower(0xF7D032), x, y, 0.20 * size, 0.34 * size);
        };
    }

    private boolean standsFree(Landmark landmark) {
        for (Landmark other : landmarks) {
            if (distance(landmark, other.x(), other.y()) < 0.9) {
                return false;
            }
        }
        for (Drive.Pose pose : drive.poses()) {
            if (distance(landmark, pose.x(), pose.y()) < 1.3 || hidesGoal(landmark, pose)) {
                return false;
            }
        }
        return true;
    }

    private static double distance(Landmark landmark, double x, double y) {
        return Math.sqrt((landmark.x() - x) * (landmark.x() - x) + (landmark.y() - y) * (landmark.y() - y));
    }

    /** Whether it stands in the line of sight from the rover's way to the goal. */
    private boolean hidesGoal(Landmark landmark, Drive.Pose pose) {
        double wayX = drive.goalX() - pose.x();
        double wayY = drive.goalY() - pose.y();
        double length = Math.sqrt(wayX * wayX + wayY * wayY);
        if (length == 0) {
            return false;
        }
        double along = ((landmark.x() - pose.x()) * wayX + (landmark.y() - pose.y()) * wayY) / length;
        double aside = Math.abs((landmark.x() - pose.x()) * wayY - (landmark.y() - pose.y()) * wayX) / length;
        return along > -1 && along < length && aside < 0.9;
    }

    private BufferedImage frame(Drive.Pose pose) {
        Canvas canvas = new Canvas(SIDE, SIDE);
        sky(canvas, pose.yaw());
        ground(canvas);
        for (Spot spot : spots) {
            View view = view(pose, spot.x(), spot.y());
            if (view != null && view.scale() > 20) {
                double radius = spot.radius() * view.scale();
                canvas.ellipse(spot.rgb(), view.x(), view.y(), radius, radius * flatness(view));
            }
        }
        List<Landmark> backToFront = new ArrayList<>(landmarks);
        backToFront.removeIf(landmark -> view(pose, landmark.x(), landmark.y()) == null);
        backToFront.sort(Comparator.comparingDouble(
                landmark -> view(pose, landmark.x(), landmark.y()).scale()));
        for (Landmark landmark : backToFront) {
            View view = view(pose, landmark.x(), landmark.y());
            double width = landmark.width() * view.scale();
            canvas.ellipse(0xB8934F, view.x(), view.y(), width * 0.55, width * 0.55 * flatness(view));
            double outline = Math.max(0.4, Math.min(1.2, 0.014 * view.scale()));
            landmark.figure().paint(canvas, view.x(), view.y(), width, landmark.height() * view.scale(), outline);
        }
        nose(canvas);
        return canvas.picture();
    }

    /** How a circle on the ground looks: its height on the picture over its width. */
    private static double flatness(View view) {
        return Math.min(0.9, CAMERA_HEIGHT * view.scale() / FOCAL_LENGTH);
    }

    private static View view(Drive.Pose pose, double x, double y) {
        double cosine = StrictMath.cos(pose.yaw());
        double sine = StrictMath.sin(pose.yaw());
        double forward = (x - pose.x()) * cosine + (y - pose.y()) * sine + CAMERA_BEHIND;
        double left = (y - pose.y()) * cosine - (x - pose.x()) * sine;
        if (forward < NEAREST) {
            return null;
        }
        double scale = FOCAL_LENGTH / forward;
        return new View(SIDE / 2.0 - left * scale, HORIZON + CAMERA_HEIGHT * scale, scale);
    }

    private void sky(Canvas canvas, double yaw) {
        for (int y = 0; y < HORIZON; y += BAND) {
            canvas.rectangle(mix(0x86C1EC, 0xF6E7CF, y / (double) HORIZON), 0, y, SIDE, y + BAND);
        }
        double toSun = StrictMath.IEEEremainder(SUN_DIRECTION - yaw, 2 * Math.PI);
        if (Math.abs(toSun) < 1.2) {
            canvas.ellipse(0xFFF4CC, SIDE / 2.0 - FOCAL_LENGTH * StrictMath.tan(toSun), 24, 11, 11);
        }
        hills(canvas, yaw, 0xB9A3B4, 13, 5, 3, 0.4);
        hills(canvas, yaw, 0xA08A86, 6, 3, 5, 2.1);
    }

    /** Far hills: the same for every place, so only the heading moves them. */
    private static void hills(Canvas canvas, double yaw, int rgb, double height, double rise, int waves, double phase) {
        int step = 4;
        int columns = SIDE / step + 1;
        double[] points = new double[2 * (columns + 2)];
        for (int column = 0; column < columns; column++) {
            double angle = yaw + StrictMath.atan((SIDE / 2.0 - column * step) / FOCAL_LENGTH);
            points[2 * column] = column * step;
            points[2 * column + 1] = HORIZON
                    - height
                    - rise * StrictMath.sin(waves * angle + phase)
                    - rise / 2 * StrictMath.sin((2 * waves + 1) * angle + 2 * phase);
        }
        points[2 * columns] = SIDE;
        points[2 * columns + 1] = HORIZON;
        points[2 * columns + 2] = 0;
        points[2 * columns + 3] = HORIZON;
        canvas.polygon(rgb, points);
    }

    private static void ground(Canvas canvas) {
        for (int y = HORIZON; y < SIDE; y += BAND) {
            double share = (y - HORIZON) / (double) (SIDE - HORIZON);
            canvas.rectangle(mix(0xEAD6A0, 0xDDB873, share), 0, y, SIDE, y + BAND);
        }
    }

    /** The rover's own deck, 0.4 meters wide and 0.12 above the ground, up to its front. */
    private static void nose(Canvas canvas) {
        double middle = SIDE / 2.0;
        double scale = FOCAL_LENGTH / CAMERA_BEHIND;
        double front = HORIZON + (CAMERA_HEIGHT - 0.12) * scale;
        double half = 0.2 * scale;
        double spread = (SIDE - HORIZON) / (front - HORIZON);
        for (int side = -1; side <= 1; side += 2) {
            double tire = middle + side * (half + 6);
            canvas.ellipse(0x3A3034, tire, front + 14, 7, 13);
            canvas.ellipse(0x6B6464, tire, front + 14, 3, 6);
        }
        canvas.polygon(
                0x3A3034,
                middle - half - 1.5,
                front - 1.5,
                middle + half + 1.5,
                front - 1.5,
                middle + half * spread + 1.5,
                SIDE,
                middle - half * spread - 1.5,
                SIDE);
        canvas.polygon(
                0xC9CDD2,
                middle - half,
                front,
                middle + half,
                front,
                middle + half * spread,
                SIDE,
                middle - half * spread,
                SIDE);
        for (int cell = 0; cell < 3; cell++) {
            double top = front + 8 + 20 * cell;
            double bottom = top + 16;
            double wideTop = half * (top - HORIZON) / (front - HORIZON);
            double wideBottom = half * (bottom - HORIZON) / (front - HORIZON);
            canvas.polygon(
                    0x3D5C8A,
                    middle - 0.8 * wideTop,
                    top,
                    middle - 0.05 * wideTop,
                    top,
                    middle - 0.05 * wideBottom,
                    bottom,
                    middle - 0.8 * wideBottom,
                    bottom);
            canvas.polygon(
                    0x3D5C8A,
                    middle + 0.05 * wideTop,
                    top,
                    middle + 0.8 * wideTop,
                    top,
                    middle + 0.8 * wideBottom,
                    bottom,
                    middle + 0.05 * wideBottom,
                    bottom);
        }
    }
}
