package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.CarriedColumns;
import dev.paloverde.pipelines.InputCount;
import dev.paloverde.pipelines.Selection;
import dev.paloverde.pipelines.Step;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.spark.SparkRuntimeException;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.DataFrameReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** The rows of a job, and what is known of them before any work. Rows are read when they are used, never collected. */
final class Input {
    private static final String FILE = "__paloverde_file";
    private static final String SELECTED = "__paloverde_selected";
    private static final String MALFORMED = "__paloverde_malformed";
    private static final String CORRUPT_RECORD = "columnNameOfCorruptRecord";

    private final InputOptions options;
    private final InputFormat format;

    /** As they are read: the columns of {@link #schema}, and of JSONL and CSV the text of a malformed row. */
    private final Dataset<Row> rows;

    private final StructType schema;
    private final Optional<String> corruptRecord;
    private final long files;
    private final Map<String, Long> rowsByFile;
    private final List<CorruptFile> damagedFooters;

    private Input(
            InputOptions options,
            InputFormat format,
            Dataset<Row> rows,
            StructType schema,
            Optional<String> corruptRecord,
            long files,
            Map<String, Long> rowsByFile,
            List<CorruptFile> damagedFooters) {
        this.options = options;
        this.format = format;
        this.rows = rows;
        this.schema = schema;
        this.corruptRecord = corruptRecord;
        this.files = files;
        this.rowsByFile = rowsByFile;
        this.damagedFooters = damagedFooters;
    }

    /**
     * What one look at all of the input has shown.
     *
     * @param files input files
     * @param rowsRead rows that can be read
     * @param malformed rows among them that are no JSON, or no CSV of these columns
     * @param selected rows that are to have results
     * @param bytes bytes of text of those
     * @param fingerprint of all rows that can be read, whatever their order
     * @param corrupt files that cannot be read, or not to their end
     */
    record Inspection(
            long files,
            long rowsRead,
            long malformed,
            long selected,
            long bytes,
            String fingerprint,
            List<CorruptFile> corrupt) {}

