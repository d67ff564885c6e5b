package dev.paloverde.gpu.kernels;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Steps of few rows on a GPU, once in one launch and once operation by operation: the same bits in what comes out and in the
 * cache?
 *
 * <pre>
 * java -cp ... dev.paloverde.gpu.kernels.DecoderProbe check
 * java -cp ... dev.paloverde.gpu.kernels.DecoderProbe speed 1b|draft ROWS,.. POSITIONS,.. [together|apart]
 *                                                            microseconds of a step's layers
 * </pre>
 *
 * The exit status is the number of cases that differ.
 */
public final class DecoderProbe {
    private static final int VOCABULARY = 96;
    private static final int PREFILL_ROWS = 4096;

    /** Large matrices, by shape and scale: filling one takes longer than sending it. */
    private static final Map<List<Integer>, Repeated> LARGE = new HashMap<>();

    /**
     * A model's shape, and the positions that sequences have before they go on.
     *
     * @param rows of each sequence in each step
     */
    private record Case(
            String name,
            int layers,
            int hidden,
            int queries,
            int keyValues,
            int width,
            int rotary,
            int intermediate,
            int pageTokens,
            int window,
            boolean biases,
            boolean headNorms,
            int[] lengths,
            int[] rows) {}

    private DecoderProbe() {}

    /** See the class. */
    public static void main(String[] arguments) {
        if (arguments[0].equals("speed")) {
            speed(
                    arguments[1],
                    numbers(arguments[2]),
                    numbers(arguments[3]),
                    arguments.length > 4 ? List.of(arguments[4].equals("together")) : List.of(true, false));
            return;
        }
        System.exit(check());
    }

    private static int[] numbers(String list) {
        return Arrays.stream(list.split(",")).mapToInt(Integer::parseInt).toArray();
    }

    /** {@return how many cases differ} */
    static int check() {
        int different = 0;
        try (CudaKernels together = open(true);
                CudaKernels apart = open(false)) {
            different = check(together, apart);
        }
        return different;
    }

    private static CudaKernels open(boolean together) {
        String before = System.setProperty(CudaDecoder.MOST_ROWS, together ? "8" : "0");
        try {
            return new CudaKernels(0, DevicePart.WHOLE);
        } finally {
            if (before == null) {
                System.clearProperty(CudaDecoder.MOST_ROWS);
            } else {
                System.setProperty(CudaDecoder.MOST_ROWS, before);
            }
        }
    }

    private static int check(CudaKernels together, CudaKernels apart) {
        int different = 0;
        for (Case shape : cases()) {
            String seen;
            try (Run ours = new Run(shape, together);
                    Run theirs = new Run(shape, apart)) {
                seen = compare(ours, theirs, shape);
            }
            different += seen.isEmpty() ? 0 : 1;
            System.out.printf(
                    Locale.ROOT,
                    "%s %s: hidden %d, heads %d:%d of %d, intermediate %d, after %s, rows %s%s%n",
                    seen.isEmpty() ? "same" : "DIFFERENT",
                    shape.name(),
                    shape.hidden(),
                    shape.queries(),
                    shape.keyValues(),
                    shape.width(),
                    shape.intermediate(),
                    Arrays.toString(shape.lengths()),
                    Arrays.toString(shape.rows()),
                    seen);
        }
        return different;
    }

