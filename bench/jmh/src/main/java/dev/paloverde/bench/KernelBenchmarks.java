package dev.paloverde.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.paloverde.gpu.kernels.DataType;
import dev.paloverde.gpu.kernels.Devices;
import dev.paloverde.gpu.kernels.Kernels;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/**
 * Runs the benchmarks and writes one JSON object a line: what a kernel reached, and what the CPU reached in the same run
 * on the same thread: arithmetic in registers, or memory, whichever binds. The best of the iterations by
 * CPU time stands for each, kernel and limit alike, because other work on the machine only ever slows one down.
 */
public final class KernelBenchmarks {
    private static final int ITERATIONS = 12;

    /** What is as large as this comes from memory at every call. */
    private static final double CACHE_BYTES = 32 << 20;

    private KernelBenchmarks() {}

    /**
     * Runs.
     *
     * @param arguments the file to write, and a regular expression of benchmarks (default: all)
     */
    public static void main(String[] arguments) throws RunnerException, IOException {
        Path output = Path.of(arguments.length > 0 ? arguments[0] : "bench/cpu/kernels.jsonl");
        String include = arguments.length > 1 ? arguments[1] : "Products|AttentionSteps|VocabularyScans";
        Collection<RunResult> results = new Runner(new OptionsBuilder()
                        .include("Roofline|" + include)
                        .forks(1)
                        .warmupIterations(10)
                        .warmupTime(TimeValue.milliseconds(500))
                        .measurementIterations(ITERATIONS)
                        .measurementTime(TimeValue.milliseconds(300))
                        .timeUnit(TimeUnit.SECONDS)
                        .jvmArgs("-Xmx4g", "--add-modules=jdk.incubator.vector")
                        .build())
                .run();
        Limits limits = Limits.of(results);
        Header header = Header.here();
        List<String> lines = new ArrayList<>();
        ObjectMapper mapper = new ObjectMapper();
        for (RunResult result : results) {
            Line line = line(result, limits);
            if (line != null) {
                lines.add(mapper.writeValueAsString(header.write(line, mapper)));
            }
        }
        Files.createDirectories(output.toAbsolutePath().getParent());
        Files.write(output, lines);
        System.out.println("wrote " + lines.size() + " lines to " + output);
    }

    private static Line line(RunResult result, Limits limits) {
        BenchmarkParams benchmark = result.getParams();
        double perSecond = best(result);
        String name = name(benchmark);
        Map<String, Object> details = new TreeMap<>();
        for (String key : benchmark.getParamsKeys()) {
            details.put(key, benchmark.getParam(key));
        }
        return switch (name) {
            case "Products.multiply" -> {
                Products.Shape shape = Products.Shape.of(benchmark.getParam("shape"));
                double bytes = shape.weights()
                        * DataType.valueOf(benchmark.getParam("type")).bytes();
                yield Line.of("multiply", details, perSecond, shape.operations(), bytes, limits);
            }
            case "VocabularyScans.logProbabilities" -> {
                Products.Shape shape = Products.Shape.of(benchmark.getParam("shape"));
                double bytes = shape.weights()
                        * DataType.valueOf(benchmark.getParam("type")).bytes();
                yield Line.of("log-probabilities", details, perSecond, shape.operations(), bytes, limits);
            }
            case "AttentionSteps.attend" -> {
                AttentionSteps.Shape shape = AttentionSteps.Shape.of(benchmark.getParam("shape"));
                yield Line.of("attend", details, perSecond, shape.operations(), shape.cacheBytes(), limits);
            }
            default -> null;
        };
    }

    private static String name(BenchmarkParams benchmark) {
        String[] parts = benchmark.getBenchmark().split("\\.", -1);
        return parts[parts.length - 2] + "." + parts[parts.length - 1];
    }