    /**
     * Finds the files and their columns.
     *
     * @throws PaloverdeException {@code INPUT_UNREADABLE} or {@code INVALID_OPTION}
     */
    static Input open(SparkSession spark, InputOptions options) {
        checkRanges(options);
        Configuration configuration = spark.sessionState().newHadoopConf();
        List<FileStatus> files = new ArrayList<>();
        for (String location : options.input) {
            files.addAll(list(location, configuration));
        }
        InputFormat format = options.format != null ? options.format : format(files);
        DataFrameReader reader = spark.read().options(options.options);
        if (format == InputFormat.PARQUET) {
            return openParquet(spark, options, reader, files);
        }
        if (options.schema != null) {
            if (format == InputFormat.TEXT || format == InputFormat.WARC) {
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "the columns of plain text and of web archives are known; leave --input-schema out");
            }
            try {
                reader = reader.schema(options.schema);
            } catch (RuntimeException e) {
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "--input-schema '%s' is no list of columns: %s".formatted(options.schema, firstLine(e)),
                        e);
            }
        }
        try {
            return switch (format) {
                case JSONL -> open(spark, options, format, reader, files);
                case WARC -> openWarc(spark, options, files);
                case CSV ->
                    open(
                            spark,
                            options,
                            format,
                            reader.option("header", options.options.getOrDefault("header", "true"))
                                    .option("delimiter", delimiter(options, files)),
                            files);
                default -> {
                    Dataset<Row> rows = reader.option("wholetext", options.textRow == InputOptions.TextRow.FILE)
                            .text(options.input.toArray(String[]::new))
                            .withColumnRenamed("value", "text");
                    yield new Input(
                            options, format, rows, rows.schema(), Optional.empty(), files.size(), Map.of(), List.of());
                }
            };
        } catch (RuntimeException e) {
            throw unreadable(options, e);
        }
    }

    /**
     * Opens text with a syntax. Spark gives a malformed row as far as it could be read, its other columns null, and the
     * text of it in a column of its own; a column that is asked for here if the input has none of it, and carried only if
     * it has.
     */
    private static Input open(
            SparkSession spark,
            InputOptions options,
            InputFormat format,
            DataFrameReader reader,
            List<FileStatus> files) {
        String corruptRecord = corruptRecord(spark, options);
        Optional<Dataset<String>> compressed = Optional.of(files)
                .filter(all -> format == InputFormat.JSONL
                        && all.stream().anyMatch(CompressedLines::isFor)
                        && !options.options.containsKey("multiLine"))
                .map(all -> CompressedLines.of(spark, all));
        Dataset<Row> rows = load(reader, format, options, compressed);
        StructType schema = rows.schema();
        boolean carried = Arrays.stream(schema.fieldNames()).anyMatch(corruptRecord::equalsIgnoreCase);
        if (!carried) {
            rows = load(reader.schema(schema.add(corruptRecord, DataTypes.StringType)), format, options, compressed);
        }
        return new Input(options, format, rows, schema, Optional.of(corruptRecord), files.size(), Map.of(), List.of());
    }

    private static Input openWarc(SparkSession spark, InputOptions options, List<FileStatus> files) {
        String corruptRecord = corruptRecord(spark, options);
        Dataset<Row> rows = WarcRows.of(spark, files, corruptRecord);
        return new Input(
                options,
                InputFormat.WARC,
                rows,
                rows.schema(),
                Optional.of(corruptRecord),
                files.size(),
                Map.of(),
                List.of());
    }

    private static String corruptRecord(SparkSession spark, InputOptions options) {
        return options.options.getOrDefault(
                CORRUPT_RECORD, spark.sessionState().conf().columnNameOfCorruptRecord());
    }

    private static Dataset<Row> load(
            DataFrameReader reader, InputFormat format, InputOptions options, Optional<Dataset<String>> compressed) {
        if (compressed.isPresent()) {
            return reader.json(compressed.get());
        }
        String[] locations = options.input.toArray(String[]::new);
        return format == InputFormat.CSV ? reader.csv(locations) : reader.json(locations);
    }

    /** {@return the columns, as the input has them} */
    StructType schema() {
        return schema;
    }

    InputFormat format() {
        return format;
    }

    /**
     * {@return the selected rows under their carried names}
     *
     * @throws PaloverdeException {@code INVALID_OPTION} if {@code --where} cannot be understood
     */
    Dataset<Row> selected(CarriedColumns columns) {
        Dataset<Row> selected = columns.rename(rows.where(where()));
        if (options.sample != null) {
            selected = selected.where(Selection.sample(selected.schema(), columns.names(), options.sample));
        }
        return options.limit == null ? selected : Selection.limit(selected, columns.names(), options.limit);
    }

    /** Reads all of the input once. */
    Inspection inspect(CarriedColumns columns, Step step) {
        return inspect(columns, step::prepare, step.bytes());
    }

    /**
     * Reads all of the input once.
     *
     * @param prepare makes of the carried columns what {@code bytes} needs besides
     * @param bytes bytes of text of a row
     */
    Inspection inspect(CarriedColumns columns, UnaryOperator<Dataset<Row>> prepare, Column bytes) {
        List<Column> carried = new ArrayList<>(List.of(columns.columns()));
        carried.add(functions.input_file_name().as(FILE));
        carried.add(where().as(SELECTED));
        carried.add(malformed().as(MALFORMED));
        Dataset<Row> marked = prepare.apply(rows.select(carried.toArray(Column[]::new)));
        Column selected = functions.col(SELECTED);
        if (options.sample != null) {
            selected = selected.and(Selection.sample(marked.schema(), columns.names(), options.sample));
        }
        List<Row> counts;
        try {
            counts = InputCount.byFile(
                            marked, columns.names(), functions.col(FILE), selected, functions.col(MALFORMED), bytes)
                    .collectAsList();
        } catch (RuntimeException e) {
            throw unreadable(options, e);
        }
        long rowsRead = 0;
        long rowsSelected = 0;
        long malformed = 0;
        long bytesSelected = 0;
        long high = 0;
        long low = 0;
        Map<String, Long> readable = new HashMap<>();
        for (Row count : counts) {
            long inFile = count.getLong(count.fieldIndex(InputCount.ROWS));
            readable.put(plainPath(count.getString(count.fieldIndex(InputCount.FILE))), inFile);
            rowsRead += inFile;
            rowsSelected += count.getLong(count.fieldIndex(InputCount.SELECTED));
            malformed += count.getLong(count.fieldIndex(InputCount.MALFORMED));
            bytesSelected += count.getLong(count.fieldIndex(InputCount.BYTES));
            high ^= count.getLong(count.fieldIndex(InputCount.FINGERPRINT_0));
            low ^= count.getLong(count.fieldIndex(InputCount.FINGERPRINT_1));
        }
        if (options.limit != null && options.limit < rowsSelected) {
            bytesSelected = (long) (bytesSelected * (options.limit / (double) rowsSelected));
            rowsSelected = options.limit;
        }
        return new Inspection(
                files,
                rowsRead,
                malformed,
                rowsSelected,
                bytesSelected,
                "%016x%016x".formatted(high, low),
                corrupt(readable));
    }

    /** {@return the file's path as it is written in messages, not as a URI} */
    private static String plainPath(String uri) {
        return new Path(URI.create(uri)).toString();
    }

    private List<CorruptFile> corrupt(Map<String, Long> readable) {
        List<CorruptFile> corrupt = new ArrayList<>(damagedFooters);
        rowsByFile.forEach((file, promised) -> {
            long read = readable.getOrDefault(file, 0L);
            if (read != promised) {
                corrupt.add(new CorruptFile(
                        file,
                        promised,
                        read,
                        "the footer says %d rows and %d can be read; the data between is damaged"
                                .formatted(promised, read)));
            }
        });
        corrupt.sort(Comparator.comparing(CorruptFile::path));
        return corrupt;
    }

    private Column malformed() {
        return corruptRecord
                .map(name -> CarriedColumns.column(name).isNotNull())
                .orElse(functions.lit(false));
    }

    private Column where() {
        if (options.where == null) {
            return functions.lit(true);
        }
        try {
            Column condition = functions.expr(options.where).cast("boolean");
            rows.select(condition).schema();
            return condition;
        } catch (Exception e) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "--where '%s' is no condition on these rows: %s; their columns are %s"
                            .formatted(options.where, firstLine(e), describe(schema)),
                    e);
        }
    }

    /** {@return names and types of columns, for messages} */
    static String describe(StructType schema) {
        return Arrays.stream(schema.fields())
                .map(field -> field.name() + " " + field.dataType().simpleString())
                .collect(Collectors.joining(", "));
    }

    private static Input openParquet(
            SparkSession spark, InputOptions options, DataFrameReader reader, List<FileStatus> files) {
        List<ParquetFooters.Footer> footers = ParquetFooters.read(spark, files);
        List<CorruptFile> damaged = footers.stream()
                .filter(footer -> footer.rows() < 0)
                .map(footer -> new CorruptFile(footer.path(), null, 0, footer.damage()))
                .toList();
        Map<String, Long> rows = footers.stream()
                .filter(footer -> footer.rows() >= 0)
                .collect(Collectors.toMap(ParquetFooters.Footer::path, ParquetFooters.Footer::rows, (a, b) -> a));
        if (rows.isEmpty()) {
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE,
                    "none of the %d Parquet files of --input %s can be read; the first is %s: %s"
                            .formatted(
                                    files.size(),
                                    String.join(" ", options.input),
                                    damaged.get(0).path(),
                                    damaged.get(0).reason()));
        }
        if (options.input.size() == 1 && isDirectory(options.input.get(0), spark)) {
            reader = reader.option("basePath", options.input.get(0));
        }
        try {
            Dataset<Row> all = reader.option("ignoreCorruptFiles", true)
                    .parquet(rows.keySet().stream().sorted().toArray(String[]::new));
            return new Input(
                    options, InputFormat.PARQUET, all, all.schema(), Optional.empty(), files.size(), rows, damaged);
        } catch (RuntimeException e) {
            throw unreadable(options, e);
        }
    }

    private static boolean isDirectory(String location, SparkSession spark) {
        try {
            Path path = new Path(location);
            return path.getFileSystem(spark.sessionState().newHadoopConf())
                    .getFileStatus(path)
                    .isDirectory();
        } catch (IOException e) {
            return false;
        }
    }

    private static String delimiter(InputOptions options, List<FileStatus> files) {
        String given = options.options.getOrDefault("delimiter", options.options.get("sep"));
        if (given != null) {
            return given;
        }
        return files.stream().allMatch(file -> file.getPath().getName().contains(".tsv")) ? "\t" : ",";
    }

    private static InputFormat format(List<FileStatus> files) {
        Set<InputFormat> formats = new TreeSet<>();
        for (FileStatus file : files) {
            formats.add(InputFormat.ofFile(file.getPath().getName())
                    .orElseThrow(() -> new PaloverdeException(
                            ErrorCode.INVALID_OPTION,
                            "the name of %s does not tell its format; say --input-format parquet, jsonl, csv, text or warc"
                                    .formatted(file.getPath()))));
        }
        if (formats.size() > 1) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "the input has files of the formats %s; name those of one, for instance with a glob, or say"
                                    .formatted(formats)
                            + " --input-format");
        }
        return formats.iterator().next();
    }

    /** {@return the files of a location, hidden ones left out; at least one} */
    static List<FileStatus> list(String location, Configuration configuration) {
        List<FileStatus> files = new ArrayList<>();
        try {
            Path path = new Path(location);
            FileSystem fs = path.getFileSystem(configuration);
            FileStatus[] matches = fs.globStatus(path);
            if (matches == null || matches.length == 0) {
                throw new FileNotFoundException("there is no such file or directory");
            }
            for (FileStatus match : matches) {
                if (match.isFile()) {
                    files.add(match);
                    continue;
                }
                RemoteIterator<LocatedFileStatus> below = fs.listFiles(match.getPath(), true);
                while (below.hasNext()) {
                    LocatedFileStatus file = below.next();
                    if (!isHidden(file.getPath(), match.getPath())) {
                        files.add(file);
                    }
                }
            }
            if (files.isEmpty()) {
                throw new FileNotFoundException("there is no file in it");
            }
        } catch (IOException | IllegalArgumentException e) {
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE,
                    "--input %s: %s; name files, directories or globs that exist and may be read"
                            .formatted(location, e.getMessage()),
                    e);
        }
        return files;
    }

    private static boolean isHidden(Path file, Path root) {
        for (Path at = file; at != null && !at.equals(root); at = at.getParent()) {
            String name = at.getName();
            if (name.startsWith(".") || (name.startsWith("_") && name.indexOf('=') < 0)) {
                return true;
            }
        }
        return false;
    }

    private static void checkRanges(InputOptions options) {
        if (options.sample != null && !(options.sample > 0 && options.sample <= 1)) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "--sample is %s; it is a share of the rows, above 0 and up to 1".formatted(options.sample));
        }
        if (options.limit != null && options.limit < 1) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "--limit is %d; it is a number of rows, 1 or more".formatted(options.limit));
        }
    }

    private static PaloverdeException unreadable(InputOptions options, Exception e) {
        Throwable cause = e;
        while (cause.getCause() != null
                && cause.getCause() != cause
                && !(cause instanceof AnalysisException)
                && !(cause instanceof SparkRuntimeException)) {
            cause = cause.getCause();
        }
        return new PaloverdeException(
                ErrorCode.INPUT_UNREADABLE,
                "--input %s cannot be read: %s".formatted(String.join(" ", options.input), firstLine(cause)),
                e);
    }

    private static String firstLine(Throwable e) {
        String message = String.valueOf(e.getMessage()).strip();
        int end = message.indexOf('\n');
        return end < 0 ? message : message.substring(0, end).toString().strip();
    }

    static String lower(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
