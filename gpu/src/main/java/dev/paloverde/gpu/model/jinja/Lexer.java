package dev.paloverde.gpu.model.jinja;

import dev.paloverde.gpu.model.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Cuts a template into tokens. White space around tags is settled here, as Jinja2 does with {@code trim_blocks} and
 * {@code lstrip_blocks}: the line break after a block or comment is dropped, and so is the indentation before one that is
 * first on its line; a minus in a tag drops all white space on its side, a plus keeps it.
 */
final class Lexer {
    private static final Pattern TAG = Pattern.compile("\\{[%{#]");
    private static final Pattern END_RAW = Pattern.compile("\\{%([-+]?)\\s*endraw\\s*([-+]?)%\\}");
    private static final Pattern NAME = Pattern.compile("[\\p{L}_][\\p{L}\\p{N}_]*");
    private static final Pattern DECIMAL =
            Pattern.compile("[0-9](?:_?[0-9])*(?:\\.[0-9](?:_?[0-9])*(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)");
    private static final Pattern INTEGER = Pattern.compile("[0-9](?:_?[0-9])*");
    private static final List<String> OPERATORS = List.of(
            "//", "**", "==", "!=", "<=", ">=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", "<", ">",
            "=", ".", ":", "|", ",", ";");

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private int position;
    private int line = 1;
    private boolean lineStart = true;

    Lexer(String source) {
        String unix = source.replace("\r\n", "\n").replace('\r', '\n');
        this.source = unix.endsWith("\n") ? unix.substring(0, unix.length() - 1) : unix;
    }

    List<Token> tokens() {
        Matcher tag = TAG.matcher(source);
        while (tag.find(position)) {
            int begin = tag.start();
            char kind = source.charAt(begin + 1);
            char sign = begin + 2 < source.length() ? source.charAt(begin + 2) : ' ';
            data(begin, sign, kind);
            advance(begin + (sign == '-' || sign == '+' ? 3 : 2));
            switch (kind) {
                case '#' -> comment();
                case '%' -> block();
                default -> {
                    add(Kind.PRINT_BEGIN, "{{");
                    inside("}}", Kind.PRINT_END);
                }
            }
        }
        if (position < source.length()) {
            add(Kind.DATA, source.substring(position));
        }
        tokens.add(new Token(Kind.END, "", line));
        return tokens;
    }

    /** What stands before a tag, without the white space that the tag takes away. */
    private void data(int end, char sign, char kind) {
        String text = source.substring(position, end);
        if (sign == '-') {
            text = text.stripTrailing();
        } else if (sign != '+' && kind != '{') {
            int start = text.lastIndexOf('\n') + 1;
            if ((start > 0 || lineStart) && text.substring(start).isBlank()) {
                text = text.substring(0, start);
            }
        }
        if (!text.isEmpty()) {
            add(Kind.DATA, text);
        }
        advance(end);
    }

    private void comment() {
        int end = source.indexOf("#}", position);
        if (end < 0) {
            throw Failures.unsupported(line, "a comment does not end");
        }
        char sign = end > position ? source.charAt(end - 1) : ' ';
        advance(end + 2);
        afterTag(sign);
    }

    private void block() {
        Matcher raw = Pattern.compile("\\s*raw\\s*([-+]?)%\\}").matcher(source).region(position, source.length());
        if (!raw.lookingAt()) {
            add(Kind.BLOCK_BEGIN, "{%");
            inside("%}", Kind.BLOCK_END);
            return;
        }
        char opening = raw.group(1).isEmpty() ? ' ' : raw.group(1).charAt(0);
        advance(raw.end());
        afterTag(opening == '-' ? '-' : '+');
        Matcher end = END_RAW.matcher(source);
        if (!end.find(position)) {
            throw Failures.unsupported(line, "a raw block does not end");
        }
        data(end.start(), end.group(1).isEmpty() ? ' ' : end.group(1).charAt(0), '%');
        advance(end.end());
        afterTag(end.group(2).isEmpty() ? ' ' : end.group(2).charAt(0));
    }

    /** What the end of a block or comment takes away from the text that follows. */
    private void afterTag(char sign) {
        int end = position;
        if (sign == '-') {
            while (end < source.length() && Character.isWhitespace(source.charAt(end))) {
                end++;
            }
        } else if (sign != '+' && end < source.length() && source.charAt(end) == '\n') {
            end++;
        }
        boolean newLine = end > position && source.charAt(end - 1) == '\n';
        advance(end);
        lineStart = newLine;
    }

