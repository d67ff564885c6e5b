package dev.paloverde.jobs;

import dev.paloverde.udfs.Operation;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Turns the text of each row into a vector. */
@Command(name = "embed", description = "Turns the text of each row into a vector.")
final class EmbedCommand extends RowCommand {
    @Option(
            names = "--text-column",
            paramLabel = "COLUMN",
            description = "The column with the text (default: text; of plain text input, its only column).")
    private String column;

    @Option(
            names = "--text-template",
            paramLabel = "TEMPLATE",
            description = "A text to make of columns instead: 'Q: {question}\\nA:'; {{ stands for a brace.")
    private String template;

    EmbedCommand(Terminal terminal, List<String> arguments) {
        super(Operation.EMBED, terminal, arguments);
    }

    @Override
    Mapping mapping() {
        return new Mapping("text", Optional.ofNullable(column), Optional.ofNullable(template), Optional.empty());
    }
}
