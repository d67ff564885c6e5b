package dev.paloverde.jobs;

import dev.paloverde.gpu.PaloverdeException;
import java.lang.reflect.Constructor;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.ParameterException;

/**
 * The program that {@code spark-submit} starts: {@code spark-submit --class dev.paloverde.jobs.Main paloverde.jar
 * generate --input ... --output ...}. How it ends is an {@link ExitCode}.
 */
@Command(
        name = "paloverde",
        description = "Language and vision models inside Apache Spark: generate, score, choose and embed by the row.",
        mixinStandardHelpOptions = true,
        versionProvider = Versions.class,
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            GenerateCommand.class,
            ScoreCommand.class,
            ChooseCommand.class,
            EmbedCommand.class,
            EmbedImageCommand.class,
            CorpusCommand.class,
            CorpusPackCommand.class,
            ImagesCommand.class,
            TrajectoriesCommand.class,
            SimilarEmbeddingsCommand.class,
            LatentStatisticsCommand.class,
            TextDistanceCommand.class,
            SqlCommand.class,
            SsdModelCommand.class,
            DemoCommand.class,
            CommandLine.HelpCommand.class
        },
        exitCodeListHeading = "%nExit status:%n",
        exitCodeList = {
            "0:all rows have their results; rows that failed alone are counted",
            "1:a defect, or a failure of Spark",
            "2:an option is unknown, missing or out of range",
            "3:the input cannot be read, or lacks a column",
            "4:the model is missing, damaged or not supported",
            "5:the output holds something else, or cannot be written",
            "6:the device is missing, its memory does not suffice, or its engine failed",
            "7:more rows failed than --max-error-rate allows",
            "8:some input files could not be read; all else is done"
        })
public final class Main {
    private Main() {}

    /** Runs a command, and ends the process with its exit status. */
    public static void main(String[] arguments) {
        int status = run(Terminal.standard(), arguments);
        SparkSession.getDefaultSession().foreach(session -> {
            session.stop();
            return null;
        });
        // in YARN's cluster mode an exit is a failure, whatever its status
        if (status != 0) {
            System.exit(status);
        }
    }

    /** Runs a command of a class of its own, {@link Generate} for instance. */
    static void main(String command, String[] arguments) {
        String[] all = new String[arguments.length + 1];
        all[0] = command;
        System.arraycopy(arguments, 0, all, 1, arguments.length);
        main(all);
    }

    static int run(Terminal terminal, String... arguments) {
        CommandLine line = new CommandLine(new Main(), new Commands(terminal, List.of(arguments)));
        for (CommandLine command : line.getSubcommands().values()) {
            if (command.getCommand() instanceof RowCommand rows) {
                rows.addSettings(command.getCommandSpec());
            }
        }
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setExecutionExceptionHandler(failed(terminal));
        line.setParameterExceptionHandler((e, ignored) -> misused(terminal, e));
        return line.execute(arguments);
    }

    private static IExecutionExceptionHandler failed(Terminal terminal) {
        return (failure, line, parsed) -> {
            Optional<PaloverdeException> coded = Failures.coded(failure);
            ExitCode exit = Failures.exitCode(failure);
            if (coded.isPresent() && exit != ExitCode.INTERNAL) {
                terminal.note("paloverde: %s: %s"
                        .formatted(coded.get().code(), coded.get().getMessage()));
            } else {
                terminal.failure("paloverde: a failure that no code names", failure);
            }
            return exit.status();
        };
    }

    private static int misused(Terminal terminal, ParameterException e) {
        terminal.note("paloverde: " + e.getMessage());
        StringBuilder suggestions = new StringBuilder();
        if (e instanceof CommandLine.UnmatchedArgumentException unmatched) {
            List<String> near = unmatched.getSuggestions();
            if (!near.isEmpty()) {
                suggestions
                        .append("Did you mean ")
                        .append(String.join(" or ", near))
                        .append("? ");
            }
        }
        CommandLine.Model.CommandSpec spec = e.getCommandLine().getCommandSpec();
        terminal.note(suggestions + "'" + spec.qualifiedName() + " --help' lists what there is.");
        return ExitCode.USAGE.status();
    }

    /** Makes commands that know where to speak and how they were called. */
    private record Commands(Terminal terminal, List<String> arguments) implements CommandLine.IFactory {
        @Override
        public <T> T create(Class<T> type) throws Exception {
            Class<?>[] needs = {Terminal.class, List.class};
            for (Constructor<?> constructor : type.getDeclaredConstructors()) {
                if (Arrays.equals(constructor.getParameterTypes(), needs)) {
                    return type.cast(constructor.newInstance(terminal, arguments));
                }
            }
            return CommandLine.defaultFactory().create(type);
        }
    }
}
