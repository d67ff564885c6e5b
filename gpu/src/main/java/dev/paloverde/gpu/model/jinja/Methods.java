package dev.paloverde.gpu.model.jinja;

import dev.paloverde.gpu.model.jinja.Values.Tuple;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.IntPredicate;
import java.util.stream.Collectors;

/** Methods of Python's texts, dictionaries and lists. None of them changes what it is called on. */
final class Methods {
    private static final Set<String> OF_TEXT = Set.of(
            "strip",
            "lstrip",
            "rstrip",
            "split",
            "rsplit",
            "splitlines",
            "partition",
            "rpartition",
            "startswith",
            "endswith",
            "removeprefix",
            "removesuffix",
            "upper",
            "lower",
            "capitalize",
            "title",
            "replace",
            "join",
            "find",
            "rfind",
            "index",
            "count",
            "isdigit",
            "isnumeric",
            "isalpha",
            "isalnum",
            "isspace",
            "isupper",
            "islower",
            "format",
            "zfill");
    private static final Set<String> OF_DICTIONARY = Set.of("items", "keys", "values", "get");
    private static final Set<String> OF_LIST = Set.of("index", "count");

    private Methods() {}

    /** The method of a value; null if it has none of that name. */
    static Values.Function of(Object value, String name) {
        if (value instanceof String text && OF_TEXT.contains(name)) {
            return called -> text(text, new Called(called.renderer(), name, called.positional(), called.named()));
        }
        if (value instanceof Map<?, ?> map && OF_DICTIONARY.contains(name)) {
            return called -> dictionary(map, new Called(called.renderer(), name, called.positional(), called.named()));
        }
        if (value instanceof List<?> list && OF_LIST.contains(name)) {
            return called -> list(list, new Called(called.renderer(), name, called.positional(), called.named()));
        }
        return null;
    }

    private static Object list(List<?> list, Called called) {
        Object wanted = called.required(0, "value");
        called.budget().spend(list.size());
        if (called.name().equals("count")) {
            return list.stream().filter(item -> Values.equal(item, wanted)).count();
        }
        for (int i = 0; i < list.size(); i++) {
            if (Values.equal(list.get(i), wanted)) {
                return (long) i;
            }
        }
        throw Failures.failed("a value is not in the list");
    }

    private static Object dictionary(Map<?, ?> map, Called called) {
        called.budget().list(map.size());
        return switch (called.name()) {
            case "items" -> items(map);
            case "keys" -> new ArrayList<Object>(map.keySet());
            case "values" -> new ArrayList<Object>(map.values());
            default -> {
                Object value = map.get(called.required(0, "key"));
                yield value != null ? value : called.argument(1, "default", Values.NONE);
            }
        };
    }

    /** Keys and values in pairs. */
    static List<Object> items(Map<?, ?> map) {
        List<Object> items = new ArrayList<>();
        map.forEach((key, value) -> items.add(new Tuple(List.of(key, value))));
        return items;
    }

    private static Object text(String text, Called called) {
        called.budget().text(text.length());
        return switch (called.name()) {
            case "strip" -> strip(text, called.argument(0, "chars"), Side.LEFT, Side.RIGHT);
            case "lstrip" -> strip(text, called.argument(0, "chars"), Side.LEFT);
            case "rstrip" -> strip(text, called.argument(0, "chars"), Side.RIGHT);
            case "split" -> split(text, called);
            case "rsplit" -> splitFromRight(text, called);
            case "splitlines" -> lines(text);
            case "partition" -> {
                String separator = separator(called.required(0, "sep"));
                yield parts(text, separator, text.indexOf(separator), Side.LEFT);
            }
            case "rpartition" -> {
                String separator = separator(called.required(0, "sep"));
                yield parts(text, separator, text.lastIndexOf(separator), Side.RIGHT);
            }
            case "startswith" -> anyOf(called, text::startsWith);
            case "endswith" -> anyOf(called, text::endsWith);
            case "removeprefix" -> {
                String prefix = called.requiredText(0, "prefix");
                yield text.startsWith(prefix) ? text.substring(prefix.length()) : text;
            }
            case "removesuffix" -> {
                String suffix = called.requiredText(0, "suffix");
                yield text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
            }
            case "upper" -> text.toUpperCase(Locale.ROOT);
            case "lower" -> text.toLowerCase(Locale.ROOT);
            case "capitalize" -> capitalize(text);
            case "title" -> title(text);
            case "replace" ->
                replace(
                        text,
                        called.requiredText(0, "old"),
                        called.requiredText(1, "new"),
                        Values.index(called.argument(2, "count", -1L)),
                        called.budget());
            case "join" -> join(text, Values.items(called.required(0, "iterable"), called.budget()), called.budget());
            case "find" -> position(text, text.indexOf(called.requiredText(0, "sub")));
            case "rfind" -> position(text, text.lastIndexOf(called.requiredText(0, "sub")));
            case "index" -> {
                long found = position(text, text.indexOf(called.requiredText(0, "sub")));
                if (found < 0) {
                    throw Failures.failed("substring not found");
                }
                yield found;
            }
            case "count" -> count(text, called.requiredText(0, "sub"));
            case "isdigit", "isnumeric" -> all(text, Character::isDigit);
            case "isalpha" -> all(text, Character::isLetter);
            case "isalnum" -> all(text, Character::isLetterOrDigit);
            case "isspace" -> all(text, Values::isSpace);
            case "isupper" -> cased(text) && text.equals(text.toUpperCase(Locale.ROOT));
            case "islower" -> cased(text) && text.equals(text.toLowerCase(Locale.ROOT));
            case "zfill" -> {
                int width = Values.index(called.required(0, "width"));
                called.budget().text(width);
                int sign = text.startsWith("-") || text.startsWith("+") ? 1 : 0;
                yield text.substring(0, sign)
                        + "0".repeat(Math.max(0, width - Values.length(text)))
                        + text.substring(sign);
            }
            default -> format(text, called);
        };
    }

