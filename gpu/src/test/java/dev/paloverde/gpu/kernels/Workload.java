package dev.paloverde.gpu.kernels;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/** Every operation on shapes and numbers drawn from a seed, and a digest of every bit that came out. */
final class Workload {
    private static final int[] SIZES = {1, 2, 3, 15, 16, 17, 31, 32, 33, 64, 97, 129, 300, 640};
    private static final int[] ROWS = {1, 2, 3, 4, 7, 8, 9, 13, 24, 41};

    private final CpuKernels kernels;
    private final Random random;
    private final MessageDigest digest;

    private Workload(CpuKernels kernels, long seed) {
        this.kernels = kernels;
        random = new Random(seed);
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    /** Prints what the arithmetic is and the digests of seeds 0 to n - 1: {@code (plain|best) n}. */
    public static void main(String[] arguments) {
        Arithmetic arithmetic = arguments[0].equals("plain") ? new PlainArithmetic() : Arithmetic.best();
        try (CpuKernels kernels = new CpuKernels(arithmetic, 2)) {
            System.out.println(arithmetic.description());
            for (int seed = 0; seed < Integer.parseInt(arguments[1]); seed++) {
                System.out.println(digest(kernels, seed));
            }
        }
    }

    static String digest(CpuKernels kernels, long seed) {
        Workload workload = new Workload(kernels, seed);
        for (DataType type : DataType.values()) {
            workload.products(type);
        }
        workload.elementwise();
        workload.attention();
        workload.encoder();
        return HexFormat.of().formatHex(workload.digest.digest());
    }

    private int pick(int[] choices) {
        return choices[random.nextInt(choices.length)];
    }

    private void products(DataType type) {
        int rows = pick(ROWS);
        int columns = pick(SIZES);
        int outputs = random.nextInt(4) == 0 ? 2100 : pick(SIZES);
        try (Matrix matrix = kernels.matrix(List.of(Numbers.random(random, type, outputs, columns)));
                Weights bias = kernels.weights(List.of(Numbers.random(random, type, 1, outputs)));
                Tensor in = tensor(rows, columns, 1);
                Tensor out = tensor(rows, outputs, 1)) {
            kernels.multiplyAdd(in, matrix, bias, out);
            add(out);
            kernels.multiply(in, matrix, null, out);
            add(out);
            float[] logProbabilities = new float[rows];
            int[] best = new int[rows];
            kernels.logProbabilities(in, matrix, random.ints(rows, 0, outputs).toArray(), logProbabilities, best);
            add(logProbabilities);
            add(IntStream.of(best).mapToObj(i -> (float) i).toArray(Float[]::new));
        }
    }

    private void elementwise() {
        int rows = pick(ROWS);
        int columns = pick(SIZES);
        try (Tensor in = tensor(rows, 2 * columns, 20);
                Tensor half = tensor(rows, columns, 1);
                Weights gain = kernels.weights(List.of(Numbers.random(random, DataType.BF16, 1, 2 * columns)));
                Tensor out = tensor(rows, 2 * columns, 1)) {
            kernels.swiGlu(in, half);
            add(half);
            kernels.normalize(in, gain, 1e-6f, out);
            add(out);
            kernels.normalize(new Heads(in, 0, 1, 2 * columns), gain, 1e-6f);
            float[] frequencies = new float[columns];
            for (int i = 0; i < columns; i++) {
                frequencies[i] = (float) StrictMath.pow(10000, -(double) i / columns);
            }
            int first = random.nextInt(1000);
            int[] positions = IntStream.range(first, first + rows).toArray();
            kernels.rotate(
                    new Heads(in, 0, 1, 2 * columns),
                    new Rotary(frequencies, 1f),
                    new StepBatch(new int[rows], positions, new int[] {0, rows}, new int[1][0]));
            add(in);
        }
    }

    private void attention() {
        KvLayout layout = new KvLayout(
                2, 1 + random.nextInt(3), 4 + random.nextInt(100), pick(new int[] {1, 4, 16, 16, 16, 24, 32}));
        Sequences sequences =
                new Sequences(random, layout, layout.heads() * (1 + random.nextInt(9)), 1, 19, 1 + random.nextInt(90));
        int window = random.nextBoolean() ? Attention.UNLIMITED : 1 + random.nextInt(40);
        List<Integer> order = new ArrayList<>(
                IntStream.range(0, sequences.pagesForAll()).boxed().toList());
        Collections.shuffle(order, random);
        float[][][] results = sequences.attend(
                kernels,
                new Attention(0.2f, window),
                sequences.steps(random, 30),
                sequences.tables(order),
                order.size());
        for (float[][] sequence : results) {
            for (float[] row : sequence) {
                add(row);
            }
        }
    }

    private void encoder() {
        int rows = pick(ROWS);
        int width = pick(SIZES);
        int columns = 3 * width;
        try (Tensor in = tensor(rows, columns, 2);
                Tensor normed = tensor(rows, columns, 1);
                Tensor attended = tensor(rows, width, 1);
                Tensor activated = tensor(rows, width, 1);
                Matrix matrix = kernels.matrix(List.of(Numbers.random(random, DataType.BF16, width, columns)));
                Weights bias = kernels.weights(List.of(Numbers.random(random, DataType.F32, 1, columns)))) {
            kernels.normalizeCentered(in, bias, bias, 1e-6f, normed);
            add(normed);
            kernels.attendWithin(
                    new Heads(in, 0, 1, width),
                    new Heads(in, width, 1, width),
                    new Heads(in, 2 * width, 1, width),
                    0.3f,
                    new int[] {0, rows / 2, rows},
                    attended);
            add(attended);
            for (Activation activation : Activation.values()) {
                kernels.multiplyActivated(in, matrix, null, activation, activated);
                add(activated);
            }
        }
    }

    private Tensor tensor(int rows, int columns, float magnitude) {
        Tensor tensor = kernels.tensor(rows, columns);
        tensor.resize(rows);
        for (int row = 0; row < rows; row++) {
            float[] values = Numbers.normal(random, columns);
            for (int i = 0; i < columns; i++) {
                values[i] *= magnitude;
            }
            tensor.write(row, values);
        }
        return tensor;
    }

    private void add(Tensor tensor) {
        for (int row = 0; row < tensor.rows(); row++) {
            add(tensor.read(row));
        }
    }

    private void add(Float[] values) {
        Arrays.stream(values).forEach(value -> add(new float[] {value}));
    }

    private void add(float[] values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES);
        bytes.asFloatBuffer().put(values);
        digest.update(bytes);
    }
}
