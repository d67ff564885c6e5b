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

/** Activations times weights. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class Products {
    /** {@code rows x inputs x outputs}: a small model's and a 1B model's layers, prefilling and decoding. */
    @Param({
        "512x192x1024",
        "512x512x512",
        "256x2048x8192",
        "256x8192x2048",
        "1x192x1024",
        "8x192x1024",
        "64x192x1024",
        "1x8192x8192",
        "8x8192x8192",
        "1x2048x8192",
        "8x2048x8192",
        "64x2048x8192"
    })
    public String shape;

    @Param({"F32", "BF16"})
    public DataType type;

    private Kernels kernels;
    private Matrix weight;
    private Tensor in;
    private Tensor out;

    @Setup
    public void open() {
        Shape size = Shape.of(shape);
        kernels = Devices.open("cpu", 1);
        weight = kernels.matrix(List.of(new RandomTensor(type, size.outputs, size.inputs)));
        in = kernels.tensor(size.rows, size.inputs);
        out = kernels.tensor(size.rows, size.outputs);
        in.resize(size.rows);
        out.resize(size.rows);
        for (int row = 0; row < size.rows; row++) {
            in.write(row, RandomTensor.activations(size.inputs));
        }
    }

    @TearDown
    public void close() {
        out.close();
        in.close();
        weight.close();
        kernels.close();
    }

    @Benchmark
    public void multiply(CpuTime time) {
        kernels.multiply(in, weight, null, out);
        time.called();
    }

    /** The size of a product. */
    record Shape(int rows, int inputs, int outputs) {
        static Shape of(String text) {
            String[] parts = text.split("x", -1);
            return new Shape(Integer.parseInt(parts[0]), Integer.parseInt(parts[1]), Integer.parseInt(parts[2]));
        }

        double operations() {
            return 2.0 * rows * inputs * outputs;
        }

        double weights() {
            return (double) inputs * outputs;
        }
    }
}
