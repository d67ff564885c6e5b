package dev.paloverde.pipelines;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import net.jqwik.api.constraints.IntRange;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

class ResumeTest {
    private static final StructType CARRIED = new StructType().add("id", "long").add("text", "string");
    private static final StructType KEYED = CARRIED.add("row_key", "string");
    private static final Resume.Keys KEYS = new Resume.Keys("row_key", List.of("id", "text"));

    private final SparkSession spark = LocalSpark.session();

    /** Rows of few values, so that there are duplicates and nulls in plenty; the key is of the text alone. */
    private static List<Row> rows(Random random, int most) {
        List<Row> rows = new ArrayList<>();
        int count = random.nextInt(most + 1);
        for (int i = 0; i < count; i++) {
            Long id = random.nextInt(4) == 0 ? null : (long) random.nextInt(3);
            String text = random.nextInt(5) == 0 ? null : "text " + random.nextInt(3);
            rows.add(RowFactory.create(id, text, "key of " + text));
        }
        return rows;
    }

    private static Map<String, Long> multiset(List<Row> rows) {
        return rows.stream().map(Row::toString).collect(Collectors.groupingBy(row -> row, Collectors.counting()));
    }

    private Dataset<Row> dataset(List<Row> rows, int partitions) {
        return spark.createDataFrame(rows, KEYED).repartition(partitions);
    }

    @Property(tries = 25, shrinking = ShrinkingMode.OFF)
    void remainingRowsAreTheDifferenceOfMultisets(
            @ForAll long seed, @ForAll @IntRange(min = 1, max = 5) int partitions) {
        Random random = new Random(seed);
        List<Row> input = rows(random, 40);
        // what is done: part of the input, in another order, and rows that the input no longer has
        List<Row> done = new ArrayList<>(input);
        Collections.shuffle(done, random);
        done = new ArrayList<>(done.subList(0, random.nextInt(done.size() + 1)));
        done.addAll(rows(random, 5));
        Map<String, Long> expected = multiset(input);
        multiset(done).forEach((row, count) -> expected.computeIfPresent(row, (key, all) -> all - count));
        expected.values().removeIf(count -> count <= 0);

        Dataset<Row> remaining = Resume.remaining(dataset(input, partitions), dataset(done, 2), KEYS);

        assertThat(remaining.columns()).containsExactly("id", "text", "row_key");
        assertThat(multiset(remaining.collectAsList())).isEqualTo(expected);
    }

    @Example
    void rowsThatShowTheModelTheSameAreStillDifferentRows() {
        Dataset<Row> input =
                dataset(List.of(RowFactory.create(1L, "same", "k"), RowFactory.create(2L, "same", "k")), 1);
        Dataset<Row> done = dataset(List.of(RowFactory.create(1L, "same", "k")), 1);

        assertThat(Resume.remaining(input, done, KEYS).collectAsList())
                .extracting(row -> row.getLong(0))
                .containsExactly(2L);
    }

    @Example
    void valuesThatHashAlikeInSparkAreToldApart() {
        // Spark's hash passes over nulls, and does not say where a list ends
        StructType nested = new StructType()
                .add("a", "int")
                .add("b", "int")
                .add("pair", "struct<x:int,y:int>")
                .add("lists", "array<array<int>>")
                .add("map", "map<string,int>");
        List<Row> rows = new ArrayList<>();
        for (Integer[] pair : List.of(new Integer[] {null, 1}, new Integer[] {1, null})) {
            rows.add(RowFactory.create(pair[0], pair[1], null, null, null));
            rows.add(RowFactory.create(7, 7, RowFactory.create(pair[0], pair[1]), null, null));
        }
        rows.add(RowFactory.create(0, 0, null, List.of(List.of(1), List.of(2)), null));
        rows.add(RowFactory.create(0, 0, null, List.of(List.of(1, 2)), null));
        rows.add(RowFactory.create(0, 0, null, List.of(Arrays.asList(1, null, 2)), null));
        rows.add(RowFactory.create(0, 0, null, null, Map.of("k", 1)));
        rows.add(RowFactory.create(0, 0, null, null, Map.of("k", 2)));
        Dataset<Row> dataset = spark.createDataFrame(rows, nested);

        List<Row> identities = dataset.select(RowIdentity.columns(nested, List.of(nested.fieldNames()))
                        .toArray(org.apache.spark.sql.Column[]::new))
                .distinct()
                .collectAsList();

        assertThat(identities).hasSize(rows.size());
    }

    @Example
    void unitsHoldTheSameRowsWhateverTheOrderOfTheInput() {
        Random random = new Random(5);
        List<Row> rows = rows(random, 60);
        rows.addAll(rows(random, 60));
        UnitPlan plan = new UnitPlan(rows.size(), 1, 4);
        List<Row> shuffled = new ArrayList<>(rows);
        Collections.shuffle(shuffled, random);

        assertThat(units(plan.divide(dataset(shuffled, 3), KEYS)))
                .isEqualTo(units(plan.divide(dataset(rows, 1), KEYS)));
    }

    private static Map<Integer, Map<String, Long>> units(Dataset<Row> divided) {
        assertThat(divided.rdd().getNumPartitions()).isEqualTo(4);
        return divided.withColumn("unit", org.apache.spark.sql.functions.spark_partition_id()).collectAsList().stream()
                .collect(Collectors.groupingBy(
                        row -> row.getInt(3), Collectors.groupingBy(row -> row.toString(), Collectors.counting())));
    }
}
