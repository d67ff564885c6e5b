package dev.paloverde.data.text;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Traces of a rover on a plane. The heading turns by {@code dyaw} radians, then the rover moves by ({@code dx},
 * {@code dy}) meters in the world; {@code rel_t} is the time in seconds since the first line.
 */
final class Actions implements TextSource.Author {
    private static final double STEP_SECONDS = 0.5;
    private static final double MAXIMUM_TURN = 0.4;

    @Override
    public String write(Draws draws) {
        double x = 0;
        double y = 0;
        double yaw = draws.between(-3, 3) * 0.5;
        double goalX = draws.between(-30, 30) / 10.0;
        double goalY = draws.between(-30, 30) / 10.0;
        double speed = draws.pick(0.2, 0.3, 0.4, 0.5);
        Phrases phrases = new Phrases(draws)
                .bind("x", decimal(goalX))
                .bind("y", decimal(goalY))
                .bind(
                        "thing",
                        draws.pick(
                                "the small flag",
                                "the red stone",
                                "the water tank",
                                "the charging place",
                                "the tall saguaro"))
                .bind("yaw", decimal(yaw))
                .bind("speed", decimal(speed));
        List<String> lines = new ArrayList<>();
        lines.add(
                phrases.say(
                        "{The rover drives to $thing|Goal: $thing} at x=$x, y=$y. It starts at x=0.00, y=0.00, yaw=$yaw with a step of $speed meters."));
        double seconds = 0;
        double distance = Math.hypot(goalX - x, goalY - y);
        for (int step = 0; step < 16 && distance > speed / 2; step++) {
            double bearing = Math.IEEEremainder(Math.atan2(goalY - y, goalX - x) - yaw, 2 * Math.PI);
            double turn = Math.max(-MAXIMUM_TURN, Math.min(MAXIMUM_TURN, bearing));
            double forward = Math.abs(bearing) > 2 * MAXIMUM_TURN ? 0 : Math.min(speed, distance);
            double dyaw = round(turn);
            yaw += dyaw;
            double dx = round(forward * Math.cos(yaw));
            double dy = round(forward * Math.sin(yaw));
            x += dx;
            y += dy;
            lines.add("action: dx=%s, dy=%s, dyaw=%s, rel_t=%s"
                    .formatted(decimal(dx), decimal(dy), decimal(dyaw), decimal(seconds)));
            seconds += STEP_SECONDS;
            distance = Math.hypot(goalX - x, goalY - y);
        }
        phrases.bind("x", decimal(x))
                .bind("y", decimal(y))
                .bind("steps", lines.size() - 1)
                .bind("seconds", decimal(seconds));
        lines.add(phrases.say(
                distance <= speed / 2
                        ? "The rover {has arrived|stops} at x=$x, y=$y after $steps actions and $seconds seconds."
                        : "The rover is at x=$x, y=$y after $steps actions and is still on its way."));
        return String.join("\n", lines);
    }

    private static double round(double value) {
        return Math.rint(value * 100) / 100;
    }

    private static String decimal(double value) {
        double rounded = round(value);
        return String.format(Locale.ROOT, "%.2f", rounded == 0 ? 0.0 : rounded);
    }
}
