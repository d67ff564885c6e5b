package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.CarriedColumns;
import java.util.Arrays;
import java.util.Collection;
import java.util.Optional;
import java.util.function.Predicate;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * Rows with a text, and what one look at all of them has shown.
 *
 * @param input where they come from
 * @param columns how their columns are called
 * @param text the column with the text; null if rows are not known by one
 * @param inspection what was seen
 */
record CorpusSource(Input input, CarriedColumns columns, String text, Input.Inspection inspection) {
    /**
     * Opens an input, and reads it once.
     *
     * @param reserved names that results take
     * @param column the column with the text, as the input calls it
     * @param flag the flag that says so
     * @throws PaloverdeException {@code INPUT_UNREADABLE}
     */
    static CorpusSource open(
            SparkSession spark,
            Terminal terminal,
            InputOptions from,
            Collection<String> reserved,
            String column,
            String flag) {
        Input input = Input.open(spark, from);
        StructField field = named(input, column)
                .orElseThrow(() -> new PaloverdeException(
                        ErrorCode.INPUT_UNREADABLE,
                        "%s %s: there is no such column in %s, which has %s"
                                .formatted(
                                        flag, column, String.join(" ", from.input), Input.describe(input.schema()))));
        if (!(field.dataType().equals(DataTypes.StringType))) {
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE,
                    "%s %s is of type %s; name a column of strings"
                            .formatted(flag, column, field.dataType().simpleString()));
        }
        return inspected(terminal, from, input, reserved, field.name());
    }

    /**
     * Opens an input whose rows are text, or something else that is known by its columns.
     *
     * @param known whether rows of a schema need no column with a text
     * @return with no {@link #text} if so
     */
    static CorpusSource open(
            SparkSession spark,
            Terminal terminal,
            InputOptions from,
            Collection<String> reserved,
            String column,
            String flag,
            Predicate<StructType> known) {
        Input input = Input.open(spark, from);
        return known.test(input.schema())
                ? inspected(terminal, from, input, reserved, null)
                : open(spark, terminal, from, reserved, column, flag);
    }

    private static CorpusSource inspected(
            Terminal terminal, InputOptions from, Input input, Collection<String> reserved, String column) {
        CarriedColumns columns = CarriedColumns.of(input.schema(), reserved);
        String text = column == null ? null : columns.carriedAs(column);
        Column bytes = text == null
                ? functions.lit(0L)
                : functions.octet_length(CarriedColumns.column(text)).cast("long");
        Input.Inspection inspection = input.inspect(columns, rows -> rows, bytes);
        if (!inspection.corrupt().isEmpty()) {
            String files = "%d of %d files of %s cannot be read, or not to their end; the first is %s: %s"
                    .formatted(
                            inspection.corrupt().size(),
                            inspection.files(),
                            String.join(" ", from.input),
                            inspection.corrupt().get(0).path(),
                            inspection.corrupt().get(0).reason());
            if (from.onCorruptFile == InputOptions.OnCorruptFile.FAIL) {
                throw new PaloverdeException(ErrorCode.INPUT_UNREADABLE, files);
            }
            terminal.note(files);
        }
        return new CorpusSource(input, columns, text, inspection);
    }

    Dataset<Row> rows() {
        return input.selected(columns);
    }

    /** {@return what another input has only if it has the same rows as often; two equal rows leave no print} */
    String fingerprint() {
        return "%s, %d rows".formatted(inspection.fingerprint(), inspection.rowsRead());
    }

    /** {@return a column of the rows by the name it has in the input, if it is there} */
    Optional<Column> column(String name) {
        return named(input, name).map(field -> CarriedColumns.column(columns.carriedAs(field.name())));
    }

    private static Optional<StructField> named(Input input, String name) {
        return Arrays.stream(input.schema().fields())
                .filter(each -> each.name().equalsIgnoreCase(name))
                .findFirst();
    }

    /** {@return how a job on it ends that has done all it could} */
    ExitCode exitCode(InputOptions options) {
        return inspection.corrupt().isEmpty() || options.onCorruptFile == InputOptions.OnCorruptFile.SKIP
                ? ExitCode.OK
                : ExitCode.INPUT_INCOMPLETE;
    }
}
