package dev.paloverde.udfs.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Settings;
import dev.paloverde.udfs.arrow.BatchContext;
import dev.paloverde.udfs.arrow.BatchCounter;
import dev.paloverde.udfs.arrow.BatchFunction;
import dev.paloverde.udfs.arrow.BatchSource;
import java.util.Iterator;
import java.util.Map;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.execution.arrow.ArrowWriter;
import org.apache.spark.sql.util.ArrowUtils;
import org.apache.spark.unsafe.types.UTF8String;
import org.junit.jupiter.api.Test;

/** Tasks that share an engine, on one thread here, so that each step is seen. */
class TextRunTest {
    private static final int PLACES = 4;
    private static final int BATCH = 2;
    private static final int BATCHES = 12;

    private final TextFunction function = new TextFunction(
            Operation.SCORE,
            Settings.resolve(
                    Operation.SCORE,
                    Map.of(
                            Settings.MODEL.key(), "embedded:sample-draft",
                            Settings.MAX_SEQUENCES.key(), Integer.toString(PLACES),
                            Settings.KV_MEMORY.key(), "8m"),
                    Map.of()));

    private record Context(BufferAllocator allocator) implements BatchContext {
        @Override
        public void count(BatchCounter counter, long amount) {
            assertThat(amount).isNotNegative();
        }

        @Override
        public void checkAlive() {}
    }

    /** Batches of texts, with room for all of them. */
    private final class Texts implements BatchSource {
        private final BufferAllocator allocator;
        private int taken;

        Texts(BufferAllocator allocator) {
            this.allocator = allocator;
        }

        @Override
        public boolean hasRoom() {
            return true;
        }

        @Override
        public boolean hasNext() {
            return taken < BATCHES;
        }

        @Override
        public VectorSchemaRoot next() {
            VectorSchemaRoot batch =
                    VectorSchemaRoot.create(ArrowUtils.toArrowSchema(function.input(), "UTC", true, false), allocator);
            ArrowWriter writer = ArrowWriter.create(batch);
            for (int row = 0; row < BATCH; row++) {
                writer.write(new GenericInternalRow(
                        new Object[] {UTF8String.fromString("text %d of batch %d".formatted(row, taken))}));
            }
            writer.finish();
            taken++;
            return batch;
        }
    }

    private static int answer(Iterator<VectorSchemaRoot> answers) {
        try (VectorSchemaRoot batch = answers.next()) {
            return batch.getRowCount();
        }
    }

    @Test
    void whoBeganFirstFeedsTheEngineAllItHasAndTheOthersWhatKeepsItFilled() {
        try (BufferAllocator allocator = new RootAllocator();
                BatchFunction.Run early = function.open(new Context(allocator));
                BatchFunction.Run late = function.open(new Context(allocator))) {
            Texts earlyTexts = new Texts(allocator);
            Texts lateTexts = new Texts(allocator);
            Iterator<VectorSchemaRoot> earlyAnswers = early.apply(earlyTexts);
            Iterator<VectorSchemaRoot> lateAnswers = late.apply(lateTexts);

            assertThat(answer(lateAnswers)).isEqualTo(BATCH);
            assertThat(lateTexts.taken * BATCH).isEqualTo(2 * PLACES);

            assertThat(answer(earlyAnswers)).isEqualTo(BATCH);
            assertThat(earlyTexts.taken).isEqualTo(BATCHES);

            assertThat(answer(lateAnswers)).isEqualTo(BATCH);
            assertThat(lateTexts.taken)
                    .as("the first has no rows left to hand over")
                    .isEqualTo(BATCHES);

            for (Iterator<VectorSchemaRoot> answers : java.util.List.of(earlyAnswers, lateAnswers)) {
                int rows = 0;
                while (answers.hasNext()) {
                    rows += answer(answers);
                }
                assertThat(rows).isEqualTo((BATCHES - (answers == lateAnswers ? 2 : 1)) * BATCH);
            }
        }
    }

    @Test
    void whoEndsEarlyMakesWay() {
        try (BufferAllocator allocator = new RootAllocator();
                BatchFunction.Run late = function.open(new Context(allocator))) {
            BatchFunction.Run early = function.open(new Context(allocator));
            early.apply(new Texts(allocator));
            Texts texts = new Texts(allocator);
            Iterator<VectorSchemaRoot> answers = late.apply(texts);
            answer(answers);
            assertThat(texts.taken).isLessThan(BATCHES);

            early.close();
            answer(answers);

            assertThat(texts.taken).isEqualTo(BATCHES);
        }
    }
}
