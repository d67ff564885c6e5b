package dev.paloverde.jobs;

import java.util.Arrays;
import java.util.stream.Collectors;

/** A table of a page. */
final class HtmlTable {
    private final StringBuilder html = new StringBuilder("<table>\n");

    HtmlTable(String... names) {
        line("<tr>", "th", names);
    }

    void row(String... cells) {
        line("<tr>", "td", cells);
    }

    /** Adds the line below which nothing comes. */
    void sum(String... cells) {
        line("<tr class='sum'>", "td", cells);
    }

    private void line(String begin, String tag, String... cells) {
        html.append(Arrays.stream(cells)
                .map(cell -> "<%s>%s</%s>".formatted(tag, SvgBars.escaped(cell), tag))
                .collect(Collectors.joining("", begin, "</tr>\n")));
    }

    @Override
    public String toString() {
        return html + "</table>\n";
    }
}
