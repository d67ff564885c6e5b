package dev.paloverde.pipelines;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * The columns of the input as they stand in the output. Result columns always keep their names, so that whoever reads an
 * output knows them; an input column of such a name, in whatever case, is carried as {@code input_} and its name, with
 * as many {@code input_} as it takes to be unique. So the output of one job can be the input of another.
 */
public final class CarriedColumns {
    /** What is put before a name that is taken. */
    public static final String PREFIX = "input_";

    private final Map<String, String> names;

    private CarriedColumns(Map<String, String> names) {
        this.names = names;
    }

    /**
     * Decides the names.
     *
     * @param input the columns of the input; their names differ in more than case
     * @param reserved names that results take
     */
    public static CarriedColumns of(StructType input, Collection<String> reserved) {
        Set<String> taken = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
        taken.addAll(reserved);
        Map<String, String> names = new LinkedHashMap<>();
        for (StructField field : input.fields()) {
            if (!taken.contains(field.name())) {
                names.put(field.name(), field.name());
            }
        }
        taken.addAll(names.values());
        Map<String, String> ordered = new LinkedHashMap<>();
        for (StructField field : input.fields()) {
            String name = names.getOrDefault(field.name(), PREFIX + field.name());
            while (!names.containsKey(field.name()) && taken.contains(name)) {
                name = PREFIX + name;
            }
            taken.add(name);
            ordered.put(field.name(), name);
        }
        return new CarriedColumns(ordered);
    }

    /** {@return the input column names that had to change, and what they are carried as} */
    public Map<String, String> renamed() {
        return names.entrySet().stream()
                .filter(entry -> !entry.getKey().equals(entry.getValue()))
                .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue, (a, b) -> a, LinkedHashMap::new));
    }

    /** {@return what an input column is carried as; the name may differ in case} */
    public String carriedAs(String input) {
        String exact = names.get(input);
        if (exact != null) {
            return exact;
        }
        return names.entrySet().stream()
                .filter(entry -> entry.getKey().toLowerCase(Locale.ROOT).equals(input.toLowerCase(Locale.ROOT)))
                .map(Map.Entry::getValue)
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no input column " + input));
    }

    /** {@return the rows under the carried names} */
    public Dataset<Row> rename(Dataset<Row> rows) {
        return rows.select(columns());
    }

    /** {@return the column of exactly this name, dots and all} */
    public static Column column(String name) {
        return PromptTemplate.column(name);
    }

    /** {@return the schema of the rows under the carried names} */
    public StructType rename(StructType input) {
        StructType renamed = new StructType();
        for (StructField field : input.fields()) {
            renamed = renamed.add(new StructField(names.get(field.name()), field.dataType(), true, field.metadata()));
        }
        return renamed;
    }

    /** {@return the input columns under the carried names} */
    public Column[] columns() {
        return names.entrySet().stream()
                .map(entry -> PromptTemplate.column(entry.getKey()).as(entry.getValue()))
                .toArray(Column[]::new);
    }

    /** {@return the carried names, in the order of the input} */
    public Collection<String> names() {
        return names.values();
    }
}