    private static List<Case> cases() {
        int all = Attention.UNLIMITED;
        List<Case> cases = new ArrayList<>(List.of(
                shape("one row", 256, 4, 1, 64, all, new int[] {0}, new int[] {1}),
                shape("short", 256, 4, 1, 64, all, new int[] {37}, new int[] {1}),
                shape("two chunks", 512, 8, 2, 64, all, new int[] {300}, new int[] {1}),
                shape("crossing a chunk", 512, 8, 2, 64, all, new int[] {252}, new int[] {8}),
                shape("long", 512, 8, 8, 64, all, new int[] {5000}, new int[] {1}),
                shape("long, eight rows", 512, 32, 8, 64, all, new int[] {4090}, new int[] {8}),
                shape("many", 256, 8, 8, 32, all, new int[] {5, 700, 1, 64}, new int[] {1, 1, 1, 1}),
                shape("wide heads", 640, 4, 2, 256, all, new int[] {777, 20}, new int[] {2, 1}),
                shape("width 96", 384, 6, 2, 96, all, new int[] {511, 3, 257}, new int[] {1, 4, 3}),
                shape("width 128", 1024, 16, 4, 128, all, new int[] {1500}, new int[] {5}),
                shape("width 40", 200, 5, 5, 40, all, new int[] {280}, new int[] {3}),
                shape("width 8", 72, 2, 1, 8, all, new int[] {70, 255}, new int[] {2, 2}),
                shape("group of sixteen", 256, 16, 1, 32, all, new int[] {600}, new int[] {8}),
                shape("window", 256, 4, 2, 64, 100, new int[] {90, 1000}, new int[] {4, 1}),
                shape("window of chunks", 256, 8, 1, 128, 1000, new int[] {3000}, new int[] {7}),
                shape("sections", 64, 16, 16, 64, all, repeat(8, 4700), repeat(8, 1)),
                shape("sections, one sequence", 64, 32, 32, 32, 20000, new int[] {17500}, new int[] {2})));
        Random random = new Random(11);
        int[] widths = {32, 64, 96, 128, 256, 48, 80, 16};
        for (int i = 0; i < 24; i++) {
            int keyValues = 1 + random.nextInt(4);
            int group = 1 + random.nextInt(i % 4 == 0 ? 16 : 5);
            int left = 8;
            List<Integer> rows = new ArrayList<>();
            while (left > 0 && rows.size() < 1 + i % 8) {
                int some = 1 + random.nextInt(Math.max(1, Math.min(left, i % 5 + 1)));
                some = Math.min(some, left);
                rows.add(some);
                left -= some;
            }
            cases.add(shape(
                    "random " + i,
                    8 * (1 + random.nextInt(160)),
                    keyValues * group,
                    keyValues,
                    widths[i % widths.length],
                    i % 3 == 2 ? 1 + random.nextInt(600) : all,
                    random.ints(rows.size(), 0, i % 6 == 5 ? 5000 : 700).toArray(),
                    rows.stream().mapToInt(Integer::intValue).toArray()));
        }
        return cases;
    }

    private static int[] repeat(int count, int value) {
        int[] made = new int[count];
        Arrays.fill(made, value);
        return made;
    }

    /** Fills in what follows no plan. */
    private static Case shape(
            String name, int hidden, int queries, int keyValues, int width, int window, int[] lengths, int[] rows) {
        Random random = new Random(name.hashCode());
        return new Case(
                name,
                3,
                hidden,
                queries,
                keyValues,
                width,
                random.nextBoolean() ? width : Math.max(8, width / 16 * 8),
                8 * (1 + random.nextInt(300)),
                random.nextBoolean() ? 16 : 64,
                window,
                random.nextBoolean(),
                random.nextBoolean(),
                lengths,
                rows);
    }

    /** {@return where the two ways differ, in words; nothing if nowhere} */
    private static String compare(Run together, Run apart, Case shape) {
        for (int step = 0; step < 3; step++) {
            StepBatch batch = together.next(shape.rows(), step);
            // plainly, recorded, replayed
            for (int turn = 0; turn < 3; turn++) {
                float[][] ours = together.step(batch);
                float[][] theirs = apart.step(batch);
                for (int row = 0; row < ours.length; row++) {
                    int at = Arrays.mismatch(ours[row], theirs[row]);
                    if (at >= 0 || Float.isNaN(ours[row][0])) {
                        return String.format(
                                Locale.ROOT,
                                "; step %d, turn %d, row %d, column %d: %s, %s",
                                step,
                                turn,
                                row,
                                at,
                                ours[row][Math.max(0, at)],
                                theirs[row][Math.max(0, at)]);
                    }
                }
            }
            together.goOn(batch);
        }
        long at = together.firstDifference(apart);
        return at < 0 ? "" : "; caches, byte " + at;
    }

    /** One device's model, cache and sequences. */
    private static final class Run implements AutoCloseable {
        private final Deque<AutoCloseable> made = new ArrayDeque<>();
        private final Case shape;
        private final CudaKernels kernels;
        private final Matrix embedding;
        private final Decoder decoder;
        private final Decoder.Room room;
        private final CudaKvCache cache;
        private final int[][] pages;
        private final int[] lengths;
        private final Random tokens = new Random(5);

