package dev.paloverde.gpu.model.jinja;

import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.model.jinja.Expression.Arguments;
import dev.paloverde.gpu.model.jinja.Statement.Target;
import dev.paloverde.gpu.model.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Jinja2's grammar by recursive descent. Operators bind, from the loosest: conditional, or, and, not, comparisons, plus
 * and minus, {@code ~}, times and divisions, powers, signs, tests and filters, attributes and calls.
 */
final class Parser {
    private static final int DEEPEST = 100;
    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");

    private final List<Token> tokens;
    private int next;
    private int depth;
    private int loops;

    Parser(List<Token> tokens) {
        this.tokens = tokens;
    }

    List<Statement> template() {
        List<Statement> statements = body(Set.of());
        if (peek().kind() != Kind.END) {
            throw unexpected();
        }
        return statements;
    }

    /** Statements up to a block that begins with one of these words; the word is left to be read. */
    private List<Statement> body(Set<String> ends) {
        enter();
        List<Statement> statements = new ArrayList<>();
        while (true) {
            Token token = peek();
            switch (token.kind()) {
                case DATA -> {
                    next++;
                    statements.add(new Statement.Data(token.text()));
                }
                case PRINT_BEGIN -> {
                    next++;
                    Expression value = tuple();
                    expect(Kind.PRINT_END);
                    statements.add(new Statement.Print(value));
                }
                case BLOCK_BEGIN -> {
                    Token word = tokens.get(next + 1);
                    if (word.kind() == Kind.NAME && ends.contains(word.text())) {
                        next++;
                        depth--;
                        return statements;
                    }
                    next++;
                    statements.add(block());
                }
                case END -> {
                    if (!ends.isEmpty()) {
                        throw Failures.unsupported(
                                token.line(), "'%s' is missing".formatted(String.join("' or '", ends)));
                    }
                    depth--;
                    return statements;
                }
                default -> throw unexpected();
            }
        }
    }

    private Statement block() {
        Token word = expect(Kind.NAME);
        return switch (word.text()) {
            case "if" -> branches();
            case "for" -> loop();
            case "set" -> set();
            case "macro" -> macro();
            case "break", "continue" -> {
                if (loops == 0) {
                    throw Failures.unsupported(word.line(), word + " outside of a loop");
                }
                expect(Kind.BLOCK_END);
                yield word.text().equals("break") ? new Statement.Break() : new Statement.Continue();
            }
            case "generation" -> {
                expect(Kind.BLOCK_END);
                List<Statement> body = body(Set.of("endgeneration"));
                endBlock();
                yield new Statement.Body(body);
            }
            default ->
                throw Failures.unsupported(
                        word.line(), "there is no statement %s among those supported".formatted(word));
        };
    }

    private Statement branches() {
        List<Map.Entry<Expression, List<Statement>>> branches = new ArrayList<>();
        List<Statement> otherwise = List.of();
        String word = "if";
        while (!word.equals("endif")) {
            if (word.equals("else")) {
                expect(Kind.BLOCK_END);
                otherwise = body(Set.of("endif"));
            } else {
                Expression condition = tuple();
                expect(Kind.BLOCK_END);
                branches.add(Map.entry(condition, body(Set.of("elif", "else", "endif"))));
            }
            word = expect(Kind.NAME).text();
        }
        expect(Kind.BLOCK_END);
        return new Statement.If(branches, otherwise);
    }

    private Statement loop() {
        Target target = target();
        expectName("in");
        List<Expression> items = new ArrayList<>(List.of(or()));
        boolean several = false;
        while (skip(",")) {
            several = true;
            items.add(or());
        }
        Expression sequence = several ? new Expression.Sequence(items, Expression.Sequence.Kind.TUPLE) : items.get(0);
        Expression condition = skipName("if") ? expression() : null;
        if (isName("recursive")) {
            throw Failures.unsupported(peek().line(), "recursive loops are not supported");
        }
        expect(Kind.BLOCK_END);
        loops++;
        List<Statement> body = body(Set.of("else", "endfor"));
        loops--;
        List<Statement> otherwise = List.of();
        if (skipName("else")) {
            expect(Kind.BLOCK_END);
            otherwise = body(Set.of("endfor"));
        }
        endBlock();
        return new Statement.For(target, sequence, condition, body, otherwise);
    }

