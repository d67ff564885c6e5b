package dev.paloverde.gpu.model.jinja;

import java.util.List;
import java.util.Map;

/** What prints, or changes what names mean. */
sealed interface Statement {
    /** Text as it is. */
    record Data(String text) implements Statement {}

    /** {@code {{ value }}}. */
    record Print(Expression value) implements Statement {}

    /** {@code if}, {@code elif}, {@code else}: the first body whose condition holds, else {@code otherwise}. */
    record If(List<Map.Entry<Expression, List<Statement>>> branches, List<Statement> otherwise) implements Statement {}

    /** {@code for}; condition is null where there is none. */
    record For(Target target, Expression items, Expression condition, List<Statement> body, List<Statement> otherwise)
            implements Statement {}

    /** {@code set target = value}. */
    record Set(Target target, Expression value) implements Statement {}

    /** {@code set name}, a body, {@code endset}; the filter, if there is one, takes the text. */
    record SetBlock(Target target, Expression.Filter filter, List<Statement> body) implements Statement {}

    /** {@code macro}; parameters that have no default have null there. */
    record Macro(String name, List<Parameter> parameters, List<Statement> body) implements Statement {}

    /** {@code break}. */
    record Break() implements Statement {}

    /** {@code continue}. */
    record Continue() implements Statement {}

    /** A body that is printed as if nothing stood around it: {@code generation}. */
    record Body(List<Statement> statements) implements Statement {}

    /** What a macro takes. */
    record Parameter(String name, Expression otherwise) {}

    /** What can be assigned to. */
    sealed interface Target {
        /** A name. */
        record Variable(String name) implements Target {}

        /** A field of a namespace. */
        record Field(String object, String name) implements Target {}

        /** Several, unpacked from a sequence of as many. */
        record Several(List<Target> targets) implements Target {}
    }
}
