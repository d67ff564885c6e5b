package dev.paloverde.data.text;

import static dev.paloverde.data.text.Drive.decimal;

import java.util.ArrayList;
import java.util.List;

/** Traces of a rover's {@link Drive}: where it is to go, one line for each action, and where it is in the end. */
final class Actions implements TextSource.Author {
    @Override
    public String write(Draws draws) {
        Drive drive = Drive.draw(draws);
        Phrases phrases = new Phrases(draws)
                .bind("x", decimal(drive.goalX()))
                .bind("y", decimal(drive.goalY()))
                .bind("thing", drive.goal().words())
                .bind("yaw", decimal(drive.yaw()))
                .bind("speed", decimal(drive.speed()));
        List<String> lines = new ArrayList<>();
        lines.add(
                phrases.say(
                        "{The rover drives to $thing|Goal: $thing} at x=$x, y=$y. It starts at x=0.00, y=0.00, yaw=$yaw with a step of $speed meters."));
        drive.actions().forEach(action -> lines.add(action.line()));
        int steps = drive.actions().size();
        Drive.Pose last = drive.poses().get(steps);
        phrases.bind("x", decimal(last.x()))
                .bind("y", decimal(last.y()))
                .bind("steps", steps)
                .bind("seconds", decimal(steps * Drive.STEP_SECONDS));
        lines.add(phrases.say(
                drive.arrives()
                        ? "The rover {has arrived|stops} at x=$x, y=$y after $steps actions and $seconds seconds."
                        : "The rover is at x=$x, y=$y after $steps actions and is still on its way."));
        return String.join("\n", lines);
    }
}
