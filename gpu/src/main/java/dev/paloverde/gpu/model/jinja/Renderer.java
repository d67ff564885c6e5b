package dev.paloverde.gpu.model.jinja;

import dev.paloverde.gpu.model.jinja.Expression.Arguments;
import dev.paloverde.gpu.model.jinja.Expression.Attribute;
import dev.paloverde.gpu.model.jinja.Expression.Binary;
import dev.paloverde.gpu.model.jinja.Expression.Call;
import dev.paloverde.gpu.model.jinja.Expression.Comparison;
import dev.paloverde.gpu.model.jinja.Expression.Conditional;
import dev.paloverde.gpu.model.jinja.Expression.Constant;
import dev.paloverde.gpu.model.jinja.Expression.Dictionary;
import dev.paloverde.gpu.model.jinja.Expression.Filter;
import dev.paloverde.gpu.model.jinja.Expression.Item;
import dev.paloverde.gpu.model.jinja.Expression.Name;
import dev.paloverde.gpu.model.jinja.Expression.Sequence;
import dev.paloverde.gpu.model.jinja.Expression.Slice;
import dev.paloverde.gpu.model.jinja.Expression.Test;
import dev.paloverde.gpu.model.jinja.Expression.Unary;
import dev.paloverde.gpu.model.jinja.Statement.Target;
import dev.paloverde.gpu.model.jinja.Values.Namespace;
import dev.paloverde.gpu.model.jinja.Values.Tuple;
import dev.paloverde.gpu.model.jinja.Values.Undefined;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Runs statements and works out expressions. */
final class Renderer {
    private final Budget budget;

    Renderer(Budget budget) {
        this.budget = budget;
    }

    Budget budget() {
        return budget;
    }

    /** What a statement does to the loop around it. */
    private enum Flow {
        NEXT,
        BREAK,
        CONTINUE
    }

    void render(List<Statement> statements, Scope scope, StringBuilder out) {
        run(statements, scope, out);
    }

    private Flow run(List<Statement> statements, Scope scope, StringBuilder out) {
        for (Statement statement : statements) {
            budget.spend(1);
            Flow flow = run(statement, scope, out);
            if (flow != Flow.NEXT) {
                return flow;
            }
        }
        return Flow.NEXT;
    }

    private Flow run(Statement statement, Scope scope, StringBuilder out) {
        if (statement instanceof Statement.Data data) {
            print(data.text(), out);
        } else if (statement instanceof Statement.Print printed) {
            print(Values.text(value(printed.value(), scope), budget), out);
        } else if (statement instanceof Statement.If branches) {
            for (Map.Entry<Expression, List<Statement>> branch : branches.branches()) {
                if (Values.truth(value(branch.getKey(), scope))) {
                    return run(branch.getValue(), scope, out);
                }
            }
            return run(branches.otherwise(), scope, out);
        } else if (statement instanceof Statement.For loop) {
            return loop(loop, scope, out);
        } else if (statement instanceof Statement.Set set) {
            assign(set.target(), value(set.value(), scope), scope);
        } else if (statement instanceof Statement.SetBlock set) {
            StringBuilder text = new StringBuilder();
            run(set.body(), scope.inner(), text);
            assign(set.target(), filtered(set.filter(), text.toString(), scope), scope);
        } else if (statement instanceof Statement.Macro macro) {
            scope.set(macro.name(), (Values.Function) called -> call(macro, called, scope));
        } else if (statement instanceof Statement.Body body) {
            return run(body.statements(), scope, out);
        } else {
            return statement instanceof Statement.Break ? Flow.BREAK : Flow.CONTINUE;
        }
        return Flow.NEXT;
    }

    private void print(String text, StringBuilder out) {
        budget.limit((long) out.length() + text.length());
        budget.spend(text.length());
        out.append(text);
    }

    private Flow loop(Statement.For statement, Scope scope, StringBuilder out) {
        List<Object> items = Values.items(value(statement.items(), scope), budget);
        if (statement.condition() != null) {
            List<Object> kept = new ArrayList<>();
            for (Object item : items) {
                Scope inner = scope.inner();
                assign(statement.target(), item, inner);
                if (Values.truth(value(statement.condition(), inner))) {
                    kept.add(item);
                }
            }
            items = kept;
        }
        Loop loop = new Loop(items);
        boolean wentThrough = false;
        for (int i = 0; i < items.size(); i++) {
            budget.spend(1);
            loop.at(i);
            Scope inner = scope.inner();
            inner.set("loop", loop);
            assign(statement.target(), items.get(i), inner);
            Flow flow = run(statement.body(), inner, out);
            wentThrough |= flow == Flow.NEXT;
            if (flow == Flow.BREAK) {
                break;
            }
        }
        // as Jinja2 has it: not only when there was no item, but whenever none was gone through to its end
        return wentThrough ? Flow.NEXT : run(statement.otherwise(), scope, out);
    }

