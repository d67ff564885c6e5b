package dev.paloverde.bench;

import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/** What one thread can do at best: arithmetic in registers, and memory far larger than any cache. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class Roofline {
    private static final VectorSpecies<Float> LANES = FloatVector.SPECIES_PREFERRED;
    private static final int ROUNDS = 100_000;
    private static final int CHAINS = 12;
    private static final int LENGTH = 1 << 25;

    private final float[] a = numbers();
    private final float[] b = numbers();
    private final float[] c = numbers();
    private float factor = 0.999f;

    private static float[] numbers() {
        float[] values = new float[LENGTH];
        Arrays.fill(values, 1f);
        return values;
    }

    /** {@return floating-point operations of one call of {@link #arithmetic}} */
    static double operations() {
        return 2.0 * LANES.length() * CHAINS * ROUNDS;
    }

    /** {@return bytes that one call of {@link #read} reads} */
    static double bytesRead() {
        return 4.0 * LENGTH;
    }

    /** {@return bytes that one call of {@link #triad} reads and writes, not counting what a store reads first} */
    static double bytesOfTriad() {
        return 12.0 * LENGTH;
    }

    /** Twelve independent chains of fused multiply-adds. */
    @Benchmark
    public float arithmetic(CpuTime time) {
        FloatVector x = FloatVector.broadcast(LANES, factor);
        FloatVector y = FloatVector.broadcast(LANES, 1e-3f);
        FloatVector s0 = y;
        FloatVector s1 = y;
        FloatVector s2 = y;
        FloatVector s3 = y;
        FloatVector s4 = y;
        FloatVector s5 = y;
        FloatVector s6 = y;
        FloatVector s7 = y;
        FloatVector s8 = y;
        FloatVector s9 = y;
        FloatVector s10 = y;
        FloatVector s11 = y;
        for (int i = 0; i < ROUNDS; i++) {
            s0 = s0.fma(x, y);
            s1 = s1.fma(x, y);
            s2 = s2.fma(x, y);
            s3 = s3.fma(x, y);
            s4 = s4.fma(x, y);
            s5 = s5.fma(x, y);
            s6 = s6.fma(x, y);
            s7 = s7.fma(x, y);
            s8 = s8.fma(x, y);
            s9 = s9.fma(x, y);
            s10 = s10.fma(x, y);
            s11 = s11.fma(x, y);
        }
        FloatVector low = s0.add(s1).add(s2).add(s3).add(s4).add(s5);
        float sum = low.add(s6).add(s7).add(s8).add(s9).add(s10).add(s11).lane(0);
        time.called();
        return sum;
    }

    /** A sum over 128 MiB, in four streams a quarter apart. */
    @Benchmark
    public float read(CpuTime time) {
        FloatVector s0 = FloatVector.zero(LANES);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        int quarter = LENGTH / 4;
        for (int i = 0; i < quarter; i += LANES.length()) {
            s0 = s0.add(FloatVector.fromArray(LANES, a, i));
            s1 = s1.add(FloatVector.fromArray(LANES, a, i + quarter));
            s2 = s2.add(FloatVector.fromArray(LANES, a, i + 2 * quarter));
            s3 = s3.add(FloatVector.fromArray(LANES, a, i + 3 * quarter));
        }
        float sum = s0.add(s1).add(s2).add(s3).lane(0);
        time.called();
        return sum;
    }

    /** {@code a = b + x c}, three times 128 MiB (McCalpin's STREAM). */
    @Benchmark
    public void triad(CpuTime time) {
        FloatVector x = FloatVector.broadcast(LANES, factor);
        for (int i = 0; i < LENGTH; i += LANES.length()) {
            FloatVector.fromArray(LANES, c, i)
                    .fma(x, FloatVector.fromArray(LANES, b, i))
                    .intoArray(a, i);
        }
        time.called();
    }
}
