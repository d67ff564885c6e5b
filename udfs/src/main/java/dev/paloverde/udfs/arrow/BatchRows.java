package dev.paloverde.udfs.arrow;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.UnaryOperator;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.JoinedRow;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.execution.arrow.ArrowWriter;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.ArrowUtils;
import org.apache.spark.sql.vectorized.ArrowColumnVector;
import org.apache.spark.sql.vectorized.ColumnVector;
import org.apache.spark.sql.vectorized.ColumnarBatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Rows through a function over batches: for each row in, in order, the row and what the function made of it.
 *
 * <p>Rows that were read and not given out are held as copies, because what they come from (a vectorised scan above all)
 * uses its memory again for the next ones; {@link BatchLimits} bounds them. Only the function's arguments become Arrow
 * vectors, and what it gives back is read from its own vectors without a copy.
 *
 * <p>Owns its allocator, the open function and every batch it has been given; {@link #close} frees all of it.
 */
public final class BatchRows implements Iterator<InternalRow>, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(BatchRows.class);

    /** How a row is taken apart. Each of them may use the row it gave back again for the next. */
    public interface Projection {
        /** {@return the row in the form that {@link UnsafeRow#copy} can keep} */
        UnsafeRow held(InternalRow row);

        /** {@return the function's arguments for a row, or null if the row does not ask for it} */
        InternalRow arguments(InternalRow row);
    }

    /** Counts, and tells whether the task lives. */
    public interface Task {
        /** See {@link BatchContext#count}. */
        void count(BatchCounter counter, long amount);

        /** See {@link BatchContext#checkAlive}. */
        void checkAlive();
    }

    private final Iterator<InternalRow> rows;
    private final Projection projection;
    private final BatchLimits limits;
    private final Task task;
    private final StructType input;
    private final StructType output;
    private final BufferAllocator allocator;
    private final BatchFunction.Run run;
    private final Iterator<VectorSchemaRoot> answers;

    /** What is held for the batches taken and not answered, oldest first. */
    private final ArrayDeque<Held> waiting = new ArrayDeque<>();

    private int waitingRows;
    private long waitingBytes;

    private Held current;
    private int currentRow;
    private int currentAnswer;
    private VectorSchemaRoot answer;
    private ColumnarBatch answerColumns;
    private boolean closed;

    private final JoinedRow joined = new JoinedRow();
    private final GenericInternalRow result = new GenericInternalRow(1);

    /**
     * Opens the function.
     *
     * @param name of the allocator, for messages about leaks
     * @param rows may use a row again for the next
     */
    public BatchRows(
            String name,
            BatchFunction function,
            Iterator<InternalRow> rows,
            Projection projection,
            BatchLimits limits,
            Task task) {
        this.rows = rows;
        this.projection = projection;
        this.limits = limits;
        this.task = task;
        this.input = function.input();
        this.output = function.output();
        this.allocator = ArrowUtils.rootAllocator().newChildAllocator(name, 0, Long.MAX_VALUE);
        BatchFunction.Run opened = null;
        try {
            opened = function.open(new Context());
            this.run = opened;
            this.answers = opened.apply(new Source());
        } catch (Throwable e) {
            if (opened != null) {
                closeQuietly(opened, e);
            }
            closeQuietly(allocator, e);
            throw e;
        }
    }

    @Override
    public boolean hasNext() {
        if (closed) {
            return false;
        }
        while (current == null || currentRow == current.rows.size()) {
            endAnswer();
            if (!answers.hasNext()) {
                if (!waiting.isEmpty() || rows.hasNext()) {
                    throw defect("gave no batch for %d of the batches it took".formatted(waiting.size()));
                }
                return false;
            }
            beginAnswer(answers.next());
        }
        return true;
    }

    /** {@return a row of the columns of the row in and one struct; used again for the next row} */
    @Override
    public InternalRow next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        UnsafeRow row = current.rows.get(currentRow);
        boolean asked = current.asked[currentRow];
        currentRow++;
        result.update(0, asked ? answerColumns.getRow(currentAnswer++) : null);
        return joined.apply(row, result);
    }

    private void beginAnswer(VectorSchemaRoot batch) {
        answer = batch;
        current = waiting.poll();
        if (current == null) {
            throw defect("gave a batch that answers none");
        }
        waitingRows -= current.rows.size();
        waitingBytes -= current.bytes;
        int columns = batch.getFieldVectors().size();
        if (columns != output.size() || batch.getRowCount() != current.askedRows) {
            throw defect("gave %d columns of %d rows; its output has %d columns and the batch it answers %d rows"
                    .formatted(columns, batch.getRowCount(), output.size(), current.askedRows));
        }
        answerColumns = new ColumnarBatch(
                batch.getFieldVectors().stream().map(ArrowColumnVector::new).toArray(ColumnVector[]::new),
                batch.getRowCount());
        currentRow = 0;
        currentAnswer = 0;
        task.count(BatchCounter.BATCHES, 1);
        task.count(BatchCounter.ROWS, current.askedRows);
    }

    private void endAnswer() {
        current = null;
        answerColumns = null;
        if (answer != null) {
            VectorSchemaRoot done = answer;
            answer = null;
            done.close();
        }
    }

    private static PaloverdeException defect(String what) {
        return new PaloverdeException(ErrorCode.INTERNAL, "a batch function " + what + "; this is a defect of it");
    }

    /** Frees everything; idempotent. Whatever the function leaves open is reported as its defect. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        List<AutoCloseable> open = new ArrayList<>();
        open.add(this::endAnswer);
        open.add(run);
        open.add(this::closeAllocator);
        RuntimeException failure = null;
        for (AutoCloseable each : open) {
            try {
                each.close();
            } catch (Exception e) {
                if (failure == null) {
                    failure = e instanceof RuntimeException unchecked ? unchecked : new IllegalStateException(e);
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        waiting.clear();
        if (failure != null) {
            throw failure;
        }
    }

    private void closeAllocator() {
        long left = allocator.getAllocatedMemory();
        if (left > 0) {
            LOG.error("{} bytes of Arrow memory were not given back by {}", left, allocator.getName());
        }
        allocator.close();
    }

    private static void closeQuietly(AutoCloseable resource, Throwable failure) {
        try {
            resource.close();
        } catch (Exception e) {
            failure.addSuppressed(e);
        }
    }

    /** The rows of a batch that is not answered yet. */
    private static final class Held {
        final List<UnsafeRow> rows = new ArrayList<>();
        boolean[] asked = new boolean[16];
        int askedRows;
        long bytes;
    }

    private final class Source implements BatchSource {
        @Override
        public boolean hasRoom() {
            return waiting.isEmpty() || (waitingRows < limits.aheadRows() && waitingBytes < limits.aheadBytes());
        }

        @Override
        public boolean hasNext() {
            return !closed && rows.hasNext();
        }

        @Override
        public VectorSchemaRoot next() {
            if (!hasNext()) {
                throw new NoSuchElementException();
            }
            VectorSchemaRoot batch =
                    VectorSchemaRoot.create(ArrowUtils.toArrowSchema(input, "UTC", true, false), allocator);
            try {
                ArrowWriter writer = ArrowWriter.create(batch);
                Held held = new Held();
                while (held.rows.size() < limits.batchRows() && held.bytes < limits.batchBytes() && rows.hasNext()) {
                    add(rows.next(), held, writer);
                }
                writer.finish();
                waiting.add(held);
                waitingRows += held.rows.size();
                waitingBytes += held.bytes;
                return batch;
            } catch (Throwable e) {
                batch.close();
                throw e;
            }
        }

        private void add(InternalRow row, Held held, ArrowWriter writer) {
            UnsafeRow copy = projection.held(row).copy();
            InternalRow arguments = projection.arguments(row);
            int index = held.rows.size();
            if (index == held.asked.length) {
                held.asked = java.util.Arrays.copyOf(held.asked, 2 * index);
            }
            held.rows.add(copy);
            held.bytes += copy.getSizeInBytes();
            if (arguments != null) {
                held.asked[index] = true;
                held.askedRows++;
                writer.write(arguments);
                if (arguments instanceof UnsafeRow unsafe) {
                    held.bytes += unsafe.getSizeInBytes();
                }
            }
        }
    }

    private final class Context implements BatchContext {
        @Override
        public BufferAllocator allocator() {
            return allocator;
        }

        @Override
        public void count(BatchCounter counter, long amount) {
            task.count(counter, amount);
        }

        @Override
        public void checkAlive() {
            task.checkAlive();
        }
    }

    /** {@return an iterator that applies a function to each element} */
    public static Iterator<InternalRow> map(Iterator<InternalRow> rows, UnaryOperator<InternalRow> function) {
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return rows.hasNext();
            }

            @Override
            public InternalRow next() {
                return function.apply(rows.next());
            }
        };
    }
}
