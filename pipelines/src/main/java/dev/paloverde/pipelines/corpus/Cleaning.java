package dev.paloverde.pipelines.corpus;

import dev.paloverde.pipelines.CarriedColumns;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.expressions.Window;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;

/** Makes documents of rows: gives each a key, changes its text as it is told to, and judges the text by itself. */
public final class Cleaning {
    /** The result column that numbers rows that are equal in all their columns, from 0. */
    public static final String OCCURRENCE = "occurrence";

    /** The result column with the {@link QualitySignals}. */
    public static final String SIGNALS = "signals";

    /** The result column with the language of the text, as {@link Languages} tells it; null of null. */
    public static final String LANGUAGE = "language";

    /** The result column that says how far that language is ahead of the next likely one, 0 to 1. */
    public static final String LANGUAGE_SCORE = "language_score";

    /** The result column with the name of a {@link RejectReason}, null of a document that stays. */
    public static final String REASON = "reason";

    /** The result column that says more about the reason. */
    public static final String DETAIL = "detail";

    /** Where Spark's reader of JSON puts a line that is none. */
    private static final String CORRUPT = "_corrupt_record";

    private static final String FOUND = "__paloverde_language";
    private static final int KEY_DIGITS = 32;
    private static final int SHOWN = 200;
    private static final Map<String, String> JSON = Map.of(
            "ignoreNullFields", "false", "timestampFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX", "timeZone", "UTC");

    private final String text;
    private final Set<Change> changes;
    private final List<QualityRules> rules;
    private final List<String> languages;

    /** What may be done to a text. */
    public enum Change {
        /** See {@link TextRepair}. */
        REPAIR,
        /** See {@link PersonalData}. */
        MASK
    }

    /**
     * @param text name of the column with the text, a string
     * @param changes what is done to it, in the order of the enum
     * @param rules what it is judged by, after that
     * @param languages those that may stay, as {@link Languages} calls them; empty for all
     * @throws dev.paloverde.gpu.PaloverdeException {@code INVALID_OPTION} if there is no such language
     */
    public Cleaning(
            String text, Collection<Change> changes, Collection<QualityRules> rules, Collection<String> languages) {
        Languages.check(languages);
        this.text = text;
        this.changes = changes.isEmpty() ? EnumSet.noneOf(Change.class) : EnumSet.copyOf(changes);
        this.rules = List.copyOf(rules);
        this.languages = List.copyOf(languages);
    }

    /**
     * Makes documents.
     *
     * @param rows rows with any columns but those below
     * @return the same rows with the text changed, and {@link Documents#KEY} (128 bits of the SHA-256 of all the columns as
     *     they were, so rows of one key are equal), {@link #OCCURRENCE}, {@link #LANGUAGE}, {@link #LANGUAGE_SCORE},
     *     {@link #SIGNALS}, {@link #REASON} and {@link #DETAIL}
     */
    public Dataset<Row> documents(Dataset<Row> rows) {
        List<Column> columns = new ArrayList<>();
        for (String name : rows.columns()) {
            Column column = CarriedColumns.column(name);
            columns.add(name.equals(text) ? changed(column).as(name) : column);
        }
        columns.add(key(rows));
        Column document = CarriedColumns.column(text);
        Dataset<Row> judged = rows.select(columns.toArray(Column[]::new))
                .withColumn(FOUND, Languages.of(document))
                .withColumn(LANGUAGE, functions.col(FOUND).getField(LANGUAGE))
                .withColumn(LANGUAGE_SCORE, functions.col(FOUND).getField(LANGUAGE_SCORE))
                .drop(FOUND)
                .withColumn(SIGNALS, QualitySignals.of(document))
                .withColumn(
                        OCCURRENCE,
                        functions
                                .row_number()
                                .over(Window.partitionBy(Documents.KEY).orderBy(Documents.KEY))
                                .minus(1));
        boolean corrupt = Arrays.asList(rows.columns()).contains(CORRUPT);
        Column record = corrupt ? functions.col(CORRUPT) : functions.lit(null).cast("string");
        return judged.withColumn(DETAIL, QualityRules.broken(rules, functions.col(SIGNALS)))
                .withColumn(
                        REASON,
                        functions
                                .when(record.isNotNull(), RejectReason.INVALID_RECORD.name())
                                .when(document.isNull(), RejectReason.NULL_TEXT.name())
                                .when(document.rlike("\\S").equalTo(false), RejectReason.EMPTY_TEXT.name())
                                .when(foreign(), RejectReason.LANGUAGE.name())
                                .when(functions.col(DETAIL).isNotNull(), RejectReason.QUALITY.name()))
                .withColumn(
                        DETAIL,
                        functions
                                .when(functions.col(REASON).equalTo(RejectReason.QUALITY.name()), functions.col(DETAIL))
                                .when(
                                        functions.col(REASON).equalTo(RejectReason.LANGUAGE.name()),
                                        functions.col(LANGUAGE))
                                .when(record.isNotNull(), functions.substring(record, 0, SHOWN)));
    }

    /** {@return a key of all that a row holds, named {@link Documents#KEY}} */
    public static Column key(Dataset<Row> rows) {
        Column[] all = Arrays.stream(rows.columns()).map(CarriedColumns::column).toArray(Column[]::new);
        Column digest =
                functions.sha2(functions.to_json(functions.struct(all), JSON).cast("binary"), 256);
        return functions.substring(digest, 1, KEY_DIGITS).as(Documents.KEY);
    }

    private Column foreign() {
        return languages.isEmpty()
                ? functions.lit(false)
                : functions.not(functions.col(LANGUAGE).isin(languages.toArray()));
    }

    private Column changed(Column column) {
        Column changed = column;
        if (changes.contains(Change.REPAIR)) {
            UDF1<String, String> repair = value -> value == null ? null : TextRepair.repair(value);
            changed = functions.udf(repair, DataTypes.StringType).apply(changed);
        }
        if (changes.contains(Change.MASK)) {
            UDF1<String, String> mask = value -> value == null ? null : PersonalData.mask(value);
            changed = functions.udf(mask, DataTypes.StringType).apply(changed);
        }
        return changed;
    }
}
