package dev.paloverde.gpu.decode;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/**
 * Tokens per second of an engine, by workload and batch limit. Arguments: model directory, device, threads, rows. Prints a
 * JSON object a line.
 */
public final class EngineBenchmark {
    private static final int PROMPT = 64;
    private static final int OUTPUT = 64;

    private EngineBenchmark() {}

    /** Runs all workloads once to warm up and once to measure. */
    public static void main(String[] arguments) {
        Path model = Path.of(arguments[0]);
        int threads = Integer.parseInt(arguments[2]);
        int rows = Integer.parseInt(arguments[3]);
        for (int maxSequences : new int[] {1, 4, 16, 64}) {
            EngineOptions options = new EngineOptions(maxSequences, 512, 16, 512L << 20, 1 << 20);
            try (SharedEngine shared = Engines.acquire(new EngineSpec(model, arguments[1], threads, options))) {
                int vocabulary = shared.directory().configuration().vocabulary();
                List<int[]> prompts = new ArrayList<>();
                Random random = new Random(1);
                for (int row = 0; row < rows; row++) {
                    prompts.add(random.ints(PROMPT, 0, vocabulary).toArray());
                }
                Engine engine = shared.engine();
                Function<int[], CompletableFuture<?>> greedy =
                        prompt -> engine.generate(new GenerationRequest(RowKey.of(prompt), prompt, sampling(0)));
                Function<int[], CompletableFuture<?>> sampled =
                        prompt -> engine.generate(new GenerationRequest(RowKey.of(prompt), prompt, sampling(1)));
                Function<int[], CompletableFuture<?>> scored =
                        prompt -> engine.score(new ScoringRequest(prompt, PROMPT, PROMPT / 2));
                measure("generate-greedy", maxSequences, engine, prompts, greedy);
                measure("generate-sampled", maxSequences, engine, prompts, sampled);
                measure("score", maxSequences, engine, prompts, scored);
            }
            Engines.closeIdle();
        }
    }

    private static Sampling sampling(float temperature) {
        return new Sampling(OUTPUT, temperature, 0, 1, 0, 1, List.of(), true, 1);
    }

    private static void measure(
            String workload,
            int maxSequences,
            Engine engine,
            List<int[]> prompts,
            Function<int[], CompletableFuture<?>> submit) {
        prompts.subList(0, Math.min(prompts.size(), maxSequences)).stream()
                .map(submit)
                .toList()
                .forEach(CompletableFuture::join);
        EngineMetrics before = engine.metrics();
        long begin = System.nanoTime();
        prompts.stream().map(submit).toList().forEach(CompletableFuture::join);
        double seconds = (System.nanoTime() - begin) / 1e9;
        EngineMetrics after = engine.metrics();
        System.out.printf(
                Locale.ROOT,
                "{\"bench\":\"engine\",\"workload\":\"%s\",\"max-sequences\":%d,\"prefill-tokens-per-second\":%.0f,"
                        + "\"decode-tokens-per-second\":%.0f,\"share-in-steps\":%.3f,\"occupancy\":%.2f}%n",
                workload,
                maxSequences,
                (after.prefillTokens() - before.prefillTokens()) / seconds,
                (after.decodeTokens() - before.decodeTokens()) / seconds,
                (after.stepNanos() - before.stepNanos()) / 1e9 / seconds,
                (after.sequenceSteps() - before.sequenceSteps())
                        / (double) Math.max(1, after.steps() - before.steps())
                        / maxSequences);
    }
}
