package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Runs SQL statements, for trying the functions where no SQL shell is at hand. */
@Command(
        name = "sql",
        description =
                "Runs SQL statements with the functions llm_generate, llm_score, llm_choose, llm_embed and image_embed.")
final class SqlCommand extends SparkCommand {
    private static final int SHOWN_ROWS = 100;

    @Option(
            names = {"-e", "--execute"},
            required = true,
            paramLabel = "SQL",
            description = "A statement; may be repeated. The first 100 rows of a query are shown.")
    private List<String> statements;

    SqlCommand(Terminal terminal, List<String> arguments) {
        super(terminal, arguments);
    }

    @Override
    ExitCode run(SparkSession spark) {
        for (String statement : statements) {
            try {
                Dataset<Row> result = spark.sql(statement);
                if (result.schema().length() > 0) {
                    terminal().say(Table.of(result, SHOWN_ROWS).toString());
                }
            } catch (Exception e) {
                if (e instanceof org.apache.spark.sql.AnalysisException) {
                    throw new PaloverdeException(
                            ErrorCode.INVALID_OPTION, "'%s': %s".formatted(statement, e.getMessage()), e);
                }
                throw e;
            }
        }
        return ExitCode.OK;
    }
}