    private void assign(Target target, Object value, Scope scope) {
        if (target instanceof Target.Variable variable) {
            scope.set(variable.name(), value);
        } else if (target instanceof Target.Field field) {
            if (!(scope.find(field.object()) instanceof Namespace namespace)) {
                throw Failures.failed("cannot assign attribute on non-namespace object");
            }
            namespace.fields.put(field.name(), value);
        } else {
            List<Target> targets = ((Target.Several) target).targets();
            List<Object> items = Values.items(value, budget);
            if (items.size() != targets.size()) {
                throw Failures.failed("%d values to unpack into %d names".formatted(items.size(), targets.size()));
            }
            for (int i = 0; i < items.size(); i++) {
                assign(targets.get(i), items.get(i), scope);
            }
        }
    }

    private Object call(Statement.Macro macro, Called called, Scope around) {
        String[] names =
                macro.parameters().stream().map(Statement.Parameter::name).toArray(String[]::new);
        new Called(this, macro.name(), called.positional(), called.named()).allow(names);
        Scope inner = around.inner();
        for (int i = 0; i < names.length; i++) {
            Object given = called.argument(i, names[i]);
            Expression otherwise = macro.parameters().get(i).otherwise();
            if (given == null) {
                given = otherwise == null
                        ? new Undefined("parameter '%s' was not provided".formatted(names[i]))
                        : value(otherwise, inner);
            }
            inner.set(names[i], given);
        }
        StringBuilder text = new StringBuilder();
        budget.enter();
        run(macro.body(), inner, text);
        budget.leave();
        return text.toString();
    }

    private Object value(Expression expression, Scope scope) {
        budget.spend(1);
        if (expression instanceof Constant constant) {
            return constant.value();
        }
        if (expression instanceof Name name) {
            return scope.find(name.name());
        }
        if (expression instanceof Attribute attribute) {
            return attribute(value(attribute.object(), scope), attribute.name());
        }
        if (expression instanceof Item item) {
            return item(value(item.object(), scope), value(item.index(), scope));
        }
        if (expression instanceof Call call) {
            return call(call, scope);
        }
        if (expression instanceof Filter filter) {
            return Filters.apply(value(filter.value(), scope), called(filter.name(), filter.arguments(), scope));
        }
        if (expression instanceof Test test) {
            return Predicates.holds(value(test.value(), scope), called(test.name(), test.arguments(), scope));
        }
        if (expression instanceof Comparison comparison) {
            return compare(comparison, scope);
        }
        if (expression instanceof Binary binary) {
            return binary(binary, scope);
        }
        if (expression instanceof Unary unary) {
            return unary(unary, scope);
        }
        if (expression instanceof Conditional conditional) {
            if (Values.truth(value(conditional.condition(), scope))) {
                return value(conditional.then(), scope);
            }
            return conditional.otherwise() == null
                    ? new Undefined("the inline if-expression evaluated to false and no else section was defined.")
                    : value(conditional.otherwise(), scope);
        }
        if (expression instanceof Slice slice) {
            return Values.slice(
                    value(slice.object(), scope),
                    slice.from() == null ? null : value(slice.from(), scope),
                    slice.to() == null ? null : value(slice.to(), scope),
                    slice.step() == null ? null : value(slice.step(), scope),
                    budget);
        }
        if (expression instanceof Sequence sequence) {
            List<Object> items = new ArrayList<>();
            for (Expression item : sequence.items()) {
                items.add(value(item, scope));
            }
            return sequence.kind() == Sequence.Kind.TUPLE ? new Tuple(items) : items;
        }
        Map<Object, Object> map = new LinkedHashMap<>();
        for (Map.Entry<Expression, Expression> entry : ((Dictionary) expression).entries()) {
            map.put(value(entry.getKey(), scope), value(entry.getValue(), scope));
        }
        return map;
    }

    /** {@code value.name}: a method first, then an entry. */
    private Object attribute(Object value, String name) {
        if (value instanceof Undefined undefined) {
            throw Failures.failed(undefined.reason());
        }
        if (value instanceof Loop loop) {
            return loop.field(name);
        }
        Object found = value instanceof Namespace namespace ? namespace.fields.get(name) : Methods.of(value, name);
        if (found == null && value instanceof Map<?, ?> map) {
            found = map.get(name);
        }
        return found != null
                ? found
                : new Undefined("'%s object' has no attribute '%s'".formatted(Values.type(value), name));
    }

