package dev.paloverde.gpu.model.jinja;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Tests: what may follow {@code is}. */
final class Predicates {
    static final Set<String> NAMES = Set.of(
            "defined",
            "undefined",
            "none",
            "true",
            "false",
            "boolean",
            "string",
            "number",
            "integer",
            "float",
            "mapping",
            "iterable",
            "sequence",
            "callable",
            "odd",
            "even",
            "divisibleby",
            "eq",
            "equalto",
            "ne",
            "lt",
            "lessthan",
            "le",
            "gt",
            "greaterthan",
            "ge",
            "in",
            "sameas",
            "upper",
            "lower");

    private Predicates() {}

    static boolean holds(Object value, Called called) {
        return switch (called.name()) {
            case "defined" -> !(value instanceof Values.Undefined);
            case "undefined" -> value instanceof Values.Undefined;
            case "none" -> value == Values.NONE;
            case "true" -> Boolean.TRUE.equals(value);
            case "false" -> Boolean.FALSE.equals(value);
            case "boolean" -> value instanceof Boolean;
            case "string" -> value instanceof String;
            case "number" -> Values.isNumber(value);
            case "integer" -> value instanceof Long;
            case "float" -> value instanceof Double;
            case "mapping" -> value instanceof Map;
            case "iterable" ->
                value instanceof String
                        || value instanceof List
                        || value instanceof Map
                        || value instanceof Values.Undefined;
            case "sequence" ->
                value instanceof String
                        || value instanceof List
                        || value instanceof Map
                        || value instanceof Values.Undefined;
            case "callable" -> value instanceof Values.Function;
            case "odd" -> Math.floorMod(whole(value), 2L) == 1;
            case "even" -> Math.floorMod(whole(value), 2L) == 0;
            case "divisibleby" -> {
                long divisor = whole(called.required(0, "num"));
                if (divisor == 0) {
                    throw Failures.failed("integer modulo by zero");
                }
                yield whole(value) % divisor == 0;
            }
            case "eq", "equalto" -> Values.equal(value, called.required(0, "other"));
            case "ne" -> !Values.equal(value, called.required(0, "other"));
            case "lt", "lessthan" -> Values.compare(value, called.required(0, "other")) < 0;
            case "le" -> Values.compare(value, called.required(0, "other")) <= 0;
            case "gt", "greaterthan" -> Values.compare(value, called.required(0, "other")) > 0;
            case "ge" -> Values.compare(value, called.required(0, "other")) >= 0;
            case "in" -> Values.contains(called.required(0, "seq"), value, called.budget());
            case "sameas" -> {
                Object other = called.required(0, "other");
                yield value == other
                        || value.getClass() == other.getClass()
                                && (value instanceof Boolean || value instanceof Long)
                                && value.equals(other);
            }
            case "upper" -> cased(value) && text(value).equals(text(value).toUpperCase(Locale.ROOT));
            default -> cased(value) && text(value).equals(text(value).toLowerCase(Locale.ROOT));
        };
    }

    private static boolean cased(Object value) {
        return text(value).codePoints().anyMatch(c -> Character.isUpperCase(c) || Character.isLowerCase(c));
    }

    private static String text(Object value) {
        if (value instanceof String text) {
            return text;
        }
        throw Failures.failed("a text is needed where a %s is given".formatted(Values.type(value)));
    }

    private static long whole(Object value) {
        Long whole = Values.whole(value);
        if (whole == null) {
            throw Failures.failed("a whole number is needed where a %s is given".formatted(Values.type(value)));
        }
        return whole;
    }
}
