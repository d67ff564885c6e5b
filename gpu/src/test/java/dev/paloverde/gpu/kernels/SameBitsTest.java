package dev.paloverde.gpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/** Bits do not depend on whether there is SIMD, on its width, or on the number of threads. */
class SameBitsTest {
    private static final int FORKED_SEEDS = 6;

    @Property(tries = 30)
    void plainAndVectorAgree(@ForAll long seed) {
        try (CpuKernels plain = new CpuKernels(new PlainArithmetic(), 1);
                CpuKernels vector = new CpuKernels(vector(), 1)) {
            assertThat(Workload.digest(vector, seed)).isEqualTo(Workload.digest(plain, seed));
        }
    }

    @Property(tries = 15)
    void anyNumberOfThreadsAgrees(@ForAll long seed) {
        try (CpuKernels one = new CpuKernels(Arithmetic.best(), 1);
                CpuKernels three = new CpuKernels(Arithmetic.best(), 3)) {
            assertThat(Workload.digest(three, seed)).isEqualTo(Workload.digest(one, seed));
        }
    }

    /** Other JVMs: narrower lanes, the instruction sets of older CPUs, no Vector API at all. */
    @Example
    void otherMachinesAgree() throws Exception {
        List<String> here = new ArrayList<>();
        try (CpuKernels plain = new CpuKernels(new PlainArithmetic(), 1)) {
            for (int seed = 0; seed < FORKED_SEEDS; seed++) {
                here.add(Workload.digest(plain, seed));
            }
        }
        String module = "--add-modules=jdk.incubator.vector";
        int widest = ((VectorArithmetic) vector()).bits();
        for (int bits = 128; bits <= widest; bits *= 2) {
            List<String> lines = fork("best", module, "-D" + VectorArithmetic.BITS_PROPERTY + "=" + bits);
            assertThat(lines.get(0)).isEqualTo("Vector API, " + bits + " bits");
            assertThat(lines.subList(1, lines.size())).as("%d bits", bits).isEqualTo(here);
        }
        List<String> withoutModule = fork("best");
        assertThat(withoutModule.get(0)).isEqualTo("plain Java");
        assertThat(withoutModule.subList(1, withoutModule.size())).isEqualTo(here);
        if (System.getProperty("os.arch").equals("amd64")) {
            List<String> lines = fork("best", module, "-XX:UseAVX=2");
            assertThat(lines.get(0)).isIn("Vector API, 256 bits", "Vector API, 128 bits");
            assertThat(lines.subList(1, lines.size())).as("AVX2").isEqualTo(here);
        }
    }

    private static Arithmetic vector() {
        Arithmetic best = Arithmetic.best();
        assumeThat(best).isNotInstanceOf(PlainArithmetic.class);
        return best;
    }

    private static List<String> fork(String arithmetic, String... options) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of(options));
        command.addAll(List.of("-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"));
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Workload.class.getName()));
        command.addAll(List.of(arithmetic, String.valueOf(FORKED_SEEDS)));
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        List<String> lines =
                new String(process.getInputStream().readAllBytes()).lines().toList();
        assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
        assertThat(process.exitValue()).as("%s: %s", command, lines).isZero();
        return lines;
    }
}
