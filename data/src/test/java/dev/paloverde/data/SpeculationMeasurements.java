package dev.paloverde.data;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.paloverde.gpu.decode.EngineOptions;
import dev.paloverde.gpu.decode.EngineSpec;
import dev.paloverde.gpu.decode.Engines;
import dev.paloverde.gpu.decode.Generation;
import dev.paloverde.gpu.decode.GenerationRequest;
import dev.paloverde.gpu.decode.RowKey;
import dev.paloverde.gpu.decode.Sampling;
import dev.paloverde.gpu.decode.SharedEngine;
import dev.paloverde.gpu.decode.Speculation;
import dev.paloverde.gpu.decode.SpeculationMetrics;
import dev.paloverde.gpu.decode.SpeculationRound;
import dev.paloverde.gpu.decode.speculate.SpeedModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Measures what guessing ahead does with the sample models on this CPU, over the sample prompts, up to 64 tokens each. Prints a
 * JSON object a line. Run in the folder of this module, with what to measure, the commit and the date:
 *
 * <ul>
 *   <li>{@code hit-rate}: how often outcomes are foreseen, by temperature, rule and spread. The numbers are the same on
 *       every machine. {@code identical} says whether all texts are those without speculation;
 *   <li>{@code speed}: tokens a second of all strategies, taken turns with in one process, and what the model of speed says
 *       from what was measured of the rounds. Needs a machine with nothing else to do. Sizes of batches may be given.
 * </ul>
 */
public final class SpeculationMeasurements {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Path MODELS = Path.of("models");
    private static final int OUTPUT = 64;
    private static final int PROMPTS = 100;

    private final String commit;
    private final String date;

    private SpeculationMeasurements(String commit, String date) {
        this.commit = commit;
        this.date = date;
    }

    /** Runs {@code hit-rate} or {@code speed}. */
    public static void main(String[] arguments) throws IOException {
        SpeculationMeasurements measurements = new SpeculationMeasurements(arguments[1], arguments[2]);
        switch (arguments[0]) {
            case "hit-rate" -> measurements.hitRate();
            case "speed" ->
                measurements.speed(
                        arguments.length > 3
                                ? Arrays.stream(arguments[3].split(","))
                                        .mapToInt(Integer::parseInt)
                                        .toArray()
                                : new int[] {1, 4, 16, 64});
            default -> throw new IllegalArgumentException("hit-rate or speed, not " + arguments[0]);
        }
    }

    private static EngineSpec spec(int sequences, int threads) {
        return new EngineSpec(
                MODELS.resolve("sample-target"),
                "cpu",
                threads,
                new EngineOptions(sequences, 512, 16, 128L << 20, 1 << 20));
    }

    private static SharedEngine acquire(EngineSpec spec, Speculation speculation) {
        return Engines.acquire(
                speculation.needsDraftModel()
                        ? spec.with(speculation, MODELS.resolve("sample-draft"))
                        : spec.with(speculation));
    }

    private static List<GenerationRequest> requests(SharedEngine shared, float temperature, int most)
            throws IOException {
        List<GenerationRequest> requests = new ArrayList<>();
        List<String> lines = Files.readAllLines(Path.of("corpus/prompts/prompts.jsonl"));
        for (int i = 0; i < most; i++) {
            // all sources alike
            String prompt = JSON.readTree(lines.get(i * lines.size() / most))
                    .get("prompt")
                    .asText();
            requests.add(new GenerationRequest(
                    RowKey.of(prompt),
                    shared.tokenizer().encode(prompt),
                    new Sampling(OUTPUT, temperature, 0, 1, 0, 1, List.of(), false, 1)));
        }
        return requests;
    }

    private static List<String> generate(SharedEngine shared, List<GenerationRequest> requests) {
        List<CompletableFuture<Generation>> futures =
                requests.stream().map(shared.engine()::generate).toList();
        return futures.stream()
                .map(future -> Arrays.toString(future.join().tokens()))
                .toList();
    }

