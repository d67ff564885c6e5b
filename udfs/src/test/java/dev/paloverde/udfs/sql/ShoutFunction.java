package dev.paloverde.udfs.sql;

import dev.paloverde.udfs.arrow.BatchContext;
import dev.paloverde.udfs.arrow.BatchCounter;
import dev.paloverde.udfs.arrow.BatchFunction;
import dev.paloverde.udfs.arrow.BatchLimits;
import dev.paloverde.udfs.arrow.BatchSource;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.apache.arrow.vector.IntVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.ArrowUtils;

/**
 * A function over batches whose work can be counted: upper case and length of a text. It reads ahead as far as it may,
 * and remembers in this JVM what it was asked.
 */
record ShoutFunction(BatchLimits limits, String mood) implements BatchFunction {
    /** How often it was asked for each text. */
    static final ConcurrentHashMap<String, Integer> ASKED = new ConcurrentHashMap<>();

    static final AtomicInteger OPEN = new AtomicInteger();
    static final AtomicInteger BATCHES = new AtomicInteger();

    static final BatchFunctionFactory FACTORY = new Factory();

    static void forget() {
        ASKED.clear();
        BATCHES.set(0);
    }

    static int asked() {
        return ASKED.values().stream().mapToInt(Integer::intValue).sum();
    }

    private static final class Factory implements BatchFunctionFactory {
        @Override
        public String name() {
            return "shout";
        }

        @Override
        public List<Argument> arguments() {
            return List.of(Argument.TEXT);
        }

        @Override
        public String usage() {
            return "_FUNC_(text [, options]) - upper case and length";
        }

        @Override
        public String details() {
            return "text - a text";
        }

        @Override
        public BatchFunction create(Map<String, String> options, Map<String, String> session) {
            for (String key : options.keySet()) {
                if (!List.of("mood", "ahead").contains(key)) {
                    throw new dev.paloverde.gpu.PaloverdeException(
                            dev.paloverde.gpu.ErrorCode.INVALID_OPTION, "there is no option " + key);
                }
            }
            int ahead = Integer.parseInt(options.getOrDefault("ahead", "1024"));
            return new ShoutFunction(
                    new BatchLimits(16, 1 << 20, ahead, 8 << 20), options.getOrDefault("mood", "calm"));
        }
    }

    @Override
    public StructType input() {
        return new StructType().add("text", "string");
    }

    @Override
    public StructType output() {
        return new StructType().add("loud", "string").add("size", "int");
    }

    @Override
    public Run open(BatchContext context) {
        OPEN.incrementAndGet();
        return new Run() {
            private final ArrayDeque<VectorSchemaRoot> taken = new ArrayDeque<>();

            @Override
            public Iterator<VectorSchemaRoot> apply(BatchSource batches) {
                return new Iterator<>() {
                    @Override
                    public boolean hasNext() {
                        return !taken.isEmpty() || batches.hasNext();
                    }

                    @Override
                    public VectorSchemaRoot next() {
                        while (batches.hasNext() && batches.hasRoom()) {
                            VectorSchemaRoot batch = batches.next();
                            taken.add(batch);
                            BATCHES.incrementAndGet();
                            remember(batch, context);
                        }
                        try (VectorSchemaRoot batch = taken.poll()) {
                            return answer(batch, context);
                        }
                    }
                };
            }

            @Override
            public void close() {
                OPEN.decrementAndGet();
                taken.forEach(VectorSchemaRoot::close);
                taken.clear();
            }
        };
    }

    private static void remember(VectorSchemaRoot batch, BatchContext context) {
        VarCharVector texts = (VarCharVector) batch.getVector(0);
        for (int i = 0; i < batch.getRowCount(); i++) {
            String text = texts.isNull(i) ? "null" : text(texts, i);
            ASKED.merge(text, 1, Integer::sum);
            if (text.startsWith("wait")) {
                waitUntilKilled(context);
            }
        }
    }

    private static void waitUntilKilled(BatchContext context) {
        while (true) {
            context.checkAlive();
            try {
                Thread.sleep(20);
            } catch (InterruptedException e) {
                throw new IllegalStateException("interrupted", e);
            }
        }
    }

    private VectorSchemaRoot answer(VectorSchemaRoot batch, BatchContext context) {
        VectorSchemaRoot answer =
                VectorSchemaRoot.create(ArrowUtils.toArrowSchema(output(), "UTC", true, false), context.allocator());
        return guarded(answer, () -> {
            VarCharVector texts = (VarCharVector) batch.getVector(0);
            VarCharVector loud = (VarCharVector) answer.getVector(0);
            IntVector size = (IntVector) answer.getVector(1);
            answer.allocateNew();
            for (int i = 0; i < batch.getRowCount(); i++) {
                if (texts.isNull(i)) {
                    loud.setNull(i);
                    size.setSafe(i, -1);
                    context.count(BatchCounter.ERRORS, 1);
                    continue;
                }
                String text = text(texts, i);
                if (text.equals("bad")) {
                    throw new IllegalStateException("this text is bad");
                }
                String shouted = text.toUpperCase(Locale.ROOT) + (mood.equals("calm") ? "" : "!");
                loud.setSafe(i, shouted.getBytes(StandardCharsets.UTF_8));
                size.setSafe(i, text.length());
                context.count(BatchCounter.TOKENS_IN, text.length());
            }
            answer.setRowCount(batch.getRowCount());
            return answer;
        });
    }

    private static VectorSchemaRoot guarded(VectorSchemaRoot answer, Supplier<VectorSchemaRoot> work) {
        try {
            return work.get();
        } catch (RuntimeException e) {
            answer.close();
            throw e;
        }
    }

    private static String text(VarCharVector texts, int row) {
        return new String(texts.get(row), StandardCharsets.UTF_8);
    }

    /** spark.sql.extensions of the tests. */
    public static final class Extensions extends BatchExtensions {
        public Extensions() {
            super(List.of(FACTORY));
        }
    }
}
