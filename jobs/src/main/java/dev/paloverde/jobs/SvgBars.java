package dev.paloverde.jobs;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Bars as SVG, for a page that must be one file and stay sharp. (XChart, which {@link Plots} draws with, needs a library
 * under the LGPL for SVG, which is not in the assembly.) Each bar has two parts that stand on one another, and says its
 * figures when it is pointed at.
 */
final class SvgBars {
    private static final String FIRST = "#2a6f6b";
    private static final String SECOND = "#d9a441";
    private static final int LEFT = 56;
    private static final int TOP = 26;
    private static final int BOTTOM = 40;

    private final String title;
    private final List<String> parts;
    private final List<Bar> bars = new ArrayList<>();

    /**
     * @param title what is shown
     * @param first what the first parts of bars are
     * @param second what the second are
     */
    SvgBars(String title, String first, String second) {
        this.title = title;
        parts = List.of(first, second);
    }

    private record Bar(String label, double first, double second) {}

    void add(String label, double first, double second) {
        bars.add(new Bar(label, first, second));
    }

    /** {@return bars that stand next to one another, their labels below them} */
    String columns(int width, int height) {
        StringBuilder svg = begin(width, height);
        double most = most();
        int across = width - LEFT - 8;
        int up = height - TOP - BOTTOM;
        for (int line = 0; line <= 2; line++) {
            double y = TOP + up - up * line / 2.0;
            svg.append("<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' stroke='#ddd'/>".formatted(LEFT, width - 8, y, y));
            text(svg, LEFT - 4, y + 4, "end", number(most * line / 2));
        }
        double step = (double) across / Math.max(1, bars.size());
        int every = Math.max(1, (int) Math.ceil(44 / step));
        for (int i = 0; i < bars.size(); i++) {
            Bar bar = bars.get(i);
            double x = LEFT + i * step;
            double first = up * bar.first() / most;
            double second = up * bar.second() / most;
            svg.append("<g>").append(tip(bar));
            rectangle(svg, x + step * 0.08, TOP + up - first, step * 0.84, first, FIRST);
            rectangle(svg, x + step * 0.08, TOP + up - first - second, step * 0.84, second, SECOND);
            svg.append("</g>");
            if (i % every == 0) {
                text(svg, x + step / 2, TOP + up + 14, "middle", bar.label());
            }
        }
        return svg.append("</svg>\n").toString();
    }

    /** {@return bars one below another, their labels to the left} */
    String rows(int width, int labels) {
        int line = 18;
        int height = TOP + line * bars.size() + 10;
        StringBuilder svg = begin(width, height);
        double most = most();
        double across = width - labels - 90;
        for (int i = 0; i < bars.size(); i++) {
            Bar bar = bars.get(i);
            double y = TOP + line * (double) i;
            double first = across * bar.first() / most;
            double second = across * bar.second() / most;
            text(svg, labels - 6, y + 13, "end", bar.label());
            svg.append("<g>").append(tip(bar));
            rectangle(svg, labels, y + 3, first, line - 5, FIRST);
            rectangle(svg, labels + first, y + 3, second, line - 5, SECOND);
            svg.append("</g>");
            text(svg, labels + first + second + 5, y + 13, "start", number(bar.first() + bar.second()));
        }
        return svg.append("</svg>\n").toString();
    }

    private StringBuilder begin(int width, int height) {
        StringBuilder svg = new StringBuilder(
                "<svg xmlns='http://www.w3.org/2000/svg' role='img' width='%d' height='%d' viewBox='0 0 %d %d'><title>%s</title>"
                        .formatted(width, height, width, height, escaped(title)));
        svg.append("<text x='4' y='15' class='t'>").append(escaped(title)).append("</text>");
        return svg;
    }

    private double most() {
        return Math.max(
                Double.MIN_NORMAL,
                bars.stream()
                        .mapToDouble(bar -> bar.first() + bar.second())
                        .max()
                        .orElse(1));
    }

    private String tip(Bar bar) {
        String second = parts.get(1).isEmpty() ? "" : ", %s %s".formatted(number(bar.second()), parts.get(1));
        return "<title>%s</title>"
                .formatted(escaped("%s: %s %s%s".formatted(bar.label(), number(bar.first()), parts.get(0), second)));
    }

    private static void rectangle(StringBuilder svg, double x, double y, double width, double height, String colour) {
        if (width > 0 && height > 0) {
            svg.append(String.format(
                    Locale.ROOT,
                    "<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f' fill='%s'/>",
                    x,
                    y,
                    width,
                    height,
                    colour));
        }
    }

    private static void text(StringBuilder svg, double x, double y, String anchor, String text) {
        svg.append(String.format(
                Locale.ROOT, "<text x='%.1f' y='%.1f' text-anchor='%s'>%s</text>", x, y, anchor, escaped(text)));
    }

    static String number(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e15
                ? String.format(Locale.ROOT, "%,d", (long) value)
                : String.format(Locale.ROOT, "%.3g", value);
    }

    /** {@return a text as it stands in a page} */
    static String escaped(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("'", "&#39;")
                .replace("\"", "&quot;");
    }
}
