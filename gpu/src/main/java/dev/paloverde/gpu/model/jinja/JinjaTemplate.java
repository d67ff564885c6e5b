package dev.paloverde.gpu.model.jinja;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.List;
import java.util.Map;

/** A template that was parsed. Immutable; safe for any number of threads. */
public final class JinjaTemplate {
    /** More than any chat template has, in characters. */
    static final int LONGEST_SOURCE = 1 << 20;

    private final List<Statement> statements;

    private JinjaTemplate(List<Statement> statements) {
        this.statements = statements;
    }

    /**
     * Parses a template.
     *
     * @throws PaloverdeException UNSUPPORTED_MODEL, with line and reason, if it is not a template or asks for something
     *     that is not supported
     */
    public static JinjaTemplate parse(String source) {
        if (source.length() > LONGEST_SOURCE) {
            throw new PaloverdeException(
                    ErrorCode.UNSUPPORTED_MODEL,
                    "the chat template has %,d characters; at most %,d are read"
                            .formatted(source.length(), LONGEST_SOURCE));
        }
        return new JinjaTemplate(new Parser(new Lexer(source).tokens()).template());
    }

    /**
     * Renders the template.
     *
     * @param variables strings, booleans, numbers, lists, maps with string keys, and null for None; nested as they like
     * @throws PaloverdeException TEMPLATE_FAILED, with the reason, if the template raises an error, uses what is not there
     *     or goes beyond its bounds
     */
    public String render(Map<String, ?> variables) {
        Scope scope = Scope.of(variables);
        StringBuilder out = new StringBuilder();
        try {
            new Renderer(new Budget(Values.size(variables))).render(statements, scope, out);
        } catch (StackOverflowError e) {
            throw Failures.failed("expressions or macros are nested too deeply");
        }
        return out.toString();
    }
}