    private Statement set() {
        Target target = target();
        if (skip("=")) {
            Expression value = tuple();
            expect(Kind.BLOCK_END);
            return new Statement.Set(target, value);
        }
        Expression.Filter filter = null;
        while (skip("|")) {
            filter = filter(filter);
        }
        expect(Kind.BLOCK_END);
        List<Statement> body = body(Set.of("endset"));
        endBlock();
        return new Statement.SetBlock(target, filter, body);
    }

    private Statement macro() {
        String name = expect(Kind.NAME).text();
        expectOperator("(");
        List<Statement.Parameter> parameters = new ArrayList<>();
        while (!skip(")")) {
            if (!parameters.isEmpty()) {
                expectOperator(",");
            }
            String parameter = expect(Kind.NAME).text();
            parameters.add(new Statement.Parameter(parameter, skip("=") ? expression() : null));
        }
        expect(Kind.BLOCK_END);
        int outer = loops;
        loops = 0;
        List<Statement> body = body(Set.of("endmacro"));
        loops = outer;
        next++;
        // the name may stand there again
        if (peek().kind() == Kind.NAME) {
            next++;
        }
        expect(Kind.BLOCK_END);
        return new Statement.Macro(name, List.copyOf(parameters), body);
    }

    private Target target() {
        List<Target> targets = new ArrayList<>();
        boolean several = false;
        do {
            if (!targets.isEmpty() && peek().kind() != Kind.NAME && !peek().is(Kind.OPERATOR, "(")) {
                break;
            }
            targets.add(oneTarget());
            several |= peek().is(Kind.OPERATOR, ",");
        } while (skip(","));
        return several ? new Target.Several(List.copyOf(targets)) : targets.get(0);
    }

    private Target oneTarget() {
        if (skip("(")) {
            Target inner = target();
            expectOperator(")");
            return inner;
        }
        String name = expect(Kind.NAME).text();
        if (skip(".")) {
            return new Target.Field(name, expect(Kind.NAME).text());
        }
        return new Target.Variable(name);
    }

    /** An expression, or several with commas between them, which make a tuple. */
    private Expression tuple() {
        Expression first = expression();
        if (!peek().is(Kind.OPERATOR, ",")) {
            return first;
        }
        List<Expression> items = new ArrayList<>(List.of(first));
        while (skip(",")) {
            if (endsTuple()) {
                break;
            }
            items.add(expression());
        }
        return new Expression.Sequence(items, Expression.Sequence.Kind.TUPLE);
    }

    private boolean endsTuple() {
        Token token = peek();
        return token.kind() == Kind.PRINT_END || token.kind() == Kind.BLOCK_END || token.is(Kind.OPERATOR, ")");
    }

    private Expression expression() {
        enter();
        Expression value = or();
        while (skipName("if")) {
            Expression condition = or();
            Expression otherwise = skipName("else") ? expression() : null;
            value = new Expression.Conditional(condition, value, otherwise);
        }
        depth--;
        return value;
    }

    private Expression or() {
        Expression value = and();
        while (skipName("or")) {
            value = new Expression.Binary("or", value, and());
        }
        return value;
    }

    private Expression and() {
        Expression value = not();
        while (skipName("and")) {
            value = new Expression.Binary("and", value, not());
        }
        return value;
    }

    private Expression not() {
        if (!skipName("not")) {
            return comparison();
        }
        enter();
        Expression negated = new Expression.Unary("not", not());
        depth--;
        return negated;
    }

    private Expression comparison() {
        Expression first = sum();
        List<Map.Entry<String, Expression>> others = new ArrayList<>();
        while (true) {
            Token token = peek();
            if (token.kind() == Kind.OPERATOR && COMPARISONS.contains(token.text())) {
                next++;
                others.add(Map.entry(token.text(), sum()));
            } else if (skipName("in")) {
                others.add(Map.entry("in", sum()));
            } else if (isName("not") && tokens.get(next + 1).is(Kind.NAME, "in")) {
                next += 2;
                others.add(Map.entry("not in", sum()));
            } else {
                return others.isEmpty() ? first : new Expression.Comparison(first, others);
            }
        }
    }

