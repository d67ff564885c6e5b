package dev.paloverde.data.text;

import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Expands patterns into English. {@code {a|b}} draws one alternative (nesting allowed, an alternative may be empty);
 * {@code $name} is replaced by the value bound to the name, and {@code $Name} by that value with a capital. Afterwards
 * sentences get their capitals and {@code a} becomes {@code an} where a vowel follows.
 */
final class Phrases {
    private static final Pattern ARTICLE = Pattern.compile("\\b([Aa]) (?=[aeiouAEIOU])");
    private static final Pattern SENTENCE = Pattern.compile("((?:^|[.!?] +|\\n))([a-z])");
    private static final Pattern SPACES = Pattern.compile(" {2,}");

    private final Draws draws;
    private final Map<String, String> bindings = new HashMap<>();

    Phrases(Draws draws) {
        this.draws = draws;
    }

    Phrases bind(String name, Object value) {
        bindings.put(name, String.valueOf(value));
        return this;
    }

    String say(String pattern) {
        StringBuilder out = new StringBuilder();
        int end = expand(pattern, 0, out, true);
        if (end != pattern.length()) {
            throw new IllegalArgumentException("Unbalanced braces in pattern: " + pattern);
        }
        return polish(out.toString());
    }

    /** Spaces, articles and capitals put in order. */
    static String polish(String text) {
        String spaced = SPACES.matcher(text)
                .replaceAll(" ")
                .replace(" .", ".")
                .replace(" ,", ",")
                .replace(".\".", ".\"")
                .replace("\".", ".\"");
        String articled = ARTICLE.matcher(spaced).replaceAll("$1n ");
        return SENTENCE.matcher(articled)
                .replaceAll(match -> Matcher.quoteReplacement(match.group(1) + capital(match.group(2))))
                .strip();
    }

    static String capital(String text) {
        return text.isEmpty() ? text : Character.toUpperCase(text.charAt(0)) + text.substring(1);
    }

    /** Expands from {@code at} to the end of the pattern or of the alternative; returns where it stopped. */
    private int expand(String pattern, int at, StringBuilder out, boolean wanted) {
        int position = at;
        while (position < pattern.length()) {
            char character = pattern.charAt(position);
            if (character == '|' || character == '}') {
                return position;
            } else if (character == '{') {
                position = choose(pattern, position, out, wanted);
            } else if (character == '$') {
                int end = position + 1;
                while (end < pattern.length() && Character.isLetterOrDigit(pattern.charAt(end))) {
                    end++;
                }
                if (wanted) {
                    out.append(value(pattern.substring(position + 1, end)));
                }
                position = end;
            } else {
                if (wanted) {
                    out.append(character);
                }
                position++;
            }
        }
        return position;
    }

    private int choose(String pattern, int open, StringBuilder out, boolean wanted) {
        int count = 1;
        int depth = 0;
        for (int position = open; ; position++) {
            if (position == pattern.length()) {
                throw new IllegalArgumentException("Unbalanced braces in pattern: " + pattern);
            }
            char character = pattern.charAt(position);
            if (character == '{') {
                depth++;
            } else if (character == '}' && --depth == 0) {
                break;
            } else if (character == '|' && depth == 1) {
                count++;
            }
        }
        int chosen = wanted ? draws.below(count) : -1;
        int position = open;
        for (int option = 0; option < count; option++) {
            position = expand(pattern, position + 1, out, option == chosen);
        }
        return position + 1;
    }

    private String value(String name) {
        String bound = bindings.get(name);
        if (bound != null) {
            return bound;
        }
        String lower = bindings.get(Character.toLowerCase(name.charAt(0)) + name.substring(1));
        if (lower == null) {
            throw new IllegalArgumentException("Nothing is bound to $" + name);
        }
        return capital(lower);
    }
}