    /** An end of a text. */
    enum Side {
        LEFT,
        RIGHT
    }

    static String strip(String text, Object characters, Side... sides) {
        IntPredicate strips = Values::isSpace;
        if (characters != null && characters != Values.NONE) {
            if (!(characters instanceof String given)) {
                throw Failures.failed("strip arg must be None or str");
            }
            strips = c -> given.indexOf(c) >= 0;
        }
        int start = 0;
        int end = text.length();
        for (Side side : sides) {
            if (side == Side.LEFT) {
                while (start < end && strips.test(text.codePointAt(start))) {
                    start += Character.charCount(text.codePointAt(start));
                }
            } else {
                while (end > start && strips.test(text.codePointBefore(end))) {
                    end -= Character.charCount(text.codePointBefore(end));
                }
            }
        }
        return text.substring(start, end);
    }

    private static String separator(Object value) {
        if (value instanceof String text && !text.isEmpty()) {
            return text;
        }
        throw Failures.failed(
                value instanceof String ? "empty separator" : "must be str or None, not " + Values.type(value));
    }

    private static List<Object> split(String text, Called called) {
        Object given = called.argument(0, "sep");
        int most = Values.index(called.argument(1, "maxsplit", -1L));
        List<Object> parts = new ArrayList<>();
        if (given == null || given == Values.NONE) {
            String rest = strip(text, null, Side.LEFT);
            while (!rest.isEmpty()) {
                int end = 0;
                while (end < rest.length() && !Values.isSpace(rest.codePointAt(end))) {
                    end += Character.charCount(rest.codePointAt(end));
                }
                if (parts.size() == most) {
                    parts.add(rest);
                    break;
                }
                parts.add(rest.substring(0, end));
                called.budget().list(parts.size());
                called.budget().spend(rest.length());
                rest = strip(rest.substring(end), null, Side.LEFT);
            }
            return parts;
        }
        String separator = separator(given);
        int start = 0;
        for (int at = text.indexOf(separator); at >= 0 && parts.size() != most; at = text.indexOf(separator, start)) {
            parts.add(text.substring(start, at));
            start = at + separator.length();
            called.budget().spend(1);
        }
        called.budget().list(parts.size());
        parts.add(text.substring(start));
        return parts;
    }

    private static List<Object> splitFromRight(String text, Called called) {
        Object given = called.argument(0, "sep");
        int most = Values.index(called.argument(1, "maxsplit", -1L));
        if (most < 0) {
            return split(text, called);
        }
        if (given == null || given == Values.NONE) {
            throw Failures.failed("rsplit() with maxsplit needs a separator");
        }
        String separator = separator(given);
        List<Object> parts = new ArrayList<>();
        int end = text.length();
        while (parts.size() < most) {
            int at = text.lastIndexOf(separator, end - separator.length());
            if (at < 0 || end < separator.length()) {
                break;
            }
            parts.add(0, text.substring(at + separator.length(), end));
            called.budget().list(parts.size());
            end = at;
        }
        parts.add(0, text.substring(0, end));
        return parts;
    }

