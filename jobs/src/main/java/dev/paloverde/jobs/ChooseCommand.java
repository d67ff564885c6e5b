package dev.paloverde.jobs;

import dev.paloverde.udfs.Operation;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Says which of several continuations of each row's context is the likeliest. */
@Command(name = "choose", description = "Says which of several continuations of each row's context is the likeliest.")
final class ChooseCommand extends RowCommand {
    @Option(
            names = "--context-column",
            paramLabel = "COLUMN",
            description = "The column with the context (default: context; of plain text input, its only column).")
    private String column;

    @Option(
            names = "--context-template",
            paramLabel = "TEMPLATE",
            description = "A context to make of columns instead: 'Q: {question}\\nA:'; {{ stands for a brace.")
    private String template;

    @Option(
            names = "--choices-column",
            paramLabel = "COLUMN",
            defaultValue = "choices",
            description = "The column with the continuations, an array of strings (default: choices).")
    private String choices;

    ChooseCommand(Terminal terminal, List<String> arguments) {
        super(Operation.CHOOSE, terminal, arguments);
    }

    @Override
    Mapping mapping() {
        return new Mapping("context", Optional.ofNullable(column), Optional.ofNullable(template), Optional.of(choices));
    }
}
