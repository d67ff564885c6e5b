package dev.paloverde.gpu.model.jinja;

import dev.paloverde.gpu.model.jinja.Methods.Side;
import dev.paloverde.gpu.model.jinja.Values.Tuple;
import dev.paloverde.gpu.model.jinja.Values.Undefined;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Filters: what may follow a bar. They are Jinja2's, but for {@code tojson}, which is transformers'. */
final class Filters {
    static final Set<String> NAMES = Set.of(
            "trim",
            "length",
            "count",
            "upper",
            "lower",
            "capitalize",
            "title",
            "replace",
            "join",
            "default",
            "d",
            "first",
            "last",
            "list",
            "string",
            "int",
            "float",
            "abs",
            "round",
            "reverse",
            "sort",
            "unique",
            "map",
            "select",
            "reject",
            "selectattr",
            "rejectattr",
            "sum",
            "min",
            "max",
            "items",
            "dictsort",
            "indent",
            "escape",
            "e",
            "safe",
            "tojson");

    private Filters() {}

    static Object apply(Object value, Called called) {
        Budget budget = called.budget();
        return switch (called.name()) {
            case "trim" -> Methods.strip(text(value, budget), called.argument(0, "chars"), Side.LEFT, Side.RIGHT);
            case "length", "count" -> (long) Values.length(value);
            case "upper" -> text(value, budget).toUpperCase(Locale.ROOT);
            case "lower" -> text(value, budget).toLowerCase(Locale.ROOT);
            case "capitalize" -> Methods.capitalize(text(value, budget));
            case "title" -> Methods.title(text(value, budget));
            case "replace" ->
                Methods.replace(
                        text(value, budget),
                        text(called.required(0, "old"), budget),
                        text(called.required(1, "new"), budget),
                        Values.index(called.argument(2, "count", -1L)),
                        budget);
            case "join" -> join(value, called);
            case "default", "d" -> {
                boolean absent = value instanceof Undefined
                        || (Values.truth(called.argument(1, "boolean", false)) && !Values.truth(value));
                yield absent ? called.argument(0, "default_value", "") : value;
            }
            case "first" -> end(Values.items(value, budget), 0);
            case "last" -> {
                List<Object> items = Values.items(value, budget);
                yield end(items, items.size() - 1);
            }
            case "list" -> new ArrayList<>(Values.items(value, budget));
            case "string" -> text(value, budget);
            case "int" -> integer(value, called);
            case "float" -> decimal(value, called);
            case "abs" ->
                value instanceof Double number
                        ? (Object) Math.abs(number)
                        : Renderer.exact(() -> Math.absExact(number(value)));
            case "round" -> round(value, called);
            case "reverse" -> {
                if (value instanceof String text) {
                    budget.text(text.length());
                    yield new StringBuilder(text).reverse().toString();
                }
                List<Object> items = new ArrayList<>(Values.items(value, budget));
                Collections.reverse(items);
                yield items;
            }
            case "sort" -> sort(value, called);
            case "unique" -> unique(value, called);
            case "map" -> map(value, called);
            case "select", "reject" -> select(value, called);
            case "selectattr", "rejectattr" -> selectAttribute(value, called);
            case "sum" -> sum(value, called);
            case "min", "max" -> extreme(value, called);
            case "items" -> {
                if (value instanceof Undefined) {
                    yield List.of();
                }
                yield Methods.items(dictionary(value));
            }
            case "dictsort" -> {
                List<Object> items = Methods.items(dictionary(value));
                items.sort(order("false", item -> ((Tuple) item).get(0)));
                yield items;
            }
            case "indent" -> indent(text(value, budget), called);
            case "escape", "e" ->
                text(value, budget)
                        .replace("&", "&amp;")
                        .replace("<", "&lt;")
                        .replace(">", "&gt;")
                        .replace("'", "&#39;")
                        .replace("\"", "&#34;");
            case "safe" -> value;
            default -> Json.write(value, called);
        };
    }

    private static String text(Object value, Budget budget) {
        String text = Values.text(value, budget);
        budget.text(text.length());
        return text;
    }

    private static Map<?, ?> dictionary(Object value) {
        if (value instanceof Map<?, ?> map) {
            return map;
        }
        throw Failures.failed("Can only get item pairs from a mapping.");
    }

    private static Object end(List<Object> items, int at) {
        return items.isEmpty() ? new Undefined("No first or last item, sequence was empty.") : items.get(at);
    }