    private void hitRate() throws IOException {
        EngineSpec spec = spec(16, Runtime.getRuntime().availableProcessors());
        Speculation ssd = Speculation.of(Speculation.Strategy.SSD, Speculation.Drafting.MODEL)
                .fallback(Speculation.Fallback.DRAFT)
                .pace(Speculation.Pace.ALWAYS);
        for (float temperature : new float[] {0, 0.3f, 0.6f, 0.9f, 1.2f}) {
            List<String> plain;
            try (SharedEngine shared = Engines.acquire(spec)) {
                plain = generate(shared, requests(shared, temperature, PROMPTS));
            }
            Speculation uniform = ssd.fanOut(2, Speculation.Spread.UNIFORM);
            Speculation geometric = ssd.fanOut(2, Speculation.Spread.GEOMETRIC);
            List<Speculation> cases =
                    List.of(geometric, uniform, uniform.rejection(1), uniform.rejection(0.5), geometric.rejection(0.5));
            for (Speculation speculation : cases) {
                try (SharedEngine shared = acquire(spec, speculation)) {
                    List<String> texts = generate(shared, requests(shared, temperature, PROMPTS));
                    ObjectNode line = line("ssd-hit-rate", speculation);
                    ObjectNode of = (ObjectNode) line.get("case");
                    of.put("temperature", Math.round(temperature * 10) / 10.0);
                    of.put("prompts", PROMPTS);
                    put(line, shared.engine().speculation());
                    line.put("identical", texts.equals(plain));
                    print(line);
                }
                Engines.closeIdle();
            }
        }
    }

    private void speed(int[] batches) throws IOException {
        int threads = Runtime.getRuntime().availableProcessors();
        for (int sequences : batches) {
            for (float temperature : new float[] {0, 1}) {
                speed(sequences, temperature, threads);
            }
        }
    }

    /** Six turns of each strategy, each with its best number of tokens of a first turn; the median counts. */
    private void speed(int sequences, float temperature, int threads) throws IOException {
        EngineSpec spec = spec(sequences, threads);
        int rows = Math.max(24, 2 * sequences);
        List<Speculation> best = new ArrayList<>();
        best.add(Speculation.none());
        for (Speculation.Strategy strategy : List.of(Speculation.Strategy.SPECULATIVE, Speculation.Strategy.SSD)) {
            Speculation fastest = null;
            double most = 0;
            for (int tokens : new int[] {2, 3, 5, 8}) {
                Speculation tried = Speculation.of(strategy, Speculation.Drafting.MODEL)
                        .tokens(tokens)
                        .fanOut(2, Speculation.Spread.GEOMETRIC)
                        .pace(Speculation.Pace.ALWAYS);
                double speed = turn(spec, tried, temperature, rows, 2);
                if (speed > most) {
                    most = speed;
                    fastest = tried;
                }
            }
            best.add(fastest);
        }
        best.add(best.get(2).pace(Speculation.Pace.MEASURED));
        List<List<Double>> speeds = new ArrayList<>();
        best.forEach(speculation -> speeds.add(new ArrayList<>()));
        List<SpeculationMetrics> metrics = new ArrayList<>(Collections.nCopies(best.size(), SpeculationMetrics.NONE));
        List<List<SpeculationRound>> rounds = new ArrayList<>(Collections.nCopies(best.size(), List.of()));
        for (int turn = 0; turn < 6; turn++) {
            for (int i = 0; i < best.size(); i++) {
                speeds.get(i).add(turn(spec, best.get(i), temperature, rows, 1));
                try (SharedEngine shared = acquire(spec, best.get(i))) {
                    metrics.set(i, shared.engine().speculation());
                    rounds.set(i, shared.engine().speculationRounds());
                }
            }
        }
        double alone = median(speeds.get(0));
        for (int i = 1; i < best.size(); i++) {
            ObjectNode line = line(
                    i == 1
                            ? "sd-vs-ar"
                            : best.get(i).pace() == Speculation.Pace.MEASURED ? "tail-drain-vs-ar" : "ssd-vs-ar",
                    best.get(i));
            ObjectNode of = (ObjectNode) line.get("case");
            of.put("batch", sequences);
            of.put("temperature", temperature);
            of.put("threads", threads);
            put(line, metrics.get(i));
            line.put("ours", round(median(speeds.get(i))));
            line.put("peer", round(alone));
            line.put("peer_name", "autoregressive");
            line.put("unit", "tokens/s");
            line.put("ratio", round(median(speeds.get(i)) / alone));
            double verify = median(rounds.get(i).stream()
                    .map(round -> (double) (round.end() - round.begin()))
                    .toList());
            double draft = median(rounds.get(i).stream()
                    .filter(round -> round.hits() < round.sequences())
                    .map(round -> (double) round.draftNanos())
                    .toList());
            double ahead = median(rounds.get(i).stream()
                    .filter(round -> round.aheadEnd() > 0)
                    .map(round -> (double) (round.aheadEnd() - round.aheadBegin()))
                    .toList());
            line.put("verify_ms", round(verify / 1e6));
            line.put("T_b", round(draft / verify));
            if (best.get(i).strategy() == Speculation.Strategy.SSD) {
                SpeculationMetrics measured = metrics.get(i);
                line.put("T_p", round(ahead / verify));
                line.put(
                        "model_tokens_per_verify",
                        round(SpeedModel.ahead(
                                measured.hitRate(),
                                measured.tokensAfterHit(),
                                measured.tokensAfterMiss(),
                                ahead / verify,
                                draft / verify,
                                sequences)));
            }
            print(line);
        }
        Engines.closeIdle();
    }

