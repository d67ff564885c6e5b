package dev.paloverde.data.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** What a crawl brings in beside text: shuffled words, stuttering lines, navigation, broken encodings, tables of digits. */
final class Noise implements TextSource.Author {
    private static final List<String> NAVIGATION = List.of(
            "Home",
            "About",
            "Contact",
            "Log in",
            "Next page",
            "Back to top",
            "Click here",
            "Share",
            "Read more",
            "All rights reserved",
            "Accept cookies",
            "Menu",
            "Search",
            "0 comments",
            "Advertisement",
            "Loading...");

    @Override
    public String write(Draws draws) {
        String story = new Stories().write(draws);
        return switch (draws.below(6)) {
            case 0 -> String.join(" ", draws.shuffled(Arrays.asList(story.split("\\s+"))));
            case 1 -> stutter(draws, story);
            case 2 -> navigation(draws);
            case 3 -> broken(story);
            case 4 -> digits(draws);
            default -> letters(draws, story);
        };
    }

    private static String stutter(Draws draws, String story) {
        String[] sentences = story.replace('\n', ' ').split("(?<=[.!?]) +");
        String line = draws.pick(sentences) + " " + draws.pick(sentences);
        return String.join("\n", java.util.Collections.nCopies(draws.between(5, 12), line));
    }

    private static String navigation(Draws draws) {
        List<String> items = new ArrayList<>();
        for (int item = draws.between(30, 80); item > 0; item--) {
            items.add(draws.pick(NAVIGATION));
        }
        return String.join(draws.pick(" | ", "\n", " > "), items);
    }

    /** UTF-8 read as if it were Latin-1, with typographic quotes to show it. */
    private static String broken(String story) {
        String quoted = story.replace("\"", "\u201C").replace(" ", "\u00A0").replace("e", "\u00E9");
        return new String(
                quoted.getBytes(java.nio.charset.StandardCharsets.UTF_8), java.nio.charset.StandardCharsets.ISO_8859_1);
    }

    private static String digits(Draws draws) {
        StringBuilder text = new StringBuilder();
        for (int row = draws.between(8, 20); row > 0; row--) {
            for (int column = 0; column < 8; column++) {
                text.append(draws.below(100_000)).append(column < 7 ? "\t" : "\n");
            }
        }
        return text.toString().strip();
    }

    private static String letters(Draws draws, String story) {
        StringBuilder text = new StringBuilder(story.length());
        for (int position = 0; position < story.length(); position++) {
            char character = story.charAt(position);
            text.append(
                    Character.isLetter(character) && draws.chance(0.4) ? (char) ('a' + draws.below(26)) : character);
        }
        return text.toString();
    }
}