    private static List<Object> lines(String text) {
        return text.lines().collect(Collectors.toCollection(ArrayList::new));
    }

    private static Tuple parts(String text, String separator, int at, Side missing) {
        if (at < 0) {
            return new Tuple(missing == Side.LEFT ? List.of(text, "", "") : List.of("", "", text));
        }
        return new Tuple(List.of(text.substring(0, at), separator, text.substring(at + separator.length())));
    }

    private static boolean anyOf(Called called, java.util.function.Predicate<String> holds) {
        Object given = called.required(0, "prefix");
        List<?> candidates = given instanceof Tuple tuple ? tuple : List.of(given);
        for (Object candidate : candidates) {
            if (!(candidate instanceof String text)) {
                throw Failures.failed("%s first arg must be str or a tuple of str, not %s"
                        .formatted(called.name(), Values.type(given)));
            }
            if (holds.test(text)) {
                return true;
            }
        }
        return false;
    }

    static String capitalize(String text) {
        if (text.isEmpty()) {
            return text;
        }
        int first = text.offsetByCodePoints(0, 1);
        return text.substring(0, first).toUpperCase(Locale.ROOT)
                + text.substring(first).toLowerCase(Locale.ROOT);
    }

    static String title(String text) {
        StringBuilder out = new StringBuilder();
        boolean inWord = false;
        for (int c : text.codePoints().toArray()) {
            boolean letter = Character.isLetter(c);
            out.appendCodePoint(letter && !inWord ? Character.toTitleCase(c) : Character.toLowerCase(c));
            inWord = letter;
        }
        return out.toString();
    }

    static String replace(String text, String old, String replacement, int most, Budget budget) {
        if (most == 0) {
            return text;
        }
        StringBuilder out = new StringBuilder();
        int start = 0;
        int done = 0;
        int from = 0;
        while (done != most) {
            int at = text.indexOf(old, from);
            if (at < 0 || from > text.length()) {
                break;
            }
            out.append(text, start, at).append(replacement);
            budget.limit(out.length());
            start = at + old.length();
            // an empty text stands between all characters
            from = old.isEmpty() ? (at < text.length() ? text.offsetByCodePoints(at, 1) : at + 1) : start;
            done++;
        }
        out.append(text, start, text.length());
        budget.text(out.length());
        return out.toString();
    }

    static String join(String separator, List<Object> items, Budget budget) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < items.size(); i++) {
            if (!(items.get(i) instanceof String text)) {
                throw Failures.failed(
                        "sequence item %d: expected str instance, %s found".formatted(i, Values.type(items.get(i))));
            }
            budget.limit((long) out.length() + separator.length() + text.length());
            out.append(i == 0 ? "" : separator).append(text);
        }
        budget.text(out.length());
        return out.toString();
    }

    private static long position(String text, int at) {
        return at < 0 ? -1 : text.codePointCount(0, at);
    }

    private static long count(String text, String part) {
        if (part.isEmpty()) {
            return Values.length(text) + 1L;
        }
        long count = 0;
        for (int at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length())) {
            count++;
        }
        return count;
    }

    private static boolean all(String text, IntPredicate holds) {
        return !text.isEmpty() && text.codePoints().allMatch(holds);
    }

    private static boolean cased(String text) {
        return text.codePoints().anyMatch(c -> Character.isUpperCase(c) || Character.isLowerCase(c));
    }

    /** {@code {}}, {@code {0}} and {@code {name}}, without formats. */
    private static String format(String text, Called called) {
        StringBuilder out = new StringBuilder();
        int automatic = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean twice = i + 1 < text.length() && text.charAt(i + 1) == c;
            if ((c != '{' && c != '}') || twice) {
                out.append(c);
                i += twice && (c == '{' || c == '}') ? 1 : 0;
                continue;
            }
            int end = text.indexOf('}', i);
            String field = c == '{' && end >= 0 ? text.substring(i + 1, end) : "!";
            Object value = null;
            if (field.isEmpty()) {
                value = called.argument(automatic++, "");
            } else if (field.chars().allMatch(Character::isDigit) && field.length() < 6) {
                value = called.argument(Integer.parseInt(field), "");
            } else {
                value = called.named().get(field);
            }
            if (value == null) {
                throw Failures.failed("format() cannot fill '%s'".formatted(text));
            }
            out.append(Values.text(value, called.budget()));
            called.budget().text(out.length());
            i = end;
        }
        return out.toString();
    }
}