    /** Tokens up to the end of the tag; a brace that was opened inside does not end it. */
    private void inside(String close, Kind closing) {
        int open = 0;
        while (true) {
            skipSpace();
            if (position >= source.length()) {
                throw Failures.unsupported(line, "a tag does not end");
            }
            char c = source.charAt(position);
            boolean signed = (c == '-' || c == '+') && source.startsWith(close, position + 1);
            if (open == 0 && (signed || source.startsWith(close, position))) {
                add(closing, close);
                advance(position + (signed ? 3 : 2));
                if (closing == Kind.PRINT_END) {
                    // a line break after a printed value is part of the text
                    afterTag(signed && c == '-' ? '-' : '+');
                } else {
                    afterTag(signed ? c : ' ');
                }
                return;
            }
            if (c == '"' || c == '\'') {
                string(c);
            } else if (!match(NAME, Kind.NAME) && !match(DECIMAL, Kind.DECIMAL) && !match(INTEGER, Kind.INTEGER)) {
                String operator = operator();
                open += "([{".contains(operator) ? 1 : ")]}".contains(operator) ? -1 : 0;
                open = Math.max(open, 0);
            }
        }
    }

    private String operator() {
        for (String operator : OPERATORS) {
            if (source.startsWith(operator, position)) {
                add(Kind.OPERATOR, operator);
                advance(position + operator.length());
                return operator;
            }
        }
        throw Failures.unsupported(line, "unexpected character '%s'".formatted(source.charAt(position)));
    }

    private boolean match(Pattern pattern, Kind kind) {
        Matcher matcher = pattern.matcher(source).region(position, source.length());
        if (!matcher.lookingAt()) {
            return false;
        }
        add(kind, matcher.group());
        advance(matcher.end());
        return true;
    }

    /** A string literal with Python's escapes; a backslash before anything else is a backslash. */
    private void string(char quote) {
        StringBuilder text = new StringBuilder();
        int at = position + 1;
        while (true) {
            if (at >= source.length()) {
                throw Failures.unsupported(line, "a string does not end");
            }
            char c = source.charAt(at);
            if (c == quote) {
                break;
            }
            if (c != '\\' || at + 1 >= source.length()) {
                text.append(c);
                at++;
                continue;
            }
            char escaped = source.charAt(at + 1);
            int digits = switch (escaped) {
                case 'x' -> 2;
                case 'u' -> 4;
                case 'U' -> 8;
                default -> 0;
            };
            if (digits > 0) {
                text.appendCodePoint(hexadecimal(at + 2, digits));
                at += 2 + digits;
                continue;
            }
            if (escaped >= '0' && escaped <= '7') {
                int end = at + 1;
                while (end < at + 4
                        && end < source.length()
                        && source.charAt(end) >= '0'
                        && source.charAt(end) <= '7') {
                    end++;
                }
                text.appendCodePoint(Integer.parseInt(source.substring(at + 1, end), 8));
                at = end;
                continue;
            }
            switch (escaped) {
                case '\n' -> {}
                case '\\', '\'', '"' -> text.append(escaped);
                case 'n' -> text.append('\n');
                case 't' -> text.append('\t');
                case 'r' -> text.append('\r');
                case 'a' -> text.append('\u0007');
                case 'b' -> text.append('\b');
                case 'f' -> text.append('\f');
                case 'v' -> text.append('\u000b');
                default -> text.append('\\').append(escaped);
            }
            at += 2;
        }
        add(Kind.STRING, text.toString());
        advance(at + 1);
    }

    private int hexadecimal(int start, int digits) {
        int end = start + digits;
        String text = end <= source.length() ? source.substring(start, end) : "";
        try {
            int value = Integer.parseUnsignedInt(text, 16);
            if (Character.isValidCodePoint(value)) {
                return value;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw Failures.unsupported(line, "'%s' is not a character escape of %d digits".formatted(text, digits));
    }

    private void skipSpace() {
        int end = position;
        while (end < source.length() && Character.isWhitespace(source.charAt(end))) {
            end++;
        }
        advance(end);
    }

    private void add(Kind kind, String text) {
        tokens.add(new Token(kind, text, line));
    }

    private void advance(int to) {
        for (int i = position; i < to; i++) {
            if (source.charAt(i) == '\n') {
                line++;
            }
        }
        position = to;
    }
}