    /** {@return the most calls per second of CPU time that an iteration reached} */
    private static double best(RunResult result) {
        return result.getBenchmarkResults().stream()
                .flatMap(benchmark -> benchmark.getIterationResults().stream())
                .map(IterationResult::getSecondaryResults)
                .mapToDouble(counters -> counters.get("calls").getScore()
                        / counters.get("nanoseconds").getScore()
                        * 1e9)
                .max()
                .orElseThrow();
    }

    /** What the CPU can do, in operations and bytes per second. */
    record Limits(double arithmetic, double read, double triad) {
        static Limits of(Collection<RunResult> results) {
            Map<String, Double> found = new TreeMap<>();
            for (RunResult result : results) {
                found.put(name(result.getParams()), best(result));
            }
            return new Limits(
                    found.get("Roofline.arithmetic") * Roofline.operations(),
                    found.get("Roofline.read") * Roofline.bytesRead(),
                    found.get("Roofline.triad") * Roofline.bytesOfTriad());
        }
    }

    /** One measurement beside its limit. */
    record Line(String bench, Map<String, Object> details, double ours, double peer, String peerName, String unit) {
        /**
         * The limit is the one that leaves the longer time (Williams et al., Roofline, CACM 2009). What fits into the
         * cache is not held against memory.
         */
        static Line of(
                String bench,
                Map<String, Object> details,
                double perSecond,
                double operations,
                double bytes,
                Limits limits) {
            boolean read = limits.read >= limits.triad;
            double memory = Math.max(limits.read, limits.triad);
            if (bytes >= CACHE_BYTES && bytes / memory > operations / limits.arithmetic) {
                return new Line(
                        bench,
                        details,
                        perSecond * bytes / 1e9,
                        memory / 1e9,
                        read ? "reading 128 MiB, one thread" : "triad over 384 MiB, one thread",
                        "GB/s");
            }
            return new Line(
                    bench,
                    details,
                    perSecond * operations / 1e9,
                    limits.arithmetic / 1e9,
                    "FMA in registers, one thread",
                    "GFLOP/s");
        }
    }

    /** What all lines have in common. */
    record Header(String device, String kernels, String commit, String date) {
        static Header here() throws IOException {
            try (Kernels cpu = Devices.open("cpu", 1)) {
                return new Header(
                        processor(),
                        cpu.version() + ", " + cpu.description(),
                        revision(),
                        LocalDate.now(ZoneOffset.UTC).toString());
            }
        }

        ObjectNode write(Line line, ObjectMapper mapper) {
            ObjectNode node = mapper.createObjectNode();
            node.put("bench", line.bench);
            ObjectNode details = node.putObject("case");
            line.details.forEach((key, value) -> details.put(key, value.toString()));
            details.put("statistic", "best of " + ITERATIONS + " iterations, by CPU time of the thread");
            details.put("kernels", kernels);
            node.put("ours", round(line.ours));
            node.put("peer", round(line.peer));
            node.put("peer_name", line.peerName);
            node.put("unit", line.unit);
            node.put("ratio", Math.round(line.ours / line.peer * 1000) / 1000.0);
            node.put("device", device);
            node.put("commit", commit);
            node.put("date", date);
            return node;
        }

        private static double round(double value) {
            return Math.round(value * 100) / 100.0;
        }

        private static String processor() throws IOException {
            Path info = Path.of("/proc/cpuinfo");
            if (!Files.isReadable(info)) {
                return System.getProperty("os.arch");
            }
            try (var lines = Files.lines(info)) {
                return lines.filter(line -> line.startsWith("model name"))
                        .map(line -> line.substring(line.indexOf(':') + 1).strip())
                        .findFirst()
                        .orElse(System.getProperty("os.arch"));
            }
        }

        private static String revision() {
            try {
                Process git = new ProcessBuilder("git", "describe", "--always", "--dirty", "--abbrev=12").start();
                return new String(git.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            } catch (IOException e) {
                throw new UncheckedIOException("the commit is part of each line: run inside the repository", e);
            }
        }
    }
}
