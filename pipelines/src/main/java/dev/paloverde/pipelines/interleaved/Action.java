package dev.paloverde.pipelines.interleaved;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What was done between two frames, as {@code action: dx=0.38, dy=0.32, dyaw=-0.40, rel_t=0.50} (the form of Tong et al.,
 * "Beyond Language Modeling", arXiv 2603.03276).
 *
 * @param dx way forward
 * @param dy way to the side, in the unit of {@code dx}
 * @param dyaw turn, in radians
 * @param relativeTime seconds from the trajectory's begin
 */
public record Action(double dx, double dy, double dyaw, double relativeTime) {
    private static final String NUMBER = "(-?[0-9]{1,9}(?:\\.[0-9]{1,9})?)";
    private static final Pattern FORM =
            Pattern.compile("action: dx=" + NUMBER + ", dy=" + NUMBER + ", dyaw=" + NUMBER + ", rel_t=" + NUMBER);

    /** {@return the action that a text is, to the letter; none where it is not of the form, exponents and NaN included} */
    public static Optional<Action> parse(String text) {
        Matcher matcher = FORM.matcher(text);
        return matcher.matches()
                ? Optional.of(new Action(
                        Double.parseDouble(matcher.group(1)),
                        Double.parseDouble(matcher.group(2)),
                        Double.parseDouble(matcher.group(3)),
                        Double.parseDouble(matcher.group(4))))
                : Optional.empty();
    }
}
