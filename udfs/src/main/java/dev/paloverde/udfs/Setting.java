package dev.paloverde.udfs;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * One option: its key, what it may be, what it is when nobody says, and what it does. All of them are constants of
 * {@link Settings}.
 *
 * @param <T> the type of its values
 */
public final class Setting<T> {
    /** What a change of a setting can change. */
    public enum Scope {
        /** The results: it is part of the receipt. */
        RESULT,
        /** Only speed, memory and places on disk: the results are the same bits whatever it is. */
        RESOURCE
    }

    /** The prefix of a setting's key in Spark's configuration. */
    public static final String PREFIX = "spark.paloverde.";

    private static final ObjectMapper JSON = new ObjectMapper();

    private final String key;
    private final String kind;
    private final String range;
    private final String standard;
    private final Scope scope;
    private final Set<Operation> operations;
    private final String description;
    private final Function<String, T> parser;

    private Setting(
            String key,
            String kind,
            String range,
            String standard,
            Scope scope,
            Set<Operation> operations,
            String description,
            Function<String, T> parser) {
        this.key = key;
        this.kind = kind;
        this.range = range;
        this.standard = standard;
        this.scope = scope;
        this.operations = Collections.unmodifiableSet(EnumSet.copyOf(operations));
        this.description = description;
        this.parser = parser;
        parse(standard);
    }

    /** {@return the key of an option in a call and of a flag of a job, kebab-case} */
    public String key() {
        return key;
    }

    /** {@return the key in Spark's configuration} */
    public String sparkKey() {
        return PREFIX + key;
    }

    /** {@return the kind of value, for people: {@code whole number} for instance} */
    public String kind() {
        return kind;
    }

    /** {@return the values allowed, for people: {@code 0 to 100} for instance} */
    public String range() {
        return range;
    }

    /** {@return the default, written as a user would write it} */
    public String standard() {
        return standard;
    }

    /** {@return what a change of it can change} */
    public Scope scope() {
        return scope;
    }

    /** {@return what it has a meaning for} */
    public Set<Operation> operations() {
        return operations;
    }

    /** {@return what it does, one or more sentences} */
    public String description() {
        return description;
    }

    /**
     * Reads a value as a user wrote it.
     *
     * @throws PaloverdeException {@code INVALID_OPTION}, naming the value and what is allowed
     */
    public T parse(String value) {
        String found;
        try {
            T parsed = value == null ? null : parser.apply(value.strip());
            if (parsed != null) {
                return parsed;
            }
            found = value == null ? "null" : "'" + value + "'";
        } catch (ArithmeticException | NumberFormatException | JsonProcessingFailure e) {
            found = "'" + value + "'";
        }
        throw new PaloverdeException(
                ErrorCode.INVALID_OPTION,
                "%s is %s; it must be %s: %s (default: %s)"
                        .formatted(key, found, article(kind), range, standard.isEmpty() ? "none" : standard));
    }

    @Override
    public String toString() {
        return key;
    }

    private static String article(String kind) {
        return ("aeiou".indexOf(kind.charAt(0)) >= 0 ? "an " : "a ") + kind;
    }

    // The kinds of settings. A parser gives null for a value outside the range.

    static Setting<Integer> whole(
            String key, int standard, int min, int max, Scope scope, Set<Operation> operations, String description) {
        return new Setting<>(
                key,
                "whole number",
                max == Integer.MAX_VALUE ? min + " or more" : min + " to " + max,
                Integer.toString(standard),
                scope,
                operations,
                description,
                text -> {
                    // a number among others in a SQL map can come as 64.0
                    int value = new BigDecimal(text).toBigIntegerExact().intValueExact();
                    return value < min || value > max ? null : value;
                });
    }

    static Setting<Long> seed(String key, Set<Operation> operations, String description) {
        return new Setting<>(
                key,
                "whole number",
                "-2^63 to 2^63 - 1",
                "0",
                Scope.RESULT,
                operations,
                description,
                text -> new BigDecimal(text).toBigIntegerExact().longValueExact());
    }