    private Expression sum() {
        Expression value = concatenation();
        while (isOperator("+") || isOperator("-")) {
            value = new Expression.Binary(tokens.get(next++).text(), value, concatenation());
        }
        return value;
    }

    private Expression concatenation() {
        Expression value = product();
        while (skip("~")) {
            value = new Expression.Binary("~", value, product());
        }
        return value;
    }

    private Expression product() {
        Expression value = power();
        while (isOperator("*") || isOperator("/") || isOperator("//") || isOperator("%")) {
            value = new Expression.Binary(tokens.get(next++).text(), value, power());
        }
        return value;
    }

    private Expression power() {
        Expression value = filtered(signed());
        while (skip("**")) {
            value = new Expression.Binary("**", value, filtered(signed()));
        }
        return value;
    }

    private Expression signed() {
        if (isOperator("-") || isOperator("+")) {
            String sign = tokens.get(next++).text();
            enter();
            Expression value = new Expression.Unary(sign, signed());
            depth--;
            return value;
        }
        return postfix(primary());
    }

    private Expression primary() {
        Token token = peek();
        next++;
        switch (token.kind()) {
            case NAME -> {
                return switch (token.text()) {
                    case "true", "True" -> new Expression.Constant(true);
                    case "false", "False" -> new Expression.Constant(false);
                    case "none", "None" -> new Expression.Constant(Values.NONE);
                    default -> new Expression.Name(token.text());
                };
            }
            case STRING -> {
                StringBuilder text = new StringBuilder(token.text());
                while (peek().kind() == Kind.STRING) {
                    text.append(tokens.get(next++).text());
                }
                return new Expression.Constant(text.toString());
            }
            case INTEGER -> {
                try {
                    return new Expression.Constant(Long.parseLong(token.text().replace("_", "")));
                } catch (NumberFormatException e) {
                    throw Failures.unsupported(token.line(), "%s is too large a number".formatted(token));
                }
            }
            case DECIMAL -> {
                return new Expression.Constant(Double.parseDouble(token.text().replace("_", "")));
            }
            case OPERATOR -> {
                switch (token.text()) {
                    case "(" -> {
                        if (skip(")")) {
                            return new Expression.Sequence(List.of(), Expression.Sequence.Kind.TUPLE);
                        }
                        Expression inner = tuple();
                        expectOperator(")");
                        return inner;
                    }
                    case "[" -> {
                        List<Expression> items = new ArrayList<>();
                        while (!skip("]")) {
                            if (!items.isEmpty()) {
                                expectOperator(",");
                                if (skip("]")) {
                                    break;
                                }
                            }
                            items.add(expression());
                        }
                        return new Expression.Sequence(items, Expression.Sequence.Kind.LIST);
                    }
                    case "{" -> {
                        return dictionary();
                    }
                    default -> {
                        next--;
                        throw unexpected();
                    }
                }
            }
            default -> {
                next--;
                throw unexpected();
            }
        }
    }

    private Expression dictionary() {
        List<Map.Entry<Expression, Expression>> entries = new ArrayList<>();
        while (!skip("}")) {
            if (!entries.isEmpty()) {
                expectOperator(",");
                if (skip("}")) {
                    break;
                }
            }
            Expression key = expression();
            expectOperator(":");
            entries.add(Map.entry(key, expression()));
        }
        return new Expression.Dictionary(entries);
    }

    private Expression postfix(Expression start) {
        Expression value = start;
        while (true) {
            if (skip(".")) {
                Token name = peek();
                next++;
                if (name.kind() == Kind.NAME) {
                    value = new Expression.Attribute(value, name.text());
                } else if (name.kind() == Kind.INTEGER) {
                    value = new Expression.Item(value, new Expression.Constant(Long.parseLong(name.text())));
                } else {
                    next--;
                    throw unexpected();
                }
            } else if (skip("[")) {
                value = subscript(value);
            } else if (isOperator("(")) {
                value = new Expression.Call(value, arguments());
            } else {
                return value;
            }
        }
    }

    private Expression subscript(Expression object) {
        Expression from = isOperator(":") ? null : expression();
        if (!skip(":")) {
            expectOperator("]");
            return new Expression.Item(object, from);
        }
        Expression to = isOperator(":") || isOperator("]") ? null : expression();
        Expression step = skip(":") && !isOperator("]") ? expression() : null;
        expectOperator("]");
        return new Expression.Slice(object, from, to, step);
    }