    /** {@code value[index]}: an entry first, then a method. */
    Object item(Object value, Object index) {
        if (value instanceof Undefined undefined) {
            throw Failures.failed(undefined.reason());
        }
        if (value instanceof Map<?, ?> map && map.get(index) != null) {
            return map.get(index);
        }
        Long place = Values.whole(index);
        if (place != null && (value instanceof List || value instanceof String)) {
            int length = Values.length(value);
            long at = place < 0 ? place + length : place;
            if (at < 0 || at >= length) {
                return new Undefined("'%s object' has no element %d".formatted(Values.type(value), place));
            }
            if (value instanceof List<?> list) {
                return list.get((int) at);
            }
            String text = (String) value;
            budget.spend(text.length());
            return Character.toString(text.codePointAt(text.offsetByCodePoints(0, (int) at)));
        }
        if (index instanceof String name) {
            return attribute(value, name);
        }
        return new Undefined("'%s object' has no such element".formatted(Values.type(value)));
    }

    private Object call(Call call, Scope scope) {
        Object function = value(call.function(), scope);
        if (function instanceof Undefined undefined) {
            throw Failures.failed(undefined.reason());
        }
        if (!(function instanceof Values.Function callable)) {
            throw Failures.failed("'%s' object is not callable".formatted(Values.type(function)));
        }
        String name = call.function() instanceof Name named
                ? named.name()
                : call.function() instanceof Attribute attribute ? attribute.name() : "a function";
        return callable.call(called(name, call.arguments(), scope));
    }

    private Called called(String name, Arguments arguments, Scope scope) {
        List<Object> positional = new ArrayList<>();
        for (Expression argument : arguments.positional()) {
            positional.add(value(argument, scope));
        }
        Map<String, Object> named = new LinkedHashMap<>();
        arguments.named().forEach((key, argument) -> named.put(key, value(argument, scope)));
        return new Called(this, name, positional, named);
    }

    /** The filters of a block that is set; the innermost has no value of its own and takes the text. */
    private Object filtered(Filter filter, Object text, Scope scope) {
        if (filter == null) {
            return text;
        }
        Object value = filter.value() == null ? text : filtered((Filter) filter.value(), text, scope);
        return Filters.apply(value, called(filter.name(), filter.arguments(), scope));
    }

    private boolean compare(Comparison comparison, Scope scope) {
        Object left = value(comparison.first(), scope);
        for (Map.Entry<String, Expression> other : comparison.others()) {
            Object right = value(other.getValue(), scope);
            boolean holds = switch (other.getKey()) {
                case "==" -> Values.equal(left, right);
                case "!=" -> !Values.equal(left, right);
                case "<" -> Values.compare(left, right) < 0;
                case "<=" -> Values.compare(left, right) <= 0;
                case ">" -> Values.compare(left, right) > 0;
                case ">=" -> Values.compare(left, right) >= 0;
                case "in" -> Values.contains(right, left, budget);
                default -> !Values.contains(right, left, budget);
            };
            if (!holds) {
                return false;
            }
            left = right;
        }
        return true;
    }

    private Object unary(Unary unary, Scope scope) {
        Object operand = value(unary.operand(), scope);
        if (unary.operator().equals("not")) {
            return !Values.truth(operand);
        }
        if (!Values.isNumber(operand)) {
            throw Failures.failed(
                    "bad operand type for unary %s: '%s'".formatted(unary.operator(), Values.type(operand)));
        }
        boolean negative = unary.operator().equals("-");
        if (operand instanceof Double number) {
            return negative ? -number : number;
        }
        long number = Values.whole(operand);
        return negative ? exact(() -> Math.negateExact(number)) : (Object) number;
    }

    private Object binary(Binary binary, Scope scope) {
        Object left = value(binary.left(), scope);
        switch (binary.operator()) {
            case "and" -> {
                return Values.truth(left) ? value(binary.right(), scope) : left;
            }
            case "or" -> {
                return Values.truth(left) ? left : value(binary.right(), scope);
            }
            default -> {
                return operate(binary.operator(), left, value(binary.right(), scope));
            }
        }
    }