    private static double turn(EngineSpec spec, Speculation speculation, float temperature, int rows, int times)
            throws IOException {
        double speed = 0;
        try (SharedEngine shared = acquire(spec, speculation)) {
            List<GenerationRequest> requests = requests(shared, temperature, rows);
            for (int i = 0; i < times; i++) {
                long tokens = shared.engine().metrics().decodeTokens();
                long begin = System.nanoTime();
                generate(shared, requests);
                double seconds = (System.nanoTime() - begin) / 1e9;
                speed = (shared.engine().metrics().decodeTokens() - tokens) / seconds;
            }
        }
        return speed;
    }

    private static double median(List<Double> values) {
        return values.isEmpty() ? 0 : values.stream().sorted().toList().get(values.size() / 2);
    }

    private ObjectNode line(String bench, Speculation speculation) {
        ObjectNode line = JSON.createObjectNode();
        line.put("bench", bench);
        ObjectNode of = line.putObject("case");
        of.put("target", "sample-target");
        of.put("draft", "sample-draft");
        of.put("strategy", speculation.strategy().toString());
        of.put("rule", speculation.rule().toString());
        if (speculation.rule() == Speculation.Rule.REJECTION) {
            of.put("residual", speculation.residual());
        }
        of.put("tokens", speculation.tokens());
        of.put("fan-out", speculation.fanOut());
        of.put("spread", speculation.spread().toString());
        return line;
    }

    private static void put(ObjectNode line, SpeculationMetrics metrics) {
        line.put("hit_rate", round(metrics.hitRate()));
        line.put("accepted_share", round(metrics.acceptedShare()));
        line.put("E", round(1 + metrics.accepted() / (double) metrics.rounds()));
        line.put("E_hit", round(metrics.tokensAfterHit()));
        line.put("E_miss", round(metrics.tokensAfterMiss()));
        line.put("guesses_per_round", round(metrics.guesses() / (double) metrics.rounds()));
        line.put("rounds", metrics.rounds());
        line.put("overlap", round(metrics.overlapShare()));
    }

    private void print(ObjectNode line) {
        line.put("commit", commit);
        line.put("date", date);
        System.out.println(line);
    }

    private static double round(double value) {
        return Math.round(value * 1e4) / 1e4;
    }
}
