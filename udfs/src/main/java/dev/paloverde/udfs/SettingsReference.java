package dev.paloverde.udfs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Collectors;

/** Writes docs/configuration.md from {@link Settings}. */
public final class SettingsReference {
    private SettingsReference() {}

    /** Writes the reference to the file named by the only argument. */
    public static void main(String[] arguments) throws IOException {
        Path file = Path.of(arguments[0]);
        Files.createDirectories(file.toAbsolutePath().getParent());
        Files.writeString(file, markdown());
    }

    static String markdown() {
        StringBuilder text = new StringBuilder("""
                # Configuration

                <!-- Generated from dev.paloverde.udfs.Settings; change it there. -->

                Every option has one key, which serves everywhere:

                - `spark.paloverde.<key>` in Spark's configuration (spark-defaults.conf, `--conf`, `SET`),
                - `<key>` in the options of a call: `llm_generate(prompt, map('max-tokens', '64'))`,
                - `--<key>` of a job.

                An option of the call wins over the session's configuration, which wins over the default. An unknown key
                and a value out of range are errors before anything runs. Options of the first table can change results
                and are part of every row's `receipt`; those of the second change only speed, memory and places on disk.
                """);
        for (Setting.Scope scope : Setting.Scope.values()) {
            text.append(scope == Setting.Scope.RESULT ? "\n## What changes results\n" : "\n## What does not\n");
            text.append("\n| Key | Default | Value | For | Meaning |\n|---|---|---|---|---|\n");
            for (Setting<?> setting : Settings.all()) {
                if (setting.scope() == scope) {
                    text.append("| `%s` | %s | %s: %s | %s | %s |%n"
                            .formatted(
                                    setting.key(),
                                    setting.standard().isEmpty() ? "" : "`" + setting.standard() + "`",
                                    setting.kind(),
                                    setting.range(),
                                    setting.operations().size() == Operation.values().length
                                            ? "all"
                                            : setting.operations().stream()
                                                    .map(Operation::toString)
                                                    .collect(Collectors.joining(", ")),
                                    setting.description())
                            .replace("<", "&lt;"));
                }
            }
        }
        return text.toString();
    }
}
