package dev.paloverde.jobs;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/** The flags that say what goes in. */
final class InputOptions {
    /** What becomes of a run whose input has files that cannot be read. */
    enum OnCorruptFile {
        REPORT,
        SKIP,
        FAIL
    }

    /** What a row of plain text is. */
    enum TextRow {
        LINE,
        FILE
    }

    @Option(
            names = {"-i", "--input"},
            required = true,
            paramLabel = "PATH",
            description = "File, directory or glob on any file system Hadoop's configuration knows; may be repeated.")
    List<String> input = new ArrayList<>();

    @Option(
            names = "--input-format",
            paramLabel = "FORMAT",
            description = "parquet, jsonl, csv, text or warc; by default what the files' extensions say.")
    InputFormat format;

    @Option(
            names = "--input-schema",
            paramLabel = "DDL",
            description = "Columns and types of JSONL or CSV input, such as 'id BIGINT, text STRING'; by default JSONL"
                    + " is read once to find out, and CSV columns are strings named by the header.")
    String schema;

    @Option(
            names = "--input-option",
            paramLabel = "KEY=VALUE",
            description = "Option of Spark's reader of the format, such as delimiter=';', header=false or"
                    + " multiLine=true; may be repeated.")
    Map<String, String> options = new LinkedHashMap<>();

    @Option(
            names = "--text-row",
            paramLabel = "WHAT",
            description = "What a row of plain text is: line or file (default: line).")
    TextRow textRow = TextRow.LINE;

    @Option(
            names = "--where",
            paramLabel = "SQL",
            description = "Take only rows for which this is true, such as \"lang = 'en' AND length(text) > 200\".")
    String where;

    @Option(
            names = "--sample",
            paramLabel = "FRACTION",
            description = "Take about this share of the rows, chosen by what they hold: the same rows each time.")
    Double sample;

    @Option(
            names = "--limit",
            paramLabel = "ROWS",
            description = "Take at most so many rows, chosen by what they hold: the same rows each time, in whatever"
                    + " order or files they lie.")
    Integer limit;

    @Option(
            names = "--on-corrupt-file",
            paramLabel = "WHAT",
            description =
                    "What to do if Parquet files cannot be read, or not to their end: report takes all that can be"
                            + " read, names the files and ends with exit status 8; skip does the same and ends with 0; fail"
                            + " ends before any work with 3 (default: report).")
    OnCorruptFile onCorruptFile = OnCorruptFile.REPORT;
}
