package dev.paloverde.data.text;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The drive of a small rover on a plane, which a document of the source {@code actions} records. Lengths are meters,
 * angles radians counted from the x axis towards the y axis.
 *
 * @param goal what it drives to
 * @param goalX where that stands
 * @param goalY where that stands
 * @param yaw the heading at the start, which is at (0, 0)
 * @param speed the longest way of one action
 * @param actions what the rover does, one after another
 */
public record Drive(Goal goal, double goalX, double goalY, double yaw, double speed, List<Action> actions) {
    /** The time from one action to the next. */
    public static final double STEP_SECONDS = 0.5;

    private static final double MAXIMUM_TURN = 0.4;
    private static final int MAXIMUM_ACTIONS = 16;

    /** What a rover drives to. The order is that of the draws. */
    public enum Goal {
        SMALL_FLAG,
        RED_STONE,
        WATER_TANK,
        CHARGING_PLACE,
        TALL_SAGUARO;

        /** As traces have it. */
        public String words() {
            return "the " + name().toLowerCase(Locale.ROOT).replace('_', ' ');
        }
    }

    /**
     * The heading turns by {@code dyaw}, then the rover moves by ({@code dx}, {@code dy}) in the world.
     *
     * @param seconds since the first action
     */
    public record Action(double dx, double dy, double dyaw, double seconds) {
        /** The line of a trace. */
        public String line() {
            return "action: dx=%s, dy=%s, dyaw=%s, rel_t=%s"
                    .formatted(decimal(dx), decimal(dy), decimal(dyaw), decimal(seconds));
        }
    }

    /**
     * Where a rover is.
     *
     * @param yaw its heading
     */
    public record Pose(double x, double y, double yaw) {}

    public Drive {
        actions = List.copyOf(actions);
    }

    /** The drive that {@code TextSource.ACTIONS.document(seed, index)} records. */
    public static Drive of(long seed, int index) {
        return draw(Draws.of(seed, TextSource.ACTIONS.label(), index));
    }

    static Drive draw(Draws draws) {
        double yaw = draws.between(-3, 3) * 0.5;
        double goalX = draws.between(-30, 30) / 10.0;
        double goalY = draws.between(-30, 30) / 10.0;
        double speed = draws.pick(0.2, 0.3, 0.4, 0.5);
        Goal goal = draws.pick(Goal.values());
        return new Drive(goal, goalX, goalY, yaw, speed, actions(yaw, goalX, goalY, speed));
    }

    private static List<Action> actions(double startYaw, double goalX, double goalY, double speed) {
        List<Action> actions = new ArrayList<>();
        double x = 0;
        double y = 0;
        double yaw = startYaw;
        double seconds = 0;
        double distance = Math.hypot(goalX - x, goalY - y);
        for (int step = 0; step < MAXIMUM_ACTIONS && distance > speed / 2; step++) {
            double bearing = Math.IEEEremainder(Math.atan2(goalY - y, goalX - x) - yaw, 2 * Math.PI);
            double turn = Math.max(-MAXIMUM_TURN, Math.min(MAXIMUM_TURN, bearing));
            double forward = Math.abs(bearing) > 2 * MAXIMUM_TURN ? 0 : Math.min(speed, distance);
            double dyaw = round(turn);
            yaw += dyaw;
            double dx = round(forward * Math.cos(yaw));
            double dy = round(forward * Math.sin(yaw));
            x += dx;
            y += dy;
            actions.add(new Action(dx, dy, dyaw, seconds));
            seconds += STEP_SECONDS;
            distance = Math.hypot(goalX - x, goalY - y);
        }
        return actions;
    }

    /** Where the rover is before each action, and at the end: one more than there are actions. */
    public List<Pose> poses() {
        List<Pose> poses = new ArrayList<>();
        Pose pose = new Pose(0, 0, yaw);
        poses.add(pose);
        for (Action action : actions) {
            pose = new Pose(pose.x() + action.dx(), pose.y() + action.dy(), pose.yaw() + action.dyaw());
            poses.add(pose);
        }
        return poses;
    }

    /** Whether the rover ends at the goal: nearer than half the way of an action. */
    public boolean arrives() {
        Pose last = poses().get(actions.size());
        return Math.hypot(goalX - last.x(), goalY - last.y()) <= speed / 2;
    }

    static double round(double value) {
        return Math.rint(value * 100) / 100;
    }

    static String decimal(double value) {
        double rounded = round(value);
        return String.format(Locale.ROOT, "%.2f", rounded == 0 ? 0.0 : rounded);
    }
}