    private static String join(Object value, Called called) {
        Object attribute = called.argument(1, "attribute");
        List<Object> texts = new ArrayList<>();
        for (Object item : Values.items(value, called.budget())) {
            texts.add(Values.text(attribute == null ? item : path(item, attribute, called), called.budget()));
        }
        return Methods.join(Values.text(called.argument(0, "d", ""), called.budget()), texts, called.budget());
    }

    /** An attribute, or one of an attribute: {@code function.name}. */
    private static Object path(Object item, Object attribute, Called called) {
        if (!(attribute instanceof String names)) {
            return called.renderer().item(item, attribute);
        }
        Object value = item;
        for (String name : names.split("\\.")) {
            boolean place =
                    !name.isEmpty() && name.length() < 10 && name.chars().allMatch(c -> c >= '0' && c <= '9');
            value = called.renderer().item(value, place ? (Object) Long.valueOf(name) : name);
        }
        return value;
    }

    private static Object integer(Object value, Called called) {
        Object otherwise = called.argument(0, "default", 0L);
        if (value instanceof Double number) {
            return Double.isFinite(number) && Math.abs(number) < 1e18 ? (Object) (long) (double) number : otherwise;
        }
        if (Values.whole(value) != null) {
            return Values.whole(value);
        }
        if (value instanceof String text) {
            String digits = Methods.strip(text, null, Side.LEFT, Side.RIGHT);
            try {
                return digits.length() > 40
                        ? otherwise
                        : (Object) new BigDecimal(digits)
                                .setScale(0, RoundingMode.DOWN)
                                .longValueExact();
            } catch (NumberFormatException | ArithmeticException e) {
                return otherwise;
            }
        }
        return otherwise;
    }

    private static Object decimal(Object value, Called called) {
        if (Values.isNumber(value)) {
            return Values.real(value);
        }
        try {
            return value instanceof String text
                    ? (Object) Double.parseDouble(text.strip())
                    : called.argument(0, "default", 0.0);
        } catch (NumberFormatException e) {
            return called.argument(0, "default", 0.0);
        }
    }

    private static long number(Object value) {
        Long whole = Values.whole(value);
        if (whole == null) {
            throw Failures.failed("a number is needed where a %s is given".formatted(Values.type(value)));
        }
        return whole;
    }

    private static Object round(Object value, Called called) {
        if (!Values.isNumber(value)) {
            throw Failures.failed("a number is needed where a %s is given".formatted(Values.type(value)));
        }
        int digits = Math.max(-300, Math.min(300, Values.index(called.argument(0, "precision", 0L))));
        RoundingMode mode = switch (Values.text(called.argument(1, "method", "common"), called.budget())) {
            case "ceil" -> RoundingMode.CEILING;
            case "floor" -> RoundingMode.FLOOR;
            default -> RoundingMode.HALF_EVEN;
        };
        if (Values.whole(value) != null && mode == RoundingMode.HALF_EVEN && digits >= 0) {
            return Values.whole(value);
        }
        double number = Values.real(value);
        return Double.isFinite(number)
                ? new BigDecimal(number).setScale(digits, mode).doubleValue()
                : number;
    }

    private static Object sort(Object value, Called called) {
        List<Object> items = new ArrayList<>(Values.items(value, called.budget()));
        called.budget().spend(20L * items.size());
        Object attribute = called.argument(2, "attribute");
        boolean sensitive = Values.truth(called.argument(1, "case_sensitive", false));
        Comparator<Object> order =
                order(Boolean.toString(sensitive), item -> attribute == null ? item : path(item, attribute, called));
        items.sort(Values.truth(called.argument(0, "reverse", false)) ? order.reversed() : order);
        return items;
    }

    private static Comparator<Object> order(String sensitive, java.util.function.UnaryOperator<Object> key) {
        return (left, right) -> {
            Object a = key.apply(left);
            Object b = key.apply(right);
            boolean folded = sensitive.equals("false");
            return Values.compare(
                    folded && a instanceof String text ? text.toLowerCase(Locale.ROOT) : a,
                    folded && b instanceof String text ? text.toLowerCase(Locale.ROOT) : b);
        };
    }

