package dev.paloverde.udfs.text;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.decode.RowKey;
import dev.paloverde.udfs.arrow.BatchContext;
import dev.paloverde.udfs.arrow.BatchCounter;
import dev.paloverde.udfs.arrow.BatchFunction;
import dev.paloverde.udfs.arrow.BatchSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.execution.arrow.ArrowWriter;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.ArrowUtils;
import org.apache.spark.unsafe.types.UTF8String;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A function at work in a task: rows are read, prepared and submitted as far ahead as the source has room and the
 * task's place among the engine's {@link Feeders} allows, and answered in order.
 */
public final class TextRun<Q, A> implements BatchFunction.Run {
    private static final Logger LOG = LoggerFactory.getLogger(TextRun.class);
    private static final int MESSAGE_CHARACTERS = 1000;
    private static final UTF8String OK = UTF8String.fromString("ok");
    private static final UTF8String TRUNCATED = UTF8String.fromString("truncated");
    private static final UTF8String ERROR = UTF8String.fromString("error");

    private final Serving<Q, A> engine;
    private final RowAnswers<Q, A> function;
    private final UTF8String receipt;
    private final StructType output;
    private final BatchContext context;

    /** The rows of the batches taken and not answered, oldest first. */
    private final ArrayDeque<List<Row<Q, A>>> waiting = new ArrayDeque<>();

    private int waitingRows;
    private List<Row<Q, A>> submitting;

    /**
     * @param engine closed by {@link #close}
     * @param receipt of all rows
     * @param output the operation's own columns, then the standard ones
     */
    public TextRun(
            Serving<Q, A> engine, RowAnswers<Q, A> function, String receipt, StructType output, BatchContext context) {
        this.engine = engine;
        this.function = function;
        this.receipt = UTF8String.fromString(receipt);
        this.output = output;
        this.context = context;
    }

    /** A row: submitted, or failed before it could be. */
    private record Row<Q, A>(
            RowKey key, RowAnswers.Prepared<Q> prepared, CompletableFuture<A> answer, PaloverdeException failure) {}

    @Override
    public Iterator<VectorSchemaRoot> apply(BatchSource batches) {
        engine.feeders().join(this);
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return !waiting.isEmpty() || batches.hasNext();
            }

