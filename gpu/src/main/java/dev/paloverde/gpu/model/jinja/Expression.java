package dev.paloverde.gpu.model.jinja;

import java.util.List;
import java.util.Map;

/** What has a value. */
sealed interface Expression {
    /** A value as it is. */
    record Constant(Object value) implements Expression {}

    /** A variable. */
    record Name(String name) implements Expression {}

    /** {@code [a, b]}, or {@code (a, b)} and {@code a, b} where it is a tuple. */
    record Sequence(List<Expression> items, Kind kind) implements Expression {
        enum Kind {
            LIST,
            TUPLE
        }
    }

    /** {@code {key: value}}. */
    record Dictionary(List<Map.Entry<Expression, Expression>> entries) implements Expression {}

    /** {@code object.name}. */
    record Attribute(Expression object, String name) implements Expression {}

    /** {@code object[index]}. */
    record Item(Expression object, Expression index) implements Expression {}

    /** {@code object[from:to:step]}; parts that are left out are null. */
    record Slice(Expression object, Expression from, Expression to, Expression step) implements Expression {}

    /** {@code function(arguments)}. */
    record Call(Expression function, Arguments arguments) implements Expression {}

    /** {@code value | name(arguments)}; value is null at the start of a filtered block. */
    record Filter(Expression value, String name, Arguments arguments, int line) implements Expression {}

    /** {@code value is name(arguments)}. */
    record Test(Expression value, String name, Arguments arguments, int line) implements Expression {}

    /** {@code -a}, {@code +a}, {@code not a}. */
    record Unary(String operator, Expression operand) implements Expression {}

    /** Arithmetic, {@code and}, {@code or}. */
    record Binary(String operator, Expression left, Expression right) implements Expression {}

    /** {@code a < b <= c}: each operand is compared with the next. */
    record Comparison(Expression first, List<Map.Entry<String, Expression>> others) implements Expression {}

    /** {@code then if condition else otherwise}; otherwise is null where it is left out. */
    record Conditional(Expression condition, Expression then, Expression otherwise) implements Expression {}

    /** What a call is given. */
    record Arguments(List<Expression> positional, Map<String, Expression> named) {
        static final Arguments NONE = new Arguments(List.of(), Map.of());
    }
}
