package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.device.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Many short jobs in one process. In each, two tasks share an engine and a third is killed half way: interrupted, its
 * requests withdrawn. Now and then a cache is asked for that no device holds, and the model is unloaded. The results of the
 * two tasks are the same each time, and after the first jobs neither the GPU's memory nor the process's grows.
 */
final class EngineSoak {
    private static final int ROWS = 24;
    /** Jobs until every size of step has been seen. */
    private static final int WARM = 20;

    private final EngineSpec spec;
    private final int vocabulary;
    private int killed;
    private int refused;

    private EngineSoak(EngineSpec spec, int vocabulary) {
        this.spec = spec;
        this.vocabulary = vocabulary;
    }

    static boolean run(Path folder, String device, int seconds) throws IOException {
        EngineSpec spec = new EngineSpec(folder, device, 4, new EngineOptions(16, 512, 16, 128L << 20, 1 << 20));
        int vocabulary;
        try (SharedEngine shared = Engines.acquire(spec)) {
            vocabulary = shared.directory().configuration().vocabulary();
        }
        return new EngineSoak(spec, vocabulary).run(seconds, device.startsWith("cuda"));
    }

    private boolean run(int seconds, boolean gpu) throws IOException {
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        List<String> first = null;
        int different = 0;
        int jobs = 0;
        long free = 0;
        long resident = 0;
        ExecutorService tasks = Executors.newFixedThreadPool(3);
        try {
            for (; System.nanoTime() < end || jobs <= WARM; jobs++) {
                List<String> results = job(tasks);
                first = first == null ? results : first;
                different += results.equals(first) ? 0 : 1;
                if (jobs % 5 == 4) {
                    refuse();
                }
                if (jobs % 10 == 9) {
                    Engines.closeIdle();
                }
                if (jobs == WARM) {
                    Engines.closeIdle();
                    free = gpu ? freeBytes() : 0;
                    resident = residentBytes();
                }
            }
        } finally {
            tasks.shutdownNow();
        }
        Engines.closeIdle();
        long lost = gpu ? free - freeBytes() : 0;
        System.gc();
        long grown = residentBytes() - resident;
        System.out.printf(
                Locale.ROOT,
                "{\"bench\":\"soak\",\"jobs\":%d,\"different\":%d,\"killed\":%d,\"refused\":%d,\"device_bytes_lost\":%d,"
                        + "\"resident_bytes_grown\":%d,\"resident_bytes\":%d}%n",
                jobs,
                different,
                killed,
                refused,
                lost,
                grown,
                resident);
        return different == 0 && lost <= 0 && grown < resident / 4;
    }

    private List<String> job(ExecutorService tasks) {
        Future<List<String>> one = tasks.submit(() -> task(1));
        Future<List<String>> other = tasks.submit(() -> task(2));
        Future<List<String>> dying = tasks.submit(() -> task(3));
        List<String> results = new ArrayList<>(join(one));
        dying.cancel(true);
        killed++;
        results.addAll(join(other));
        return results;
    }

    private static List<String> join(Future<List<String>> task) {
        try {
            return task.get();
        } catch (InterruptedException | ExecutionException e) {
            throw new IllegalStateException(e);
        }
    }

    private List<String> task(long seed) {
        Random random = new Random(seed);
        List<CompletableFuture<String>> futures = new ArrayList<>();
        try (SharedEngine shared = Engines.acquire(spec)) {
            for (int row = 0; row < ROWS; row++) {
                int[] tokens =
                        random.ints(2 + random.nextInt(150), 0, vocabulary).toArray();
                Sampling sampling = new Sampling(
                        1 + random.nextInt(40), row % 2 * 0.8f, row % 7 == 0 ? 5 : 0, 1, 0, 1, List.of(), true, seed);
                futures.add(shared.engine()
                        .generate(new GenerationRequest(RowKey.of(tokens), tokens, sampling))
                        .thenApply(made -> Arrays.toString(made.tokens()) + made.logProbability()));
                futures.add(shared.engine()
                        .score(new ScoringRequest(tokens, 100, 50))
                        .thenApply(scores -> Arrays.toString(scores.logProbabilities())));
            }
            List<String> results = new ArrayList<>();
            for (CompletableFuture<String> future : futures) {
                results.add(future.get());
            }
            return results;
        } catch (InterruptedException | ExecutionException e) {
            futures.forEach(future -> future.cancel(true));
            throw new IllegalStateException(e);
        }
    }

    /** No device has room for such a cache, and who asks is told so; the engine beside it goes on. */
    private void refuse() {
        EngineOptions options = new EngineOptions(1 << 20, 512, 16, 1L << 50, 1 << 20);
        try (SharedEngine shared = Engines.acquire(new EngineSpec(spec.model(), spec.device(), 4, options))) {
            throw new IllegalStateException("a cache of a petabyte: " + shared.engine());
        } catch (PaloverdeException e) {
            if (e.code() != ErrorCode.OUT_OF_MEMORY) {
                throw e;
            }
            refused++;
        }
    }

    private static long freeBytes() {
        try (Device device = Device.open(0)) {
            device.attach();
            return device.freeBytes();
        }
    }

    private static long residentBytes() throws IOException {
        return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * 4096;
    }
}
