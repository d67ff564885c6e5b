package dev.paloverde.bench;

import dev.paloverde.gpu.kernels.Attention;
import dev.paloverde.gpu.kernels.CpuKernels;
import dev.paloverde.gpu.kernels.Devices;
import dev.paloverde.gpu.kernels.Heads;
import dev.paloverde.gpu.kernels.KvCache;
import dev.paloverde.gpu.kernels.KvLayout;
import dev.paloverde.gpu.kernels.StepBatch;
import dev.paloverde.gpu.kernels.Tensor;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Attention of one layer over paged keys and values; the pages of a sequence lie apart. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class AttentionSteps {
    /** {@code sequences x past x rows x query heads x key heads x width}. */
    @Param({
        "1x0x512x6x2x32",
        "1x0x512x32x8x64",
        "1x1536x512x32x8x64",
        "16x255x1x6x2x32",
        "1x2047x1x32x8x64",
        "16x511x1x32x8x64"
    })
    public String shape;

    private CpuKernels kernels;
    private KvCache cache;
    private Tensor in;
    private Tensor out;
    private StepBatch batch;
    private Heads queries;
    private final Attention attention = new Attention(0.125f, Attention.UNLIMITED);

    @Setup
    public void open() {
        Shape size = Shape.of(shape);
        kernels = (CpuKernels) Devices.open("cpu", 1);
        int pages = (size.past + size.rows + 15) / 16;
        cache = kernels.cache(new KvLayout(1, size.keyHeads, size.width, 16), pages * size.sequences);
        int columns = (size.queryHeads + 2 * size.keyHeads) * size.width;
        int[][] tables = new int[size.sequences][pages];
        for (int s = 0; s < size.sequences; s++) {
            for (int page = 0; page < pages; page++) {
                tables[s][page] = page * size.sequences + s;
            }
        }
        // the past first, then the step that is measured, in the same tensors
        int most = size.sequences * Math.max(size.rows, size.past);
        in = kernels.tensor(most, columns);
        out = kernels.tensor(size.sequences * size.rows, size.queryHeads * size.width);
        Heads keys = new Heads(in, size.queryHeads * size.width, size.keyHeads, size.width);
        Heads values = new Heads(in, (size.queryHeads + size.keyHeads) * size.width, size.keyHeads, size.width);
        queries = new Heads(in, 0, size.queryHeads, size.width);
        if (size.past > 0) {
            kernels.append(cache, 0, keys, values, step(size.sequences, 0, size.past, tables));
        }
        batch = step(size.sequences, size.past, size.rows, tables);
        kernels.append(cache, 0, keys, values, batch);
        out.resize(size.sequences * size.rows);
    }

    private StepBatch step(int sequences, int first, int count, int[][] tables) {
        int rows = sequences * count;
        in.resize(rows);
        int[] positions = new int[rows];
        int[] starts = new int[sequences + 1];
        float[] values = RandomTensor.activations(in.columns());
        for (int row = 0; row < rows; row++) {
            positions[row] = first + row % count;
            in.write(row, values);
        }
        for (int s = 0; s <= sequences; s++) {
            starts[s] = s * count;
        }
        return new StepBatch(new int[rows], positions, starts, tables);
    }

    @TearDown
    public void close() {
        out.close();
        in.close();
        cache.close();
        kernels.close();
    }

    @Benchmark
    public void attend(CpuTime time) {
        kernels.attend(queries, cache, 0, attention, batch, out);
        time.called();
    }

    /** What a step attends to. */
    record Shape(int sequences, int past, int rows, int queryHeads, int keyHeads, int width) {
        static Shape of(String text) {
            String[] parts = text.split("x", -1);
            int[] sizes = new int[parts.length];
            for (int i = 0; i < sizes.length; i++) {
                sizes[i] = Integer.parseInt(parts[i]);
            }
            return new Shape(sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5]);
        }

        /** Multiply-adds of scores and of values, for the positions that a causal query sees. */
        double operations() {
            double seen = (double) rows * past + rows * (rows + 1) / 2.0;
            return 4.0 * sequences * seen * queryHeads * width;
        }

        double cacheBytes() {
            return 8.0 * sequences * (past + rows) * keyHeads * width;
        }
    }
}
