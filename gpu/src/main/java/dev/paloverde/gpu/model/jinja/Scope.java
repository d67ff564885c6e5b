package dev.paloverde.gpu.model.jinja;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What names mean. A loop and a macro have a scope of their own, within that around them; an {@code if} has none. */
final class Scope {
    private final Scope outer;
    private final Map<String, Object> variables = new HashMap<>();

    private Scope(Scope outer) {
        this.outer = outer;
    }

    /** The outermost: the functions that every template has, and above them the variables it is given. */
    static Scope of(Map<String, ?> variables) {
        Scope functions = new Scope(null);
        functions.set("raise_exception", (Values.Function) called -> {
            throw Failures.failed(Values.text(called.required(0, "message"), called.budget()));
        });
        functions.set("namespace", (Values.Function) Scope::namespace);
        functions.set("dict", (Values.Function) called -> new LinkedHashMap<Object, Object>(called.named()));
        functions.set("range", (Values.Function) Scope::range);
        Scope given = functions.inner();
        variables.forEach((name, value) -> given.set(name, Values.of(value)));
        return given.inner();
    }

    Scope inner() {
        return new Scope(this);
    }

    Object find(String name) {
        for (Scope scope = this; scope != null; scope = scope.outer) {
            Object value = scope.variables.get(name);
            if (value != null) {
                return value;
            }
        }
        return new Values.Undefined("'%s' is undefined".formatted(name));
    }

    void set(String name, Object value) {
        variables.put(name, value);
    }

    private static Object namespace(Called called) {
        Values.Namespace namespace = new Values.Namespace();
        for (Object given : called.positional()) {
            if (!(given instanceof Map<?, ?> map)) {
                throw Failures.failed("namespace() takes names with values");
            }
            map.forEach((name, value) -> namespace.fields.put(String.valueOf(name), value));
        }
        namespace.fields.putAll(called.named());
        return namespace;
    }

    private static Object range(Called called) {
        called.allow("start", "stop", "step");
        List<Object> given = called.positional();
        if (given.isEmpty()) {
            throw Failures.failed("range() needs an end");
        }
        long start = given.size() > 1 ? Values.index(given.get(0)) : 0;
        long stop = Values.index(given.get(given.size() > 1 ? 1 : 0));
        long step = given.size() > 2 ? Values.index(given.get(2)) : 1;
        if (step == 0) {
            throw Failures.failed("range() arg 3 must not be zero");
        }
        long count = Math.max(0, (stop - start + step - Long.signum(step)) / step);
        called.budget().list(count);
        return java.util.stream.LongStream.range(0, count)
                .mapToObj(i -> (Object) (start + i * step))
                .toList();
    }
}
