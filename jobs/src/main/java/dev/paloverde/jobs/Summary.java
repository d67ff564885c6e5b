package dev.paloverde.jobs;

import dev.paloverde.pipelines.Step;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.StructType;

/**
 * What a run has written, counted from its files.
 *
 * @param rows rows
 * @param rowsByStatus of them
 * @param errors of them, the most frequent code first
 * @param tokensIn tokens read
 * @param tokensOut tokens generated
 */
record Summary(
        long rows,
        TreeMap<String, Long> rowsByStatus,
        List<RunManifest.RowErrors> errors,
        long tokensIn,
        long tokensOut) {

    static Summary of(SparkSession spark, OutputDirectory output, String run, Step step) {
        Dataset<Row> written = output.read(spark, step.results(), UnitCommitProtocol.UNIT + "*-" + run + "-*.parquet");
        List<Row> groups = written.groupBy(Step.STATUS, Step.ERROR_CODE)
                .agg(
                        functions.count(functions.lit(1)).as("rows"),
                        functions
                                .min(functions.struct(Step.ROW_KEY, Step.ERROR_MESSAGE))
                                .as("example"),
                        sum(step.results(), step.tokensIn()).as("tokens_in"),
                        sum(step.results(), step.tokensOut()).as("tokens_out"))
                .orderBy(functions.col("rows").desc(), functions.col(Step.ERROR_CODE))
                .collectAsList();
        TreeMap<String, Long> byStatus = new TreeMap<>();
        List<RunManifest.RowErrors> errors = new ArrayList<>();
        long rows = 0;
        long tokensIn = 0;
        long tokensOut = 0;
        for (Row group : groups) {
            long count = group.getLong(2);
            rows += count;
            byStatus.merge(group.getString(0), count, Long::sum);
            if (!group.isNullAt(1)) {
                Row example = group.getStruct(3);
                errors.add(new RunManifest.RowErrors(
                        group.getString(1), count, example.getString(0), example.getString(1)));
            }
            tokensIn += group.getLong(4);
            tokensOut += group.getLong(5);
        }
        return new Summary(rows, byStatus, errors, tokensIn, tokensOut);
    }

    /** {@return how many rows have no result} */
    long failed() {
        return rowsByStatus.entrySet().stream()
                .filter(entry -> entry.getKey().equals("error"))
                .mapToLong(Map.Entry::getValue)
                .sum();
    }

    private static Column sum(StructType results, List<String> names) {
        Column all = functions.lit(0L);
        for (String name : names) {
            Column tokens = results.apply(name).dataType() instanceof ArrayType
                    ? functions.expr("aggregate(`" + name + "`, 0L, (sum, each) -> sum + each)")
                    : functions.col(name).cast("long");
            all = all.plus(functions.coalesce(functions.sum(tokens), functions.lit(0L)));
        }
        return all;
    }
}
