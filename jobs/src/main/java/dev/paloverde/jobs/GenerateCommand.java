package dev.paloverde.jobs;

import dev.paloverde.udfs.Operation;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Continues the prompt of each row. */
@Command(name = "generate", description = "Continues the prompt of each row.")
final class GenerateCommand extends RowCommand {
    @Option(
            names = "--prompt-column",
            paramLabel = "COLUMN",
            description = "The column with the prompt (default: prompt; of plain text input, its only column).")
    private String column;

    @Option(
            names = "--prompt-template",
            paramLabel = "TEMPLATE",
            description = "A prompt to make of columns instead: 'Q: {question}\\nA:'; {{ stands for a brace.")
    private String template;

    GenerateCommand(Terminal terminal, List<String> arguments) {
        super(Operation.GENERATE, terminal, arguments);
    }

    @Override
    Mapping mapping() {
        return new Mapping("prompt", Optional.ofNullable(column), Optional.ofNullable(template), Optional.empty());
    }
}
