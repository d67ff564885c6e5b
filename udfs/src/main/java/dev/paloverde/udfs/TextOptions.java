package dev.paloverde.udfs;

import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What {@link Paloverde} does to a dataset: which columns it reads, and the options of the call.
 *
 * @param input name of the column with the prompt, the text or the context
 * @param choices name of the column with the continuations, for {@link Paloverde#choose} only
 * @param options by key of {@link Settings}; what is not here comes from the session's configuration
 */
public record TextOptions(String input, Optional<String> choices, Map<String, String> options) {
    public TextOptions {
        options = Collections.unmodifiableMap(new TreeMap<>(options));
    }

    /** {@return options that read this column, all else as the session's configuration has it} */
    public static TextOptions input(String column) {
        return new TextOptions(column, Optional.empty(), Map.of());
    }

    /** {@return these options, reading continuations from a column of ARRAY&lt;STRING&gt;} */
    public TextOptions choices(String column) {
        return new TextOptions(input, Optional.of(column), options);
    }

    /** {@return these options and one more} */
    public TextOptions with(Setting<?> setting, Object value) {
        return with(setting.key(), String.valueOf(value));
    }

    /** {@return these options and one more, by its key} */
    public TextOptions with(String key, String value) {
        return with(Map.of(key, value));
    }

    /** {@return these options and more, by their keys; later ones win} */
    public TextOptions with(Map<String, String> more) {
        TreeMap<String, String> changed = new TreeMap<>(options);
        changed.putAll(more);
        return new TextOptions(input, choices, changed);
    }
}