    private Object operate(String operator, Object left, Object right) {
        switch (operator) {
            case "+" -> {
                return add(left, right);
            }
            case "~" -> {
                return concatenate(Values.text(left, budget), Values.text(right, budget));
            }
            case "*" -> {
                if (left instanceof String || left instanceof List) {
                    return repeat(left, right);
                }
                if (right instanceof String || right instanceof List) {
                    return repeat(right, left);
                }
            }
            case "%" -> {
                if (left instanceof String text) {
                    return percent(text, right);
                }
            }
            default -> {}
        }
        requireNumbers(operator, left, right);
        Long a = Values.whole(left);
        Long b = Values.whole(right);
        if (a == null || b == null || operator.equals("/")) {
            return real(operator, Values.real(left), Values.real(right));
        }
        if (b == 0 && (operator.equals("//") || operator.equals("%"))) {
            throw Failures.failed("integer division or modulo by zero");
        }
        return switch (operator) {
            case "-" -> exact(() -> Math.subtractExact(a, b));
            case "*" -> exact(() -> Math.multiplyExact(a, b));
            case "//" -> exact(() -> b == -1 ? Math.negateExact(a) : Math.floorDiv(a, b));
            case "%" -> Math.floorMod(a, b);
            default -> b < 0 ? (Object) Math.pow(a, b) : power(a, b);
        };
    }

    private static Object real(String operator, double left, double right) {
        if (right == 0 && (operator.startsWith("/") || operator.equals("%"))) {
            throw Failures.failed("float division or modulo by zero");
        }
        return switch (operator) {
            case "-" -> left - right;
            case "*" -> left * right;
            case "/" -> left / right;
            case "//" -> Math.floor(left / right);
            case "%" -> left - right * Math.floor(left / right);
            default -> Math.pow(left, right);
        };
    }

    Object add(Object left, Object right) {
        if (left instanceof String a && right instanceof String b) {
            return concatenate(a, b);
        }
        if (left instanceof List<?> a
                && right instanceof List<?> b
                && left instanceof Tuple == right instanceof Tuple) {
            budget.list((long) a.size() + b.size());
            List<Object> both = new ArrayList<>(a);
            both.addAll(b);
            return left instanceof Tuple ? new Tuple(both) : both;
        }
        requireNumbers("+", left, right);
        Long a = Values.whole(left);
        Long b = Values.whole(right);
        return a != null && b != null
                ? exact(() -> Math.addExact(a, b))
                : (Object) (Values.real(left) + Values.real(right));
    }

    private static void requireNumbers(String operator, Object left, Object right) {
        for (Object side : new Object[] {left, right}) {
            if (side instanceof Undefined undefined) {
                throw Failures.failed(undefined.reason());
            }
        }
        if (!Values.isNumber(left) || !Values.isNumber(right)) {
            throw Failures.failed("unsupported operand types for %s: '%s' and '%s'"
                    .formatted(operator, Values.type(left), Values.type(right)));
        }
    }

    private String concatenate(String left, String right) {
        budget.text((long) left.length() + right.length());
        return left + right;
    }

    private Object repeat(Object value, Object times) {
        int count = Math.max(0, Values.index(times));
        if (value instanceof String text) {
            budget.text((long) text.length() * count);
            return text.repeat(count);
        }
        List<?> list = (List<?>) value;
        budget.list((long) list.size() * count);
        List<Object> repeated = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            repeated.addAll(list);
        }
        return value instanceof Tuple ? new Tuple(repeated) : repeated;
    }

    /** {@code text % values}, for {@code %s}, {@code %d} and {@code %%}. */
    private String percent(String text, Object values) {
        List<?> given = values instanceof Tuple tuple ? tuple : List.of(values);
        StringBuilder out = new StringBuilder();
        int used = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c != '%') {
                out.append(c);
                continue;
            }
            char kind = ++i < text.length() ? text.charAt(i) : ' ';
            if (kind == '%') {
                out.append('%');
            } else if ((kind == 's' || kind == 'd') && used < given.size()) {
                Object value = given.get(used++);
                out.append(kind == 's' ? Values.text(value, budget) : Integer.toString(Values.index(value)));
            } else {
                throw Failures.failed("'%s' cannot be filled with %d values".formatted(text, given.size()));
            }
            budget.text(out.length());
        }
        if (used < given.size()) {
            throw Failures.failed("not all arguments converted during string formatting");
        }
        return out.toString();
    }

    private static Object power(long base, long exponent) {
        return exact(() -> {
            long result = 1;
            for (long i = 0; i < exponent; i++) {
                result = Math.multiplyExact(result, base);
                if (result == 0 || (result == 1 && base == 1)) {
                    break;
                }
                if (i > 10_000) {
                    throw new ArithmeticException("a power of minus one");
                }
            }
            return result;
        });
    }

    static Object exact(java.util.function.LongSupplier operation) {
        try {
            return operation.getAsLong();
        } catch (ArithmeticException e) {
            throw Failures.failed("a whole number goes beyond 64 bits");
        }
    }
}
