package dev.paloverde.jobs;

import dev.paloverde.pipelines.CarriedColumns;
import dev.paloverde.pipelines.Step;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeSet;
import org.apache.spark.sql.types.StructType;

/**
 * What makes two runs one job: rows that one of them has finished, the other need not do. Which rows there are is no part
 * of it, so an input may grow; nor is anything that changes no result.
 *
 * @param step name of the function
 * @param receipt digest of what results depend on
 * @param description what the receipt is the digest of
 * @param mapping the input columns that the function reads, by their part
 * @param carriedColumns the carried columns, as DDL
 * @param resultColumns the result columns, as DDL
 */
record JobDescription(
        String step,
        String receipt,
        SortedMap<String, String> description,
        SortedMap<String, String> mapping,
        String carriedColumns,
        String resultColumns) {

    static JobDescription of(Step step, CarriedColumns columns, StructType input) {
        StructType carried = columns.rename(input);
        return new JobDescription(
                step.name(),
                step.receipt(),
                step.description(),
                step.mapping(),
                carried.toDDL(),
                step.results().toDDL());
    }

    /** {@return what tells this job from others, fit for a file name} */
    String digest() {
        try {
            byte[] hash =
                    MessageDigest.getInstance("SHA-256").digest(Json.write(this).getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(hash, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** {@return how another job's outputs differ from this one's, one line for each difference: was, and is now} */
    List<String> differences(JobDescription was) {
        List<String> lines = new ArrayList<>();
        compare(lines, "function", was.step, step);
        compare(lines, was.description, description);
        compare(lines, was.mapping, mapping);
        compare(lines, "carried columns", was.carriedColumns, carriedColumns);
        compare(lines, "result columns", was.resultColumns, resultColumns);
        if (lines.isEmpty()) {
            compare(lines, "receipt", was.receipt, receipt);
        }
        return lines;
    }

    /** {@return whether rows of both can stand in one output} */
    boolean sameColumns(JobDescription other) {
        return carriedColumns.equals(other.carriedColumns) && resultColumns.equals(other.resultColumns);
    }

    private static void compare(List<String> lines, SortedMap<String, String> was, SortedMap<String, String> now) {
        SortedSet<String> names = new TreeSet<>(was.keySet());
        names.addAll(now.keySet());
        for (String name : names) {
            compare(lines, name, was.get(name), now.get(name));
        }
    }

    private static void compare(List<String> lines, String name, String was, String now) {
        if (!Objects.equals(was, now)) {
            lines.add("%s: %s -> %s".formatted(name, was == null ? "none" : was, now == null ? "none" : now));
        }
    }
}
