package dev.paloverde.gpu.model.jinja;

import java.math.BigDecimal;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/**
 * What expressions have for values, and what Python does with such values. A value is a {@code String}, a {@code Boolean},
 * a {@code Long}, a {@code Double}, a {@code List} (a {@link Tuple} among them), a {@code Map}, a {@link Namespace}, a
 * {@link Function}, {@link #NONE}, or {@link Undefined}.
 */
final class Values {
    /** Python's None. */
    static final Object NONE = new Object() {
        @Override
        public String toString() {
            return "None";
        }
    };

    private Values() {}

    /** What is not there; it prints as nothing, and using it says so. */
    record Undefined(String reason) {}

    /** A list that Python prints with parentheses. */
    static final class Tuple extends AbstractList<Object> {
        private final List<Object> items;

        Tuple(List<Object> items) {
            this.items = items;
        }

        @Override
        public Object get(int index) {
            return items.get(index);
        }

        @Override
        public int size() {
            return items.size();
        }
    }

    /** An object whose fields a template may set, from within a loop too. */
    static final class Namespace {
        final Map<String, Object> fields = new LinkedHashMap<>();
    }

    /** What can be called. */
    @FunctionalInterface
    interface Function {
        Object call(Called called);
    }

    /** A value of Java as a value here; maps and lists become ones that nothing else can change. */
    static Object of(Object value) {
        if (value == null) {
            return NONE;
        }
        if (value instanceof Integer number) {
            return number.longValue();
        }
        if (value instanceof Float number) {
            return number.doubleValue();
        }
        if (value instanceof String || value instanceof Boolean || value instanceof Long || value instanceof Double) {
            return value;
        }
        if (value instanceof List<?> list) {
            List<Object> copy = new ArrayList<>(list.size());
            list.forEach(item -> copy.add(of(item)));
            return Collections.unmodifiableList(copy);
        }
        if (value instanceof Map<?, ?> map) {
            Map<Object, Object> copy = new LinkedHashMap<>();
            map.forEach((key, item) -> copy.put(of(key), of(item)));
            return Collections.unmodifiableMap(copy);
        }
        throw new IllegalArgumentException("no value of a template: " + value.getClass());
    }

    /** Characters in a value of Java and in all that it holds; what is not a text counts as some. */
    static long size(Object value) {
        if (value instanceof String text) {
            return text.length() + 16L;
        }
        if (value instanceof List<?> list) {
            return list.stream().mapToLong(Values::size).sum() + 16;
        }
        if (value instanceof Map<?, ?> map) {
            return map.entrySet().stream()
                            .mapToLong(entry -> size(entry.getKey()) + size(entry.getValue()))
                            .sum()
                    + 16;
        }
        return 16;
    }

    static boolean truth(Object value) {
        if (value instanceof Boolean bool) {
            return bool;
        }
        if (value instanceof String text) {
            return !text.isEmpty();
        }
        if (value instanceof Long number) {
            return number != 0;
        }
        if (value instanceof Double number) {
            return number != 0;
        }
        if (value instanceof List<?> list) {
            return !list.isEmpty();
        }
        if (value instanceof Map<?, ?> map) {
            return !map.isEmpty();
        }
        return value != NONE && !(value instanceof Undefined);
    }

    /** Python's name for the type, as it stands in messages. */
    static String type(Object value) {
        if (value instanceof String) {
            return "str";
        }
        if (value instanceof Boolean) {
            return "bool";
        }
        if (value instanceof Long) {
            return "int";
        }
        if (value instanceof Double) {
            return "float";
        }
        if (value instanceof Tuple) {
            return "tuple";
        }
        if (value instanceof List) {
            return "list";
        }
        if (value instanceof Map) {
            return "dict";
        }
        return value == NONE ? "NoneType" : value.getClass().getSimpleName().toLowerCase(Locale.ROOT);
    }

    /** Python's str. */
    static String text(Object value, Budget budget) {
        if (value instanceof String text) {
            return text;
        }
        if (value instanceof Undefined) {
            return "";
        }
        StringBuilder out = new StringBuilder();
        represent(value, out, budget, 0);
        return out.toString();
    }

