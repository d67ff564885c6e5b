package dev.paloverde.jobs;

import dev.paloverde.udfs.Operation;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Says how likely the text of each row is, token by token. */
@Command(name = "score", description = "Says how likely the text of each row is, token by token.")
final class ScoreCommand extends RowCommand {
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

    ScoreCommand(Terminal terminal, List<String> arguments) {
        super(Operation.SCORE, terminal, arguments);
    }

    @Override
    Mapping mapping() {
        return new Mapping("text", Optional.ofNullable(column), Optional.ofNullable(template), Optional.empty());
    }
}
