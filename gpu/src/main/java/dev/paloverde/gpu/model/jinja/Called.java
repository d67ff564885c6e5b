package dev.paloverde.gpu.model.jinja;

import java.util.List;
import java.util.Map;

/**
 * What a function, method, filter or test was called with.
 *
 * @param name what was called, for messages
 * @param positional arguments by place
 * @param named arguments by name
 */
record Called(Renderer renderer, String name, List<Object> positional, Map<String, Object> named) {
    Budget budget() {
        return renderer.budget();
    }

    /** The argument at a place or of a name; null if it was not given. */
    Object argument(int place, String argument) {
        return place < positional.size() ? positional.get(place) : named.get(argument);
    }

    Object argument(int place, String argument, Object otherwise) {
        Object value = argument(place, argument);
        return value == null ? otherwise : value;
    }

    Object required(int place, String argument) {
        Object value = argument(place, argument);
        if (value == null) {
            throw Failures.failed("%s() needs %s".formatted(name, argument));
        }
        return value;
    }

    String requiredText(int place, String argument) {
        if (required(place, argument) instanceof String text) {
            return text;
        }
        throw Failures.failed("%s() needs %s to be a text, not a %s"
                .formatted(name, argument, Values.type(required(place, argument))));
    }

    /** Refuses more arguments by place than these names, and other names. */
    void allow(String... names) {
        if (positional.size() > names.length || !List.of(names).containsAll(named.keySet())) {
            throw Failures.failed("%s() is given %d arguments and %s; it takes %s"
                    .formatted(name, positional.size(), named.keySet(), List.of(names)));
        }
    }
}
