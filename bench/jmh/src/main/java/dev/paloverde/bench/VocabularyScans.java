package dev.paloverde.bench;

import dev.paloverde.gpu.kernels.DataType;
import dev.paloverde.gpu.kernels.Devices;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.kernels.Matrix;
import dev.paloverde.gpu.kernels.Tensor;
import java.util.List;
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

/** Log-probabilities of tokens, the output projection included. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class VocabularyScans {
    /** {@code rows x hidden x vocabulary}. */
    @Param({"512x192x4096", "128x2048x32000"})
    public String shape;

    @Param({"F32", "BF16"})
    public DataType type;

    private Kernels kernels;
    private Matrix head;
    private Tensor hidden;
    private int[] targets;
    private int[] best;
    private float[] logProbabilities;

    @Setup
    public void open() {
        Products.Shape size = Products.Shape.of(shape);
        kernels = Devices.open("cpu", 1);
        head = kernels.matrix(List.of(new RandomTensor(type, size.outputs(), size.inputs())));
        hidden = kernels.tensor(size.rows(), size.inputs());
        hidden.resize(size.rows());
        for (int row = 0; row < size.rows(); row++) {
            hidden.write(row, RandomTensor.activations(size.inputs()));
        }
        targets = new int[size.rows()];
        best = new int[size.rows()];
        logProbabilities = new float[size.rows()];
    }

    @TearDown
    public void close() {
        hidden.close();
        head.close();
        kernels.close();
    }

    @Benchmark
    public float[] logProbabilities(CpuTime time) {
        kernels.logProbabilities(hidden, head, targets, logProbabilities, best);
        time.called();
        return logProbabilities;
    }
}
