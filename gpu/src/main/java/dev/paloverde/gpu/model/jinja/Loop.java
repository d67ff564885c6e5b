package dev.paloverde.gpu.model.jinja;

import java.util.List;

/** The variable {@code loop}. */
final class Loop {
    private final List<Object> items;
    private int index;
    private Object last;

    Loop(List<Object> items) {
        this.items = items;
    }

    void at(int place) {
        index = place;
    }

    Object field(String name) {
        int count = items.size();
        return switch (name) {
            case "index" -> index + 1L;
            case "index0" -> (long) index;
            case "revindex" -> (long) count - index;
            case "revindex0" -> count - index - 1L;
            case "first" -> index == 0;
            case "last" -> index == count - 1;
            case "length" -> (long) count;
            case "depth" -> 1L;
            case "depth0" -> 0L;
            case "previtem" -> index > 0 ? items.get(index - 1) : new Values.Undefined("there is no previous item");
            case "nextitem" -> index + 1 < count ? items.get(index + 1) : new Values.Undefined("there is no next item");
            case "cycle" -> (Values.Function) this::cycle;
            case "changed" -> (Values.Function) this::changed;
            default -> new Values.Undefined("'loop' has no attribute '%s'".formatted(name));
        };
    }

    private Object cycle(Called called) {
        List<Object> values = called.positional();
        if (values.isEmpty()) {
            throw Failures.failed("no items for cycling given");
        }
        return values.get(index % values.size());
    }

    private Object changed(Called called) {
        boolean same = last != null && Values.equal(last, called.positional());
        last = called.positional();
        return !same;
    }
}
