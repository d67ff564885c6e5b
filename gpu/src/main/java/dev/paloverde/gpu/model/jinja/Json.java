package dev.paloverde.gpu.model.jinja;

import dev.paloverde.gpu.model.jinja.Values.Namespace;
import dev.paloverde.gpu.model.jinja.Values.Undefined;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/** {@code tojson} as transformers has it: Python's {@code json.dumps}, which leaves characters and angle brackets alone. */
final class Json {
    private final Budget budget;
    private final StringBuilder out = new StringBuilder();
    private final String indent;
    private final String itemSeparator;
    private final String keySeparator;
    private final boolean ascii;
    private final boolean sorted;

    private Json(Called called) {
        called.allow("ensure_ascii", "indent", "separators", "sort_keys");
        budget = called.budget();
        ascii = Values.truth(called.argument(0, "ensure_ascii", false));
        Object width = called.argument(1, "indent", Values.NONE);
        indent = width == Values.NONE
                ? null
                : width instanceof String given ? given : " ".repeat(Math.max(0, Math.min(100, Values.index(width))));
        Object separators = called.argument(2, "separators", Values.NONE);
        if (separators instanceof List<?> pair
                && pair.size() == 2
                && pair.get(0) instanceof String item
                && pair.get(1) instanceof String key) {
            itemSeparator = item;
            keySeparator = key;
        } else {
            itemSeparator = indent == null ? ", " : ",";
            keySeparator = ": ";
        }
        sorted = Values.truth(called.argument(3, "sort_keys", false));
    }

    static String write(Object value, Called called) {
        Json json = new Json(called);
        json.value(value, 0);
        return json.out.toString();
    }

    private void value(Object value, int depth) {
        budget.limit(out.length());
        budget.spend(1);
        if (depth > 100) {
            throw Failures.failed("a value is nested too deeply for JSON");
        }
        if (value == Values.NONE) {
            out.append("null");
        } else if (value instanceof String text) {
            string(text);
        } else if (value instanceof Double number) {
            out.append(
                    Double.isNaN(number)
                            ? "NaN"
                            : Double.isInfinite(number)
                                    ? (number > 0 ? "Infinity" : "-Infinity")
                                    : Values.decimal(number));
        } else if (value instanceof List<?> list) {
            out.append('[');
            for (int i = 0; i < list.size(); i++) {
                separate(i, depth + 1);
                value(list.get(i), depth + 1);
            }
            close(list.size(), depth, ']');
        } else if (value instanceof Map<?, ?> map) {
            map(map, depth);
        } else if (value instanceof Undefined || value instanceof Namespace || value instanceof Values.Function) {
            throw Failures.failed("Object of type %s is not JSON serializable".formatted(Values.type(value)));
        } else {
            out.append(value);
        }
    }

    private void map(Map<?, ?> map, int depth) {
        List<Map.Entry<?, ?>> entries = new ArrayList<>(map.entrySet());
        if (sorted) {
            entries.sort(Comparator.comparing(Map.Entry::getKey, Values::compare));
        }
        out.append('{');
        for (int i = 0; i < entries.size(); i++) {
            separate(i, depth + 1);
            Object key = entries.get(i).getKey();
            string(key == Values.NONE ? "null" : key instanceof Boolean ? key.toString() : Values.text(key, budget));
            out.append(keySeparator);
            value(entries.get(i).getValue(), depth + 1);
        }
        close(entries.size(), depth, '}');
    }

    private void separate(int item, int depth) {
        if (item > 0) {
            out.append(itemSeparator);
        }
        newLine(depth);
    }

    private void close(int items, int depth, char bracket) {
        if (items > 0) {
            newLine(depth);
        }
        out.append(bracket);
    }

    private void newLine(int depth) {
        if (indent != null) {
            out.append('\n').append(indent.repeat(depth));
        }
    }

    private void string(String text) {
        budget.limit((long) out.length() + text.length());
        budget.spend(text.length());
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                default -> {
                    if (c < ' ' || (ascii && c > '~')) {
                        out.append("\\u%04x".formatted((int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }
}
