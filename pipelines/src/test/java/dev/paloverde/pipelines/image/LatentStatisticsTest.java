package dev.paloverde.pipelines.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.paloverde.pipelines.LocalSpark;
import dev.paloverde.pipelines.image.LatentStatistics.Over;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;

/** Means and variances of latents are those of exact arithmetic, to the bit, whatever the order. */
class LatentStatisticsTest {
    private static final StructType SCHEMA = StructType.fromDDL("latents ARRAY<FLOAT>, tokens INT, width INT");

    private static Row row(int tokens, int width, Float... values) {
        return RowFactory.create(values, tokens, width);
    }

    private static Dataset<Row> rows(List<Row> rows, int partitions) {
        return LocalSpark.session().createDataFrame(rows, SCHEMA).repartition(partitions);
    }

    /** Floats of all sizes and both signs. */
    private static Float wild(Random random) {
        float value = Float.intBitsToFloat(random.nextInt());
        return Float.isFinite(value) ? value : random.nextFloat();
    }

    @Property(tries = 200)
    void sumsAreExact(@ForAll Random random) {
        ExactSums sums = new ExactSums(2);
        ExactSums others = new ExactSums(2);
        BigDecimal expected = BigDecimal.ZERO;
        BigDecimal squares = BigDecimal.ZERO;
        for (int i = 0; i < 60; i++) {
            float value = wild(random);
            ExactSums some = random.nextBoolean() ? sums : others;
            some.add(0, value);
            some.add(1, (double) value * value);
            some.counted(1 << 27);
            expected = expected.add(new BigDecimal(value));
            squares = squares.add(new BigDecimal(value).pow(2));
        }
        sums.merge(others);
        assertThat(sums.sum(0)).isEqualByComparingTo(expected);
        assertThat(sums.sum(1)).isEqualByComparingTo(squares);
    }

    @Property(tries = 3, shrinking = ShrinkingMode.OFF)
    void statisticsAreThoseOfExactArithmeticWhateverTheOrder(@ForAll Random random) {
        int tokens = 3;
        int width = 4;
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            Float[] values = new Float[tokens * width];
            for (int j = 0; j < values.length; j++) {
                values[j] = i % 2 == 0 ? wild(random) : (float) random.nextGaussian();
            }
            rows.add(row(tokens, width, values));
        }
        for (Over over : Over.values()) {
            LatentStatistics.Statistics once = new LatentStatistics(over).of(rows(rows, 1));
            List<Row> shuffled = new ArrayList<>(rows);
            Collections.shuffle(shuffled, random);
            assertThat(new LatentStatistics(over).of(rows(shuffled, 5))).isEqualTo(once);
            int dimensions = over == Over.CHANNEL ? width : tokens * width;
            assertThat(once.mean()).hasSize(dimensions);
            for (int dimension = 0; dimension < dimensions; dimension++) {
                List<BigDecimal> values = new ArrayList<>();
                for (Row row : rows) {
                    Float[] latents = (Float[]) row.get(0);
                    for (int i = dimension; i < latents.length; i += dimensions) {
                        values.add(new BigDecimal(latents[i]));
                    }
                }
                BigDecimal count = BigDecimal.valueOf(values.size());
                BigDecimal sum = values.stream().reduce(BigDecimal.ZERO, BigDecimal::add);
                BigDecimal mean = sum.divide(count, new MathContext(60));
                BigDecimal variance = values.stream()
                        .map(value -> value.subtract(mean).pow(2))
                        .reduce(BigDecimal.ZERO, BigDecimal::add)
                        .divide(count, new MathContext(60));
                assertThat(once.count()).isEqualTo(values.size());
                assertThat(once.mean().get(dimension)).isEqualTo(mean.doubleValue());
                assertThat(once.variance().get(dimension)).isEqualTo(variance.doubleValue());
            }
        }
    }

    @Test
    void rowsWithoutLatentsOrOfAnotherShapeAreCounted() {
        List<Row> rows = List.of(
                row(1, 2, 1f, 2f),
                row(1, 2, 3f, 6f),
                row(1, 2, Float.NaN, 0f),
                row(2, 2, 1f, 2f, 3f, 4f),
                row(1, 2, 1f),
                RowFactory.create(null, null, null));
        LatentStatistics.Statistics statistics = new LatentStatistics(Over.CHANNEL).of(rows(rows, 2));
        assertThat(statistics)
                .isEqualTo(new LatentStatistics.Statistics(
                        Over.CHANNEL, 2, 1, 3, 1, 2, 2, List.of(2.0, 4.0), List.of(1.0, 4.0)));
        assertThatThrownBy(() -> new LatentStatistics(Over.CHANNEL).of(rows(rows.subList(4, 6), 1)))
                .hasMessageContaining("embed-image");
    }
}
