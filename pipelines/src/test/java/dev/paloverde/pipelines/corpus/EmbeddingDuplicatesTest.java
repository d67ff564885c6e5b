package dev.paloverde.pipelines.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;

/** Embeddings that point the same way are found, held against the cosines of all pairs. */
class EmbeddingDuplicatesTest {
    private static final StructType SCHEMA = StructType.fromDDL("row_key STRING, embedding ARRAY<FLOAT>");
    private static final int WIDTH = 48;

    private static Row row(int key, float[] values) {
        Float[] boxed = new Float[values.length];
        for (int i = 0; i < boxed.length; i++) {
            boxed[i] = values[i];
        }
        return RowFactory.create("%04d".formatted(key), boxed);
    }

    private static float[] direction(Random random) {
        float[] values = new float[WIDTH];
        for (int i = 0; i < WIDTH; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    /** {@return another vector at an angle of about that cosine, and of another length} */
    private static float[] beside(float[] vector, double cosine, Random random) {
        float[] other = direction(random);
        double product = 0;
        double square = 0;
        for (int i = 0; i < WIDTH; i++) {
            product += vector[i] * other[i];
            square += vector[i] * vector[i];
        }
        double length = 0;
        float[] across = new float[WIDTH];
        for (int i = 0; i < WIDTH; i++) {
            across[i] = (float) (other[i] - product / square * vector[i]);
            length += across[i] * across[i];
        }
        double by = Math.sqrt(1 - cosine * cosine) / cosine * Math.sqrt(square / length);
        float scale = 0.1f + random.nextFloat() * 5;
        for (int i = 0; i < WIDTH; i++) {
            across[i] = (float) (scale * (vector[i] + by * across[i]));
        }
        return across;
    }

    private static Dataset<Row> rows(List<Row> rows, int partitions) {
        return LocalSpark.session().createDataFrame(rows, SCHEMA).repartition(partitions);
    }

    private static List<Row> clusters(Random random) {
        List<Row> rows = new ArrayList<>();
        while (rows.size() < 400) {
            float[] centre = direction(random);
            rows.add(row(rows.size(), centre));
            for (int copies = random.nextInt(4); copies > 0; copies--) {
                double cosine = random.nextInt(3) == 0 ? 1 - 1e-9 : .80 + random.nextDouble() * .2;
                rows.add(row(rows.size(), beside(centre, cosine, random)));
            }
            if (random.nextInt(5) == 0) {
                rows.add(row(rows.size(), centre));
            }
        }
        return rows;
    }

    /** By all pairs. */
    private static Map<String, String> brute(List<Row> rows, double threshold) {
        int[] least = new int[rows.size()];
        for (int i = 0; i < least.length; i++) {
            least[i] = i;
        }
        boolean changed = true;
        while (changed) {
            changed = false;
            for (int i = 0; i < least.length; i++) {
                for (int j = 0; j < i; j++) {
                    if (least[i] != least[j] && cosine(rows.get(i), rows.get(j)) >= threshold) {
                        least[i] = least[j] = Math.min(least[i], least[j]);
                        changed = true;
                    }
                }
            }
        }
        Map<String, String> found = new TreeMap<>();
        for (int i = 0; i < least.length; i++) {
            if (least[i] != i) {
                found.put(rows.get(i).getString(0), rows.get(least[i]).getString(0));
            }
        }
        return found;
    }

    private static double cosine(Row one, Row other) {
        Float[] a = (Float[]) one.get(1);
        Float[] b = (Float[]) other.get(1);
        double product = 0;
        double square = 0;
        double otherSquare = 0;
        for (int i = 0; i < a.length; i++) {
            product += (double) a[i] * b[i];
            square += (double) a[i] * a[i];
            otherSquare += (double) b[i] * b[i];
        }
        return product / Math.sqrt(square) / Math.sqrt(otherSquare);
    }

    @Property(tries = 3, shrinking = ShrinkingMode.OFF)
    void findsWhatAllPairsShow(@ForAll Random random) {
        List<Row> rows = clusters(random);
        // so high a recall that nothing is missed in practice: what is found must then be all there is
        EmbeddingDuplicates duplicates = new EmbeddingDuplicates(.9, .999999, random.nextLong());
        EmbeddingDuplicates.Found found = duplicates.of(rows(rows, 3));
        assertThat(LocalSpark.map(found.duplicates())).isEqualTo(brute(rows, .9));
        assertThat(found.refused().count()).isZero();
    }

    @Property(tries = 2, shrinking = ShrinkingMode.OFF)
    void nothingDependsOnOrderOrPartitions(@ForAll Random random) {
        List<Row> rows = clusters(random);
        // a low recall, so that chance would show
        EmbeddingDuplicates duplicates = new EmbeddingDuplicates(.85, .5, 7);
        Map<String, String> once = LocalSpark.map(duplicates.of(rows(rows, 1)).duplicates());
        List<Row> shuffled = new ArrayList<>(rows);
        Collections.shuffle(shuffled, random);
        assertThat(LocalSpark.map(duplicates.of(rows(shuffled, 5)).duplicates()))
                .isEqualTo(once);
        assertThat(once).isNotEmpty();
    }

    @Test
    void findsTwoRowsAtTheThresholdAsOftenAsIsAskedFor() {
        Random random = new Random(5);
        List<Row> rows = new ArrayList<>();
        int pairs = 400;
        for (int i = 0; i < pairs; i++) {
            float[] one = direction(random);
            rows.add(row(2 * i, one));
            rows.add(row(2 * i + 1, beside(one, .9002, random)));
        }
        double recall = LocalSpark.map(new EmbeddingDuplicates(.9, .8, 1)
                                .of(rows(rows, 2))
                                .duplicates())
                        .size()
                / (double) pairs;
        // five standard deviations of 400 draws, and bands are whole numbers
        assertThat(recall).isBetween(.70, .93);
    }

    @Test
    void rowsThatCannotBeComparedSayWhy() {
        float[] some = direction(new Random(1));
        float[] infinite = some.clone();
        infinite[3] = Float.POSITIVE_INFINITY;
        float[] none = some.clone();
        none[0] = Float.NaN;
        List<Row> rows = List.of(
                row(0, some),
                row(1, some),
                row(2, new float[] {1, 2}),
                row(3, infinite),
                row(4, none),
                row(5, new float[WIDTH]),
                RowFactory.create("0006", null));
        EmbeddingDuplicates.Found found = EmbeddingDuplicates.STANDARD.of(rows(rows, 2));
        assertThat(LocalSpark.map(found.duplicates())).isEqualTo(Map.of("0001", "0000"));
        assertThat(LocalSpark.map(found.refused()))
                .isEqualTo(Map.of(
                        "0002", "OTHER_WIDTH",
                        "0003", "NOT_FINITE",
                        "0004", "NOT_FINITE",
                        "0005", "ZERO",
                        "0006", "NULL_EMBEDDING"));
        assertThat(LocalSpark.map(
                        EmbeddingDuplicates.STANDARD.of(rows(List.of(), 1)).duplicates()))
                .isEmpty();
        assertThatThrownBy(() -> new EmbeddingDuplicates(0, .9, 0)).hasMessageContaining("above 0 and up to 1");
        assertThatThrownBy(() -> new EmbeddingDuplicates(.1, .999, 0).bands(30))
                .hasMessageContaining("give a higher one");
    }
}