    static Setting<Double> decimal(
            String key, double standard, double min, double max, Set<Operation> operations, String description) {
        return new Setting<>(
                key,
                "number",
                plain(min) + " to " + plain(max),
                plain(standard),
                Scope.RESULT,
                operations,
                description,
                text -> {
                    double value = Double.parseDouble(text);
                    return value >= min && value <= max ? value : null;
                });
    }

    static Setting<Double> positive(
            String key, double standard, double max, Set<Operation> operations, String description) {
        return new Setting<>(
                key,
                "number",
                "above 0, to " + plain(max),
                plain(standard),
                Scope.RESULT,
                operations,
                description,
                text -> {
                    double value = Double.parseDouble(text);
                    return value > 0 && value <= max ? value : null;
                });
    }

    static Setting<Boolean> flag(
            String key, boolean standard, Scope scope, Set<Operation> operations, String description) {
        return new Setting<>(
                key,
                "truth value",
                "true or false",
                Boolean.toString(standard),
                scope,
                operations,
                description,
                text -> switch (text.toLowerCase(Locale.ROOT)) {
                    case "true" -> true;
                    case "false" -> false;
                    default -> null;
                });
    }

    static <E extends Enum<E>> Setting<E> choice(
            String key, E standard, Scope scope, Set<Operation> operations, String description) {
        E[] values = standard.getDeclaringClass().getEnumConstants();
        return new Setting<>(
                key,
                "choice",
                Arrays.stream(values).map(Setting::kebab).collect(Collectors.joining(", ")),
                kebab(standard),
                scope,
                operations,
                description,
                text -> Arrays.stream(values)
                        .filter(value -> kebab(value).equalsIgnoreCase(text))
                        .findFirst()
                        .orElse(null));
    }

    static Setting<String> text(
            String key, String range, String standard, Scope scope, Set<Operation> operations, String description) {
        return new Setting<>(key, "text", range, standard, scope, operations, description, Function.identity());
    }

    static Setting<List<String>> texts(String key, Set<Operation> operations, String description) {
        return new Setting<>(
                key,
                "text or a JSON array of texts",
                "each of 1 or more characters",
                "",
                Scope.RESULT,
                operations,
                description,
                Setting::readTexts);
    }

    static Setting<Long> bytes(
            String key, String standard, long min, long max, Set<Operation> operations, String description) {
        return new Setting<>(
                key,
                "size in bytes, with k, m or g after it for KiB, MiB or GiB",
                show(min) + " to " + show(max),
                standard,
                Scope.RESOURCE,
                operations,
                description,
                text -> {
                    long value = readBytes(text.toLowerCase(Locale.ROOT));
                    return value < min || value > max ? null : value;
                });
    }

    private static List<String> readTexts(String text) {
        List<String> texts = new ArrayList<>();
        if (text.startsWith("[")) {
            try {
                texts.addAll(Arrays.asList(JSON.readValue(text, String[].class)));
            } catch (JsonProcessingException e) {
                throw new JsonProcessingFailure(e);
            }
        } else if (!text.isEmpty()) {
            texts.add(text);
        }
        return texts.stream().anyMatch(each -> each == null || each.isEmpty()) ? null : List.copyOf(texts);
    }

    private static long readBytes(String text) {
        int shift = text.endsWith("g") ? 30 : text.endsWith("m") ? 20 : text.endsWith("k") ? 10 : 0;
        long value = Long.parseLong(shift == 0 ? text : text.substring(0, text.length() - 1));
        return value > Long.MAX_VALUE >> shift ? Long.MAX_VALUE : value << shift;
    }

    private static String show(long bytes) {
        for (int i = 3; i > 0; i--) {
            if (bytes % (1L << (10 * i)) == 0) {
                return (bytes >> (10 * i)) + " kmg".substring(i, i + 1);
            }
        }
        return Long.toString(bytes);
    }

    private static String plain(double value) {
        return value == Math.rint(value) ? Long.toString((long) value) : Double.toString(value);
    }

    /** {@return how users write a constant: lower case, words joined by hyphens} */
    private static String kebab(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    private static final class JsonProcessingFailure extends IllegalArgumentException {
        private static final long serialVersionUID = 1L;

        JsonProcessingFailure(Throwable cause) {
            super(cause);
        }
    }
}
