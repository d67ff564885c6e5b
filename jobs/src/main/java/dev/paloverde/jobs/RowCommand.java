package dev.paloverde.jobs;

import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Setting;
import dev.paloverde.udfs.Settings;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.ArgGroupSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** A command that runs one function of a model over the rows of an input. Its flags are the function's settings too. */
abstract class RowCommand extends SparkCommand {
    @Mixin
    final InputOptions input = new InputOptions();

    @Mixin
    final OutputOptions output = new OutputOptions();

    private final Operation operation;
    private final Map<String, String> settings = new TreeMap<>();

    RowCommand(Operation operation, Terminal terminal, List<String> arguments) {
        super(terminal, arguments);
        this.operation = operation;
    }

    /** Adds a flag for each setting of the function, which sets what {@code spark.paloverde.<key>} sets. */
    final void addSettings(CommandSpec spec) {
        for (Setting.Scope scope : Setting.Scope.values()) {
            ArgGroupSpec.Builder group = ArgGroupSpec.builder()
                    .exclusive(false)
                    .validate(false)
                    .heading(
                            scope == Setting.Scope.RESULT
                                    ? "%nWhat changes results:%n"
                                    : "%nWhat changes speed and memory only:%n");
            for (Setting<?> setting : Settings.of(operation)) {
                if (setting.scope() == scope) {
                    group.addArg(flag(setting));
                }
            }
            spec.addArgGroup(group.build());
        }
    }

    private OptionSpec flag(Setting<?> setting) {
        String standard = setting.standard().isEmpty() ? "none" : setting.standard();
        return OptionSpec.builder("--" + setting.key())
                .arity("1")
                .type(String.class)
                .paramLabel("VALUE")
                .description((setting.description() + " " + setting.range() + " (default: " + standard + ").")
                        .replace("%", "%%"))
                .setter(new CommandLineSetter(setting))
                .build();
    }

    /** Puts a flag's value where the step will look for it. */
    private final class CommandLineSetter implements picocli.CommandLine.Model.ISetter {
        private final Setting<?> setting;

        CommandLineSetter(Setting<?> setting) {
            this.setting = setting;
        }

        @Override
        @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
        public <T> T set(T value) {
            return (T) (value == null ? settings.remove(setting.key()) : settings.put(setting.key(), (String) value));
        }
    }

    /** {@return the columns the function reads} */
    abstract Mapping mapping();

    @Override
    final ExitCode run(SparkSession spark) {
        Steps steps = new TextSteps(operation, mapping(), settings);
        return new RowJob(spark, steps, input, output, arguments(), terminal()).run();
    }
}
