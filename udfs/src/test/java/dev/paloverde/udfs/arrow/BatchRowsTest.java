package dev.paloverde.udfs.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.IntUnaryOperator;
import java.util.stream.LongStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.apache.arrow.vector.BigIntVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.ArrowUtils;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class BatchRowsTest {
    private static final StructType NUMBER = new StructType().add("n", DataTypes.LongType);

    /** Squares; can misbehave in every way that a function can. */
    private static final class Square implements BatchFunction {
        private static final long serialVersionUID = 1L;
        int most;
        IntUnaryOperator rows = n -> n;
        boolean leaks;
        boolean failsToOpen;
        boolean drops;

        @Override
        public StructType input() {
            return NUMBER;
        }

        @Override
        public StructType output() {
            return NUMBER;
        }

        @Override
        public Run open(BatchContext context) {
            if (failsToOpen) {
                throw new IllegalStateException("does not open");
            }
            return new Run() {
                private final ArrayDeque<VectorSchemaRoot> taken = new ArrayDeque<>();

                @Override
                public Iterator<VectorSchemaRoot> apply(BatchSource batches) {
                    return new Iterator<>() {
                        @Override
                        public boolean hasNext() {
                            return !drops && (!taken.isEmpty() || batches.hasNext());
                        }

                        @Override
                        public VectorSchemaRoot next() {
                            while (batches.hasNext() && batches.hasRoom()) {
                                taken.add(batches.next());
                            }
                            most = Math.max(
                                    most,
                                    taken.stream()
                                            .mapToInt(VectorSchemaRoot::getRowCount)
                                            .sum());
                            VectorSchemaRoot batch = taken.poll();
                            if (leaks) {
                                return square(batch, context);
                            }
                            try (batch) {
                                return square(batch, context);
                            }
                        }
                    };
                }

                @Override
                public void close() {
                    taken.forEach(VectorSchemaRoot::close);
                }
            };
        }

        private VectorSchemaRoot square(VectorSchemaRoot batch, BatchContext context) {
            VectorSchemaRoot answer =
                    VectorSchemaRoot.create(ArrowUtils.toArrowSchema(NUMBER, "UTC", true, false), context.allocator());
            BigIntVector in = (BigIntVector) batch.getVector(0);
            BigIntVector out = (BigIntVector) answer.getVector(0);
            int count = rows.applyAsInt(batch.getRowCount());
            out.allocateNew(count);
            for (int i = 0; i < count; i++) {
                out.setSafe(i, in.get(i) * in.get(i));
            }
            answer.setRowCount(count);
            return answer;
        }
    }

    private static final class Counts implements BatchRows.Task {
        final Map<BatchCounter, Long> counts = new EnumMap<>(BatchCounter.class);

        @Override
        public void count(BatchCounter counter, long amount) {
            counts.merge(counter, amount, Long::sum);
        }

        @Override
        public void checkAlive() {}
    }

    /** One row, used again and again, as Spark's scans do. */
    private static Iterator<InternalRow> numbers(long count) {
        UnsafeProjection projection = UnsafeProjection.create(new DataType[] {DataTypes.LongType});
        return LongStream.range(0, count)
                .mapToObj(n -> (InternalRow) projection.apply(new GenericInternalRow(new Object[] {n})))
                .iterator();
    }

    private record Every(int asked) implements BatchRows.Projection {
        @Override
        public UnsafeRow held(InternalRow row) {
            return (UnsafeRow) row;
        }

        @Override
        public InternalRow arguments(InternalRow row) {
            return row.getLong(0) % asked == 0 ? row : null;
        }
    }

    private static BatchRows open(Square square, long count, int asked, BatchLimits limits, Counts counts) {
        return new BatchRows("square", square, numbers(count), new Every(asked), limits, counts);
    }

    @AfterEach
    void nothingIsLeft() {
        assertThat(ArrowUtils.rootAllocator().getChildAllocators())
                .noneMatch(allocator -> allocator.getName().equals("square"));
    }

    @Property(tries = 60)
    void everyRowOnceInOrderWithItsOwnAnswerWithinTheBudget(
            @ForAll @IntRange(max = 300) int count,
            @ForAll @IntRange(min = 1, max = 5) int asked,
            @ForAll @IntRange(min = 1, max = 40) int batchRows,
            @ForAll @IntRange(min = 1, max = 100) int aheadRows,
            @ForAll @IntRange(min = 1, max = 2000) int bytes) {
        Square square = new Square();
        Counts counts = new Counts();
        List<String> found = new ArrayList<>();
        try (BatchRows rows =
                open(square, count, asked, new BatchLimits(batchRows, bytes, aheadRows, 4L * bytes), counts)) {
            while (rows.hasNext()) {
                InternalRow row = rows.next();
                found.add(row.getLong(0)
                        + (row.isNullAt(1) ? "" : "=" + row.getStruct(1, 1).getLong(0)));
            }
        }
        List<String> expected = LongStream.range(0, count)
                .mapToObj(n -> n + (n % asked == 0 ? "=" + n * n : ""))
                .toList();
        assertThat(found).isEqualTo(expected);
        assertThat(square.most).isLessThan(aheadRows + batchRows);
        assertThat(counts.counts.getOrDefault(BatchCounter.ROWS, 0L)).isEqualTo((count + asked - 1) / asked);
    }

    @Test
    void stoppingEarlyFreesEverything() {
        try (BatchRows rows = open(new Square(), 1000, 1, BatchLimits.STANDARD, new Counts())) {
            for (int i = 0; i < 70; i++) {
                rows.next();
            }
        }
        try (BatchRows rows = open(new Square(), 1000, 1, BatchLimits.STANDARD, new Counts())) {
            assertThat(rows).isNotNull();
        }
    }

    @Test
    void aFunctionThatMisbehavesIsNamed() {
        Square fewer = new Square();
        fewer.rows = n -> n - 1;
        try (BatchRows rows = open(fewer, 10, 1, BatchLimits.STANDARD, new Counts())) {
            assertThatThrownBy(rows::hasNext)
                    .hasMessageContaining(
                            "gave 1 columns of 9 rows; its output has 1 columns and the batch it answers 10 rows");
        }
        Square none = new Square();
        none.drops = true;
        try (BatchRows rows = open(none, 10, 1, BatchLimits.STANDARD, new Counts())) {
            assertThatThrownBy(rows::hasNext).hasMessageContaining("gave no batch");
        }
        Square closed = new Square();
        closed.failsToOpen = true;
        assertThatThrownBy(() -> open(closed, 10, 1, BatchLimits.STANDARD, new Counts()))
                .hasMessage("does not open");
    }

    @Test
    void leaksFailTheTask() {
        Square leaking = new Square();
        leaking.leaks = true;
        BatchRows rows =
                new BatchRows("leaking", leaking, numbers(10), new Every(1), BatchLimits.STANDARD, new Counts());
        rows.next();
        assertThatThrownBy(rows::close).hasMessageContaining("Memory was leaked");
        rows.close();
    }
}
