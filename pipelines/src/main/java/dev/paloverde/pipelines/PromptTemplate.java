package dev.paloverde.pipelines;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;

/**
 * A prompt with columns in it: {@code Q: {question}\nA:}. A name in braces stands for the column's value as a string,
 * two braces for one brace, and the escapes {@code \n}, {@code \t} and {@code \\} for a line feed, a tab and a
 * backslash. Where a column is null, the prompt is null, and its row fails with {@code NULL_INPUT}.
 */
public final class PromptTemplate {
    private sealed interface Part {
        Column column();
    }

    private record Literal(String text) implements Part {
        @Override
        public Column column() {
            return functions.lit(text);
        }
    }

    private record Field(String name) implements Part {
        @Override
        public Column column() {
            return PromptTemplate.column(name).cast("string");
        }
    }

    private final String written;
    private final List<Part> parts;

    private PromptTemplate(String written, List<Part> parts) {
        this.written = written;
        this.parts = List.copyOf(parts);
    }

    /**
     * Reads a template.
     *
     * @throws PaloverdeException {@code INVALID_OPTION} for a brace without its partner, a name that is empty, or an
     *     escape that is none
     */
    public static PromptTemplate parse(String template) {
        List<Part> parts = new ArrayList<>();
        StringBuilder literal = new StringBuilder();
        int at = 0;
        while (at < template.length()) {
            char c = template.charAt(at);
            boolean twice = at + 1 < template.length() && template.charAt(at + 1) == c;
            if (c == '\\') {
                literal.append(unescape(template, at));
                at += 2;
            } else if ((c == '{' || c == '}') && twice) {
                literal.append(c);
                at += 2;
            } else if (c == '{') {
                int end = template.indexOf('}', at);
                String name = end < 0 ? "" : template.substring(at + 1, end).strip();
                if (name.isEmpty() || name.indexOf('{') >= 0) {
                    throw invalid(template, at, "opens no column name; write {column}, or {{ for a brace");
                }
                flush(literal, parts);
                parts.add(new Field(name));
                at = end + 1;
            } else if (c == '}') {
                throw invalid(template, at, "closes nothing; write }} for a brace");
            } else {
                literal.append(c);
                at++;
            }
        }
        flush(literal, parts);
        return new PromptTemplate(template, parts);
    }

    /** {@return the names of the columns in it, in order of first use} */
    public Set<String> columns() {
        Set<String> names = new LinkedHashSet<>();
        for (Part part : parts) {
            if (part instanceof Field field) {
                names.add(field.name());
            }
        }
        return names;
    }

    /** {@return the prompt of a row} */
    public Column column() {
        return parts.isEmpty()
                ? functions.lit("")
                : functions.concat(parts.stream().map(Part::column).toArray(Column[]::new));
    }

    /** {@return the template with each of its columns under the name it is carried as} */
    public PromptTemplate rename(CarriedColumns columns) {
        return new PromptTemplate(
                written,
                parts.stream()
                        .map(part -> part instanceof Field field ? new Field(columns.carriedAs(field.name())) : part)
                        .toList());
    }

    /** {@return the template as it was written} */
    @Override
    public String toString() {
        return written;
    }

    /** {@return the column of exactly this name, dots and all} */
    static Column column(String name) {
        return functions.col(quote(name));
    }

    /** {@return a name written so that Spark takes it as it is} */
    static String quote(String name) {
        return "`" + name.replace("`", "``") + "`";
    }

    private static char unescape(String template, int at) {
        char next = at + 1 < template.length() ? template.charAt(at + 1) : ' ';
        return switch (next) {
            case 'n' -> '\n';
            case 't' -> '\t';
            case '\\' -> '\\';
            default -> throw invalid(template, at, "begins no escape; \\n, \\t and \\\\ are the escapes");
        };
    }

    private static void flush(StringBuilder literal, List<Part> parts) {
        if (!literal.isEmpty()) {
            parts.add(new Literal(literal.toString()));
            literal.setLength(0);
        }
    }

    private static PaloverdeException invalid(String template, int at, String why) {
        return new PaloverdeException(
                ErrorCode.INVALID_OPTION,
                "prompt template '%s': '%c' at position %d %s".formatted(template, template.charAt(at), at, why));
    }
}