        Run(Case shape, CudaKernels kernels) {
            this.shape = shape;
            this.kernels = kernels;
            Random random = new Random(3);
            embedding = keep(kernels.matrix(List.of(numbers(random, VOCABULARY, shape.hidden(), 1))));
            int attended = shape.queries() * shape.width();
            int projected = attended + 2 * shape.keyValues() * shape.width();
            List<DecoderLayer> layers = new ArrayList<>();
            for (int layer = 0; layer < shape.layers(); layer++) {
                float small = (float) (1 / Math.sqrt(shape.hidden()));
                layers.add(new DecoderLayer(
                        gain(random, shape.hidden()),
                        keep(kernels.matrix(List.of(numbers(random, projected, shape.hidden(), small)))),
                        bias(random, projected),
                        shape.headNorms()
                                ? new HeadNorms(gain(random, shape.width()), gain(random, shape.width()), 1e-6f)
                                : null,
                        new Attention(
                                (float) (1 / Math.sqrt(shape.width())),
                                layer == 1 ? Attention.UNLIMITED : shape.window()),
                        keep(kernels.matrix(
                                List.of(numbers(random, shape.hidden(), attended, (float) (1 / Math.sqrt(attended)))))),
                        bias(random, shape.hidden()),
                        gain(random, shape.hidden()),
                        keep(kernels.gatedMatrix(
                                numbers(random, shape.intermediate(), shape.hidden(), small),
                                numbers(random, shape.intermediate(), shape.hidden(), small))),
                        shape.biases()
                                ? keep(kernels.gatedWeights(
                                        numbers(random, 1, shape.intermediate(), 1),
                                        numbers(random, 1, shape.intermediate(), 1)))
                                : null,
                        keep(kernels.matrix(List.of(numbers(random, shape.hidden(), shape.intermediate(), (float)
                                (1 / Math.sqrt(shape.intermediate())))))),
                        bias(random, shape.hidden())));
            }
            float[] frequencies = new float[shape.rotary() / 2];
            for (int i = 0; i < frequencies.length; i++) {
                frequencies[i] = (float) Math.pow(10000, -(double) i / frequencies.length);
            }
            decoder = new Decoder(
                    layers,
                    shape.queries(),
                    shape.keyValues(),
                    shape.width(),
                    new Rotary(frequencies, 1),
                    gain(random, shape.hidden()),
                    1e-5f);
            room = new Decoder.Room(
                    keep(kernels.residual(PREFILL_ROWS, shape.hidden())),
                    keep(kernels.tensor(PREFILL_ROWS, shape.hidden())),
                    keep(kernels.tensor(PREFILL_ROWS, projected)),
                    keep(kernels.tensor(PREFILL_ROWS, attended)),
                    keep(kernels.tensor(PREFILL_ROWS, shape.intermediate())));
            pages = new int[shape.lengths().length][];
            List<Integer> order = new ArrayList<>();
            int count = 0;
            for (int s = 0; s < pages.length; s++) {
                pages[s] = new int[(shape.lengths()[s] + 32) / shape.pageTokens() + 1];
                count += pages[s].length;
            }
            IntStream.range(0, count).forEach(order::add);
            Collections.shuffle(order, new Random(7));
            int next = 0;
            for (int[] table : pages) {
                for (int i = 0; i < table.length; i++) {
                    table[i] = order.get(next++);
                }
            }
            cache = (CudaKvCache) keep(kernels.cache(
                    new KvLayout(shape.layers(), shape.keyValues(), shape.width(), shape.pageTokens()), count));
            lengths = new int[pages.length];
            for (int s = 0; s < pages.length; s++) {
                while (lengths[s] < shape.lengths()[s]) {
                    int[] rows = new int[pages.length];
                    rows[s] = Math.min(PREFILL_ROWS, shape.lengths()[s] - lengths[s]);
                    StepBatch batch = next(rows, 100);
                    step(batch);
                    goOn(batch);
                }
            }
        }

        /** {@return the step in which sequences go on by so many rows} */
        StepBatch next(int[] rows, int seed) {
            List<Integer> there = IntStream.range(0, rows.length)
                    .filter(s -> rows[s] > 0)
                    .boxed()
                    .toList();
            int all = Arrays.stream(rows).sum();
            int[] positions = new int[all];
            int[] starts = new int[there.size() + 1];
            int[][] tables = new int[there.size()][];
            int row = 0;
            for (int i = 0; i < there.size(); i++) {
                int s = there.get(i);
                for (int j = 0; j < rows[s]; j++) {
                    positions[row++] = lengths[s] + j;
                }
                starts[i + 1] = row;
                tables[i] = pages[s];
            }
            tokens.setSeed(seed + 31L * all + positions[0]);
            return new StepBatch(tokens.ints(all, 0, VOCABULARY).toArray(), positions, starts, tables);
        }

        void goOn(StepBatch batch) {
            for (int i = 0; i < batch.sequences(); i++) {
                for (int s = 0; s < pages.length; s++) {
                    if (pages[s] == batch.pages()[i]) {
                        lengths[s] = batch.positions()[batch.starts()[i + 1] - 1] + 1;
                    }
                }
            }
        }

        void queue(StepBatch batch) {
            for (Tensor tensor :
                    List.of(room.residual(), room.normed(), room.projected(), room.attended(), room.gated())) {
                tensor.resize(batch.rows());
            }
            kernels.step(this, batch, () -> {
                kernels.embed(embedding, batch.tokens(), room.residual());
                kernels.decode(decoder, room, cache, batch);
            });
        }

        float[][] step(StepBatch batch) {
            queue(batch);
            float[][] out = new float[batch.rows() > 8 ? 0 : batch.rows()][];
            for (int row = 0; row < out.length; row++) {
                out[row] = room.normed().read(row);
            }
            return out;
        }