            @Override
            public VectorSchemaRoot next() {
                while (batches.hasRoom() && mayFeed()) {
                    if (!batches.hasNext()) {
                        engine.feeders().leave(TextRun.this);
                        break;
                    }
                    try (VectorSchemaRoot batch = batches.next()) {
                        submit(batch);
                    }
                }
                if (waiting.isEmpty()) {
                    throw new NoSuchElementException();
                }
                return answer(waiting.peek());
            }
        };
    }

    /** Twice the engine's places are enough to keep it at work until this task comes back with more. */
    private boolean mayFeed() {
        return waitingRows < 2 * engine.places() || engine.feeders().isFirst(this);
    }

    private void submit(VectorSchemaRoot batch) {
        submitting = new ArrayList<>(batch.getRowCount());
        for (int i = 0; i < batch.getRowCount(); i++) {
            context.checkAlive();
            List<Object> inputs = Inputs.read(batch, i);
            RowKey key = RowKey.of(inputs.toArray());
            submitting.add(submit(key, inputs));
        }
        waiting.add(submitting);
        waitingRows += submitting.size();
        submitting = null;
    }

    private Row<Q, A> submit(RowKey key, List<Object> inputs) {
        try {
            RowAnswers.Prepared<Q> prepared = function.prepare(inputs);
            CompletableFuture<A> answer = engine.submit(key, prepared.question());
            if (LOG.isTraceEnabled()) {
                answer.thenRun(() -> LOG.trace("computed {}", key));
            }
            return new Row<>(key, prepared, answer, null);
        } catch (PaloverdeException e) {
            // a wait for the engine that was interrupted, because the task was killed
            context.checkAlive();
            return new Row<>(key, null, null, ofRow(e));
        }
    }

    /** {@return the failure, if it is the row's own} One of the job, and a withdrawal that no one here asked for, is thrown. */
    private static PaloverdeException ofRow(PaloverdeException failure) {
        if (failure.code().scope() == ErrorCode.Scope.JOB || failure.code() == ErrorCode.CANCELLED) {
            throw failure;
        }
        return failure;
    }

    private VectorSchemaRoot answer(List<Row<Q, A>> rows) {
        List<Object[]> answers = new ArrayList<>(rows.size());
        for (Row<Q, A> row : rows) {
            answers.add(answer(row));
        }
        VectorSchemaRoot batch =
                VectorSchemaRoot.create(ArrowUtils.toArrowSchema(output, "UTC", true, false), context.allocator());
        try {
            ArrowWriter writer = ArrowWriter.create(batch);
            for (Object[] values : answers) {
                writer.write(new GenericInternalRow(values));
            }
            writer.finish();
        } catch (Throwable e) {
            batch.close();
            throw e;
        }
        waiting.remove();
        waitingRows -= rows.size();
        engine.count(context);
        return batch;
    }

    private Object[] answer(Row<Q, A> row) {
        Object[] values = new Object[output.size()];
        int standard = function.columns();
        values[standard] = UTF8String.fromString(row.key().toString());
        values[standard + 1] = receipt;
        PaloverdeException failure = row.failure();
        if (failure == null) {
            context.count(BatchCounter.TOKENS_IN, row.prepared().tokensIn());
            try {
                A answer = await(row.answer());
                Object[] own = function.write(row.prepared(), answer);
                System.arraycopy(own, 0, values, 0, own.length);
                context.count(BatchCounter.TOKENS_OUT, function.tokensOut(answer));
            } catch (PaloverdeException e) {
                failure = ofRow(e);
            }
        }
        if (failure != null) {
            values[standard + 2] = ERROR;
            values[standard + 3] = UTF8String.fromString(failure.code().name());
            values[standard + 4] = UTF8String.fromString(bounded(failure.getMessage()));
            context.count(BatchCounter.ERRORS, 1);
        } else if (row.prepared().truncated()) {
            values[standard + 2] = TRUNCATED;
            context.count(BatchCounter.TRUNCATED, 1);
        } else {
            values[standard + 2] = OK;
        }
        return values;
    }

    private A await(CompletableFuture<A> answer) {
        long began = System.nanoTime();
        try {
            while (true) {
                try {
                    return answer.get(100, TimeUnit.MILLISECONDS);
                } catch (TimeoutException e) {
                    context.checkAlive();
                }
            }
        } catch (ExecutionException e) {
            if (e.getCause() instanceof PaloverdeException failure) {
                throw failure;
            }
            throw new PaloverdeException(ErrorCode.INTERNAL, "the engine failed: " + e.getCause(), e.getCause());
        } catch (CancellationException e) {
            throw new PaloverdeException(ErrorCode.CANCELLED, "the engine withdrew a row that its task waits for", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            context.checkAlive();
            throw new PaloverdeException(ErrorCode.CANCELLED, "the task was interrupted while it waited", e);
        } finally {
            context.count(BatchCounter.WAIT_NANOS, System.nanoTime() - began);
        }
    }

    private static String bounded(String message) {
        String text = String.valueOf(message);
        return text.length() <= MESSAGE_CHARACTERS ? text : text.substring(0, MESSAGE_CHARACTERS) + "...";
    }

    @Override
    public void close() {
        engine.feeders().leave(this);
        try {
            if (submitting != null) {
                waiting.add(submitting);
            }
            for (List<Row<Q, A>> rows : waiting) {
                for (Row<Q, A> row : rows) {
                    if (row.answer() != null) {
                        row.answer().cancel(false);
                    }
                }
            }
            waiting.clear();
        } finally {
            engine.close();
        }
    }
}