    /** Filters, tests and calls of what they gave. */
    private Expression filtered(Expression start) {
        Expression value = start;
        while (true) {
            if (skip("|")) {
                value = filter(value);
            } else if (isName("is")) {
                next++;
                value = test(value);
            } else if (isOperator("(")) {
                value = new Expression.Call(value, arguments());
            } else {
                return value;
            }
        }
    }

    private Expression.Filter filter(Expression value) {
        Token name = expect(Kind.NAME);
        if (!Filters.NAMES.contains(name.text())) {
            throw Failures.unsupported(name.line(), "there is no filter %s among those supported".formatted(name));
        }
        return new Expression.Filter(value, name.text(), isOperator("(") ? arguments() : Arguments.NONE, name.line());
    }

    private Expression test(Expression value) {
        boolean negated = skipName("not");
        Token name = expect(Kind.NAME);
        if (!Predicates.NAMES.contains(name.text())) {
            throw Failures.unsupported(name.line(), "there is no test %s among those supported".formatted(name));
        }
        Arguments arguments = Arguments.NONE;
        if (isOperator("(")) {
            arguments = arguments();
        } else if (beginsArgument()) {
            arguments = new Arguments(List.of(postfix(primary())), Map.of());
        }
        Expression test = new Expression.Test(value, name.text(), arguments, name.line());
        return negated ? new Expression.Unary("not", test) : test;
    }

    /** Whether a test is given its argument without parentheses. */
    private boolean beginsArgument() {
        Token token = peek();
        return switch (token.kind()) {
            case NAME -> !Set.of("else", "or", "and", "is", "if", "in", "not").contains(token.text());
            case STRING, INTEGER, DECIMAL -> true;
            case OPERATOR -> token.text().equals("[") || token.text().equals("{");
            default -> false;
        };
    }

    private Arguments arguments() {
        expectOperator("(");
        List<Expression> positional = new ArrayList<>();
        Map<String, Expression> named = new LinkedHashMap<>();
        boolean first = true;
        while (!skip(")")) {
            if (!first) {
                expectOperator(",");
                if (skip(")")) {
                    break;
                }
            }
            first = false;
            if (peek().kind() == Kind.NAME && tokens.get(next + 1).is(Kind.OPERATOR, "=")) {
                String name = peek().text();
                next += 2;
                named.put(name, expression());
            } else if (!named.isEmpty()) {
                throw Failures.unsupported(peek().line(), "an argument without a name follows one with a name");
            } else {
                positional.add(expression());
            }
        }
        return new Arguments(positional, named);
    }

    private void enter() {
        if (++depth > DEEPEST) {
            throw Failures.unsupported(peek().line(), "it is nested more than %d deep".formatted(DEEPEST));
        }
    }

    private Token peek() {
        return tokens.get(Math.min(next, tokens.size() - 1));
    }

    private boolean isOperator(String text) {
        return peek().is(Kind.OPERATOR, text);
    }

    private boolean isName(String text) {
        return peek().is(Kind.NAME, text);
    }

    private boolean skip(String operator) {
        if (isOperator(operator)) {
            next++;
            return true;
        }
        return false;
    }

    private boolean skipName(String name) {
        if (isName(name)) {
            next++;
            return true;
        }
        return false;
    }

    /** Reads the word that ends a body, and the end of its tag. */
    private void endBlock() {
        next++;
        expect(Kind.BLOCK_END);
    }

    private Token expect(Kind kind) {
        Token token = peek();
        if (token.kind() != kind) {
            throw unexpected();
        }
        next++;
        return token;
    }

    private void expectOperator(String text) {
        if (!skip(text)) {
            throw Failures.unsupported(peek().line(), "'%s' is missing before %s".formatted(text, peek()));
        }
    }

    private void expectName(String text) {
        if (!skipName(text)) {
            throw Failures.unsupported(peek().line(), "'%s' is missing before %s".formatted(text, peek()));
        }
    }

    private PaloverdeException unexpected() {
        return Failures.unsupported(peek().line(), "unexpected %s".formatted(peek()));
    }
}