        long firstDifference(Run other) {
            long bytes = cache.elements().bytes();
            int most = 16 << 20;
            for (long from = 0; from < bytes; from += most) {
                int some = (int) Math.min(most, bytes - from);
                byte[] ours = bytes(from, some);
                int at = Arrays.mismatch(ours, other.bytes(from, some));
                if (at >= 0) {
                    return from + at;
                }
            }
            return -1;
        }

        private byte[] bytes(long from, int some) {
            kernels.attach();
            byte[] bytes = new byte[some];
            kernels.staging().fetch(cache.elements(), from, some).get(bytes);
            return bytes;
        }

        private Weights gain(Random random, int length) {
            float[] values = new float[length];
            for (int i = 0; i < length; i++) {
                values[i] = (float) (1 + 0.2 * random.nextGaussian());
            }
            return keep(kernels.weights(List.of(new Numbers(DataType.F32, 1, length, values))));
        }

        private Weights bias(Random random, int length) {
            return shape.biases() ? keep(kernels.weights(List.of(numbers(random, 1, length, 0.3f)))) : null;
        }

        private <T extends AutoCloseable> T keep(T one) {
            made.push(one);
            return one;
        }

        @Override
        public void close() {
            while (!made.isEmpty()) {
                try {
                    made.pop().close();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            }
        }
    }

    /** Random numbers, of which large matrices repeat some. */
    private static HostTensor numbers(Random random, int rows, int columns, float scale) {
        if ((long) rows * columns <= 1 << 16) {
            float[] values = Numbers.normal(random, rows * columns);
            for (int i = 0; i < values.length; i++) {
                values[i] *= scale;
            }
            return new Numbers(rows == 1 ? DataType.F32 : DataType.BF16, rows, columns, values);
        }
        return LARGE.computeIfAbsent(
                List.of(rows, columns, Float.floatToIntBits(scale)),
                shape -> new Repeated(new Random(shape.hashCode()), rows, columns, scale));
    }

    /** A large matrix of random numbers whose rows repeat. */
    private static final class Repeated implements HostTensor {
        private static final int ROWS = 37;
        private final int rows;
        private final int columns;
        private final ByteBuffer bytes;

        Repeated(Random random, int rows, int columns, float scale) {
            this.rows = rows;
            this.columns = columns;
            bytes = ByteBuffer.allocateDirect(2 * rows * columns).order(ByteOrder.LITTLE_ENDIAN);
            float[] values = Numbers.normal(random, ROWS * columns);
            for (int i = 0; i < rows * columns; i++) {
                bytes.putShort(2 * i, (short) (Float.floatToRawIntBits(values[i % values.length] * scale) >>> 16));
            }
        }

        @Override
        public String name() {
            return "repeated";
        }

        @Override
        public DataType type() {
            return DataType.BF16;
        }

        @Override
        public int rows() {
            return rows;
        }

        @Override
        public int columns() {
            return columns;
        }

        @Override
        public ByteBuffer rows(int first, int count) {
            return bytes.slice(2 * first * columns, 2 * count * columns).order(ByteOrder.LITTLE_ENDIAN);
        }
    }

    private static void speed(String name, int[] rows, int[] positions, List<Boolean> ways) {
        for (int length : positions) {
            Case shape = name.equals("1b")
                    ? new Case(
                            name,
                            16,
                            2048,
                            32,
                            8,
                            64,
                            64,
                            8192,
                            16,
                            Attention.UNLIMITED,
                            false,
                            false,
                            new int[] {length},
                            rows)
                    : new Case(
                            name,
                            32,
                            1024,
                            16,
                            8,
                            64,
                            64,
                            3584,
                            16,
                            Attention.UNLIMITED,
                            false,
                            false,
                            new int[] {length},
                            rows);
            for (boolean together : ways) {
                try (CudaKernels kernels = open(together);
                        Run run = new Run(shape, kernels)) {
                    for (int count : rows) {
                        StepBatch batch = run.next(new int[] {count}, 1);
                        for (int i = 0; i < 10; i++) {
                            run.queue(batch);
                        }
                        run.kernels.staging().synchronize();
                        double best = Double.MAX_VALUE;
                        for (int repeat = 0; repeat < 5; repeat++) {
                            long begin = System.nanoTime();
                            for (int i = 0; i < 40; i++) {
                                run.queue(batch);
                            }
                            run.kernels.staging().synchronize();
                            best = Math.min(best, (System.nanoTime() - begin) / 40e3);
                        }
                        System.out.printf(
                                Locale.ROOT,
                                "%s after %d positions, %d rows, %s: %.1f us%n",
                                name,
                                length,
                                count,
                                together ? "in one launch" : "operation by operation",
                                best);
                    }
                }
            }
        }
    }
}