    private static Object unique(Object value, Called called) {
        List<Object> kept = new ArrayList<>();
        boolean sensitive = Values.truth(called.argument(0, "case_sensitive", false));
        for (Object item : Values.items(value, called.budget())) {
            called.budget().spend(kept.size() + 1L);
            boolean seen = kept.stream()
                    .anyMatch(other -> !sensitive && item instanceof String a && other instanceof String b
                            ? a.equalsIgnoreCase(b)
                            : Values.equal(item, other));
            if (!seen) {
                kept.add(item);
            }
        }
        return kept;
    }

    private static Object map(Object value, Called called) {
        List<Object> mapped = new ArrayList<>();
        Object attribute = called.named().get("attribute");
        for (Object item : Values.items(value, called.budget())) {
            if (attribute != null) {
                Object found = path(item, attribute, called);
                Object otherwise = called.named().get("default");
                mapped.add(found instanceof Undefined && otherwise != null ? otherwise : found);
            } else {
                String filter = called.requiredText(0, "filter");
                if (!NAMES.contains(filter)) {
                    throw Failures.failed("there is no filter '%s' among those supported".formatted(filter));
                }
                mapped.add(apply(item, later(called, filter, 1)));
            }
        }
        return mapped;
    }

    private static Object select(Object value, Called called) {
        boolean wanted = called.name().equals("select");
        List<Object> kept = new ArrayList<>();
        for (Object item : Values.items(value, called.budget())) {
            if (passes(item, called, 0) == wanted) {
                kept.add(item);
            }
        }
        return kept;
    }

    private static Object selectAttribute(Object value, Called called) {
        boolean wanted = called.name().equals("selectattr");
        Object attribute = called.required(0, "attribute");
        List<Object> kept = new ArrayList<>();
        for (Object item : Values.items(value, called.budget())) {
            if (passes(path(item, attribute, called), called, 1) == wanted) {
                kept.add(item);
            }
        }
        return kept;
    }

    /** Whether a test, named at a place among the arguments, holds; without a name, whether the value is true. */
    private static boolean passes(Object value, Called called, int place) {
        if (called.positional().size() <= place) {
            return Values.truth(value);
        }
        String test = called.requiredText(place, "test");
        String name = switch (test) {
            case "==" -> "eq";
            case "!=" -> "ne";
            case "<" -> "lt";
            case "<=" -> "le";
            case ">" -> "gt";
            case ">=" -> "ge";
            default -> test;
        };
        if (!Predicates.NAMES.contains(name)) {
            throw Failures.failed("there is no test '%s' among those supported".formatted(test));
        }
        return Predicates.holds(value, later(called, name, place + 1));
    }

    /** The rest of the arguments, for another function. */
    private static Called later(Called called, String name, int from) {
        List<Object> rest =
                called.positional().subList(from, called.positional().size());
        return new Called(called.renderer(), name, rest, Map.of());
    }

    private static Object sum(Object value, Called called) {
        Object attribute = called.argument(0, "attribute");
        Object sum = called.argument(1, "start", 0L);
        for (Object item : Values.items(value, called.budget())) {
            sum = called.renderer().add(sum, attribute == null ? item : path(item, attribute, called));
        }
        return sum;
    }

    private static Object extreme(Object value, Called called) {
        List<Object> items = Values.items(value, called.budget());
        if (items.isEmpty()) {
            return new Undefined("No aggregated item, sequence was empty.");
        }
        Object attribute = called.argument(1, "attribute");
        Comparator<Object> order = order(
                Boolean.toString(Values.truth(called.argument(0, "case_sensitive", false))),
                item -> attribute == null ? item : path(item, attribute, called));
        return called.name().equals("min") ? Collections.min(items, order) : Collections.max(items, order);
    }

    private static String indent(String text, Called called) {
        Object width = called.argument(0, "width", 4L);
        called.budget().text(width instanceof String ? 0 : Values.index(width));
        String space = width instanceof String given ? given : " ".repeat(Math.max(0, Values.index(width)));
        boolean first = Values.truth(called.argument(1, "first", false));
        boolean blank = Values.truth(called.argument(2, "blank", false));
        List<Object> lines = new ArrayList<>(Arrays.asList((Object[]) text.split("\n", -1)));
        for (int i = 0; i < lines.size(); i++) {
            String line = (String) lines.get(i);
            if (i == 0 ? first : blank || !line.isEmpty()) {
                lines.set(i, space + line);
                called.budget().spend(space.length());
            }
        }
        return Methods.join("\n", lines, called.budget());
    }
}