    /** Python's repr. */
    static void represent(Object value, StringBuilder out, Budget budget, int depth) {
        budget.limit(out.length());
        budget.spend(value instanceof String text ? text.length() + 1L : 1);
        if (depth > 50) {
            throw Failures.failed("a value is nested too deeply to be printed");
        }
        if (value instanceof String text) {
            quote(text, out);
        } else if (value instanceof Boolean bool) {
            out.append(bool ? "True" : "False");
        } else if (value instanceof Double number) {
            out.append(decimal(number));
        } else if (value instanceof List<?> list) {
            boolean tuple = value instanceof Tuple;
            out.append(tuple ? '(' : '[');
            String separator = "";
            for (Object item : list) {
                out.append(separator);
                represent(item, out, budget, depth + 1);
                separator = ", ";
            }
            out.append(tuple ? (list.size() == 1 ? ",)" : ")") : "]");
        } else if (value instanceof Map<?, ?> map) {
            out.append('{');
            String separator = "";
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                out.append(separator);
                represent(entry.getKey(), out, budget, depth + 1);
                out.append(": ");
                represent(entry.getValue(), out, budget, depth + 1);
                separator = ", ";
            }
            out.append('}');
        } else if (value instanceof Undefined) {
            out.append("Undefined");
        } else if (value instanceof Namespace || value instanceof Function || value instanceof Loop) {
            throw Failures.failed("a %s cannot be printed".formatted(type(value)));
        } else {
            out.append(value);
        }
    }

    /** Python's repr of a float. */
    static String decimal(double number) {
        if (Double.isNaN(number)) {
            return "nan";
        }
        if (Double.isInfinite(number)) {
            return number > 0 ? "inf" : "-inf";
        }
        if (number == Math.rint(number) && Math.abs(number) < 1e16) {
            return (number == 0 && 1 / number < 0 ? "-0" : Long.toString((long) number)) + ".0";
        }
        String text = Double.toString(number);
        int exponent = text.indexOf('E');
        if (exponent < 0) {
            return text;
        }
        String digits = text.substring(0, exponent);
        int power = Integer.parseInt(text.substring(exponent + 1));
        if (power >= -4 && power < 16) {
            return new BigDecimal(text).stripTrailingZeros().toPlainString();
        }
        return (digits.endsWith(".0") ? digits.substring(0, digits.length() - 2) : digits)
                + "e%s%02d".formatted(power < 0 ? "-" : "+", Math.abs(power));
    }

    private static void quote(String text, StringBuilder out) {
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        out.append(quote);
        text.codePoints().forEach(c -> {
            switch (c) {
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\\' -> out.append("\\\\");
                default -> {
                    if (c == quote) {
                        out.append('\\').append(quote);
                    } else if (c < ' ' || (c >= 0x7f && c <= 0xa0) || c == 0xad) {
                        out.append("\\x%02x".formatted(c));
                    } else {
                        out.appendCodePoint(c);
                    }
                }
            }
        });
        out.append(quote);
    }

    static boolean isNumber(Object value) {
        return value instanceof Long || value instanceof Double || value instanceof Boolean;
    }

    /** A number or truth value as a whole number; null for what is not one. */
    static Long whole(Object value) {
        if (value instanceof Long number) {
            return number;
        }
        return value instanceof Boolean bool ? Long.valueOf(bool ? 1 : 0) : null;
    }

    static double real(Object value) {
        Long whole = whole(value);
        return whole != null ? whole : (Double) value;
    }

    /** A whole number that fits an index. */
    static int index(Object value) {
        Long whole = whole(value);
        if (whole == null) {
            throw Failures.failed("a whole number is needed where a %s is given".formatted(type(value)));
        }
        return (int) Math.max(-Integer.MAX_VALUE, Math.min(Integer.MAX_VALUE, whole));
    }

    static boolean equal(Object left, Object right) {
        if (isNumber(left) && isNumber(right)) {
            Long a = whole(left);
            Long b = whole(right);
            return a != null && b != null ? a.equals(b) : real(left) == real(right);
        }
        if (left instanceof List<?> a && right instanceof List<?> b) {
            if (a.size() != b.size() || (left instanceof Tuple) != (right instanceof Tuple)) {
                return false;
            }
            for (int i = 0; i < a.size(); i++) {
                if (!equal(a.get(i), b.get(i))) {
                    return false;
                }
            }
            return true;
        }
        if (left instanceof Map<?, ?> a && right instanceof Map<?, ?> b) {
            return a.size() == b.size()
                    && a.entrySet().stream()
                            .allMatch(entry ->
                                    b.containsKey(entry.getKey()) && equal(entry.getValue(), b.get(entry.getKey())));
        }
        if (left instanceof Undefined && right instanceof Undefined) {
            return true;
        }
        return Objects.equals(left, right);
    }

    static int compare(Object left, Object right) {
        if (isNumber(left) && isNumber(right)) {
            Long a = whole(left);
            Long b = whole(right);
            return a != null && b != null ? Long.compare(a, b) : Double.compare(real(left), real(right));
        }
        if (left instanceof String a && right instanceof String b) {
            return compareCharacters(a, b);
        }
        if (left instanceof List<?> a && right instanceof List<?> b) {
            for (int i = 0; i < Math.min(a.size(), b.size()); i++) {
                if (!equal(a.get(i), b.get(i))) {
                    return compare(a.get(i), b.get(i));
                }
            }
            return Integer.compare(a.size(), b.size());
        }
        throw Failures.failed("a %s and a %s have no order".formatted(type(left), type(right)));
    }

    private static int compareCharacters(String left, String right) {
        int[] a = left.codePoints().toArray();
        int[] b = right.codePoints().toArray();
        for (int i = 0; i < Math.min(a.length, b.length); i++) {
            if (a[i] != b[i]) {
                return Integer.compare(a[i], b[i]);
            }
        }
        return Integer.compare(a.length, b.length);
    }

    /** {@code item in container}. */
    static boolean contains(Object container, Object item, Budget budget) {
        if (container instanceof String text) {
            if (!(item instanceof String part)) {
                throw Failures.failed("'in <string>' requires string as left operand, not " + type(item));
            }
            budget.spend(text.length());
            return text.contains(part);
        }
        if (container instanceof Map<?, ?> map) {
            return map.containsKey(item);
        }
        for (Object member : items(container, budget)) {
            if (equal(member, item)) {
                return true;
            }
        }
        return false;
    }

    /** What a loop goes through: members of a list, keys of a map, characters of a text, nothing of what is undefined. */
    @SuppressWarnings("unchecked")
    static List<Object> items(Object value, Budget budget) {
        if (value instanceof List<?> list) {
            budget.spend(list.size());
            return (List<Object>) list;
        }
        if (value instanceof Map<?, ?> map) {
            budget.list(map.size());
            return new ArrayList<>(map.keySet());
        }
        if (value instanceof String text) {
            budget.list(text.length());
            return new ArrayList<>(
                    text.codePoints().mapToObj(Character::toString).toList());
        }
        if (value instanceof Undefined) {
            return List.of();
        }
        throw Failures.failed("'%s' object is not iterable".formatted(type(value)));
    }

    static int length(Object value) {
        if (value instanceof String text) {
            return text.codePointCount(0, text.length());
        }
        if (value instanceof List<?> list) {
            return list.size();
        }
        if (value instanceof Map<?, ?> map) {
            return map.size();
        }
        if (value instanceof Undefined) {
            return 0;
        }
        throw Failures.failed("object of type '%s' has no len()".formatted(type(value)));
    }

    /** {@code value[from:to:step]}; what is left out is null or None. */
    static Object slice(Object value, Object from, Object to, Object step, Budget budget) {
        if (!(value instanceof String) && !(value instanceof List)) {
            throw Failures.failed("a %s cannot be sliced".formatted(type(value)));
        }
        long stride = given(step) ? index(step) : 1;
        if (stride == 0) {
            throw Failures.failed("slice step cannot be zero");
        }
        int[] characters = value instanceof String text ? text.codePoints().toArray() : null;
        int length = characters != null ? characters.length : ((List<?>) value).size();
        budget.list(characters != null ? 0 : length);
        budget.text(characters != null ? length : 0);
        long low = stride > 0 ? 0 : -1;
        long high = stride > 0 ? length : length - 1;
        long start = given(from) ? bound(index(from), length, low, high) : (stride > 0 ? low : high);
        long end = given(to) ? bound(index(to), length, low, high) : (stride > 0 ? high : low);
        StringBuilder text = new StringBuilder();
        List<Object> list = new ArrayList<>();
        for (long i = start; stride > 0 ? i < end : i > end; i += stride) {
            if (characters != null) {
                text.appendCodePoint(characters[(int) i]);
            } else {
                list.add(((List<?>) value).get((int) i));
            }
        }
        if (characters != null) {
            return text.toString();
        }
        return value instanceof Tuple ? new Tuple(list) : list;
    }

    private static boolean given(Object value) {
        return value != null && value != NONE;
    }

    private static long bound(long index, int length, long low, long high) {
        return Math.max(low, Math.min(high, index < 0 ? index + length : index));
    }

    /** White space in Python's sense. */
    static boolean isSpace(int character) {
        return Character.isWhitespace(character) || Character.isSpaceChar(character) || character == 0x85;
    }
}
