package dev.paloverde.gpu.decode;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Strategies taking turns over the same prompts, all engines resident. For each size of batch and temperature first every
 * way has a turn, to find the fastest of each strategy; then these take turns with plain decoding. A turn keeps as many
 * sequences in flight as the batch has, until all prompts are done; texts have the same length whatever is generated.
 */
final class SpeculationSpeed {
    private static final int PATIENCE_SECONDS = 15;

    private final Map<String, String> settings = new HashMap<>(Map.of(
            "cases", "1@1,1@0,4@1,16@1,64@1",
            "tokens", "3,5,8",
            "multiprocessors", "0,16",
            "devices", "",
            "fan-out", "3",
            "drafters", "MODEL,BOTH",
            "paces", "ALWAYS,MEASURED",
            "output", "128",
            "repeats", "5"));
    private final String device;
    private final Path target;
    private final Path draft;
    private final List<int[]> prompts;
    private final Map<EngineSpec, SharedEngine> engines = new ConcurrentHashMap<>();
    private final EngineSpec plain;
    private final long began = System.nanoTime();

    /** @param arguments of {@link SpeculationProbe} */
    SpeculationSpeed(String[] arguments, List<int[]> prompts) {
        this.target = Path.of(arguments[1]);
        this.draft = Path.of(arguments[2]);
        this.device = arguments[3];
        this.prompts = prompts;
        settings.put("seconds", "3600");
        for (String setting : Arrays.asList(arguments).subList(5, arguments.length)) {
            settings.put(setting.substring(0, setting.indexOf('=')), setting.substring(setting.indexOf('=') + 1));
        }
        EngineOptions options = new EngineOptions(64, 2048, 64, 2L << 30, 1 << 24);
        this.plain = new EngineSpec(target, device, 4, options);
    }

    private int[] integers(String setting) {
        return Arrays.stream(settings.get(setting).split(","))
                .mapToInt(Integer::parseInt)
                .toArray();
    }

    boolean run() {
        List<EngineSpec> speculative = new ArrayList<>();
        List<EngineSpec> ssd = new ArrayList<>();
        for (int tokens : integers("tokens")) {
            for (String drafter : settings.get("drafters").split(",")) {
                speculative.add(plain.with(
                        Speculation.of(Speculation.Strategy.SPECULATIVE, Speculation.Drafting.valueOf(drafter))
                                .tokens(tokens)
                                .pace(Speculation.Pace.ALWAYS),
                        draft));
            }
            for (int fanOut : integers("fan-out")) {
                Speculation ahead = Speculation.of(Speculation.Strategy.SSD, Speculation.Drafting.MODEL)
                        .tokens(tokens)
                        .fanOut(fanOut, Speculation.Spread.GEOMETRIC)
                        .pace(Speculation.Pace.ALWAYS);
                for (int multiprocessors : integers("multiprocessors")) {
                    ssd.add(plain.with(ahead, new DraftSpec(draft, "", multiprocessors)));
                }
                for (String own : settings.get("devices").split(",")) {
                    if (!own.isEmpty()) {
                        ssd.add(plain.with(ahead, new DraftSpec(draft, own, 0)));
                    }
                }
            }
        }
        EngineSpec middle = ssd.get(ssd.size() / 2);
        List<EngineSpec> paced = settings.get("paces").contains("MEASURED")
                ? List.of(middle.with(
                        middle.speculation().pace(Speculation.Pace.MEASURED),
                        middle.draft().orElseThrow()))
                : List.of();
        List<EngineSpec> all = new ArrayList<>(List.of(plain));
        all.addAll(paced);
        all.addAll(speculative);
        all.addAll(ssd);
        // each on a thread of its own
        all.stream()
                .map(spec -> CompletableFuture.runAsync(() -> engine(spec), task -> new Thread(task).start()))
                .toList()
                .forEach(CompletableFuture::join);
        System.out.printf(Locale.ROOT, "# %d engines after %.1f s%n", engines.size(), seconds(began));
        all.forEach(way -> turn(null, way, 1, 1, lengths(1)));
        for (String each : settings.get("cases").split(",")) {
            int batch = Integer.parseInt(each.substring(0, each.indexOf('@')));
            float temperature = Float.parseFloat(each.substring(each.indexOf('@') + 1));
            if (late(0.8)) {
                System.out.println("# no time for " + each);
                continue;
            }
            warm(plain, batch, temperature);
            paced.forEach(way -> warm(way, batch, temperature));
            List<EngineSpec> turns = new ArrayList<>(List.of(plain, fastest(speculative, batch, temperature)));
            for (List<EngineSpec> alike : byPlace(ssd)) {
                turns.add(fastest(alike, batch, temperature));
            }
            turns.addAll(paced);
            for (int repeat = 0; repeat < integers("repeats")[0]; repeat++) {
                for (EngineSpec way : turns) {
                    turn("turn", way, batch, temperature, lengths(count(batch)));
                }
            }
            System.out.printf(Locale.ROOT, "# %s done after %.1f s%n", each, seconds(began));
        }
        if (!paced.isEmpty()) {
            tail(paced.get(0), middle);
        }
        System.out.printf(Locale.ROOT, "# all done after %.1f s%n", seconds(began));
        engines.values().forEach(SharedEngine::close);
        return true;
    }

    /** {@return whether a share of the time is over} */
    private boolean late(double share) {
        return seconds(began) > share * integers("seconds")[0];
    }

    private static double seconds(long begin) {
        return (System.nanoTime() - begin) / 1e9;
    }

    /** {@return the ways that run in the same place, together} */
    private static List<List<EngineSpec>> byPlace(List<EngineSpec> ways) {
        Map<String, List<EngineSpec>> places = new LinkedHashMap<>();
        for (EngineSpec way : ways) {
            DraftSpec draft = way.draft().orElseThrow();
            places.computeIfAbsent(draft.device() + draft.multiprocessors(), place -> new ArrayList<>())
                    .add(way);
        }
        return List.copyOf(places.values());
    }

    private SharedEngine engine(EngineSpec spec) {
        return engines.computeIfAbsent(spec, Engines::acquire);
    }

    /** So many that little of a turn is its end, when texts run out. */
    private static int count(int batch) {
        return Math.max(8, 4 * batch);
    }

    private void warm(EngineSpec way, int batch, float temperature) {
        turn(null, way, batch, temperature, lengths(Math.max(2, batch)));
    }

    private EngineSpec fastest(List<EngineSpec> ways, int batch, float temperature) {
        EngineSpec fastest = ways.get(0);
        double most = 0;
        for (EngineSpec way : ways) {
            warm(way, batch, temperature);
            double speed = turn("tune", way, batch, temperature, lengths(Math.max(2, batch)));
            if (speed > most) {
                most = speed;
                fastest = way;
            }
        }
        return fastest;
    }

    private int[] lengths(int count) {
        int[] lengths = new int[count];
        Arrays.fill(lengths, integers("output")[0]);
        return lengths;
    }

    /** {@return tokens per second; 0 where something went wrong, which costs only this turn} */
    private double turn(String kind, EngineSpec way, int batch, float temperature, int[] lengths) {
        try {
            ObjectNode line = turn(way, batch, temperature, lengths);
            if (kind != null) {
                line.put("kind", kind);
                System.out.println(line);
            }
            return line.get("tokens_per_second").asDouble();
        } catch (InterruptedException | ExecutionException | TimeoutException e) {
            System.out.println("# " + SpeculationProbe.name(way) + ": " + e);
            return 0;
        }
    }

    /** A prompt for each length, so many at a time. */
    private ObjectNode turn(EngineSpec way, int batch, float temperature, int[] lengths)
            throws InterruptedException, ExecutionException, TimeoutException {
        Engine engine = engine(way).engine();
        EngineMetrics before = engine.metrics();
        SpeculationMetrics speculationBefore = engine.speculation();
        Semaphore places = new Semaphore(batch);
        List<CompletableFuture<Generation>> futures = new ArrayList<>();
        long begin = System.nanoTime();
        for (int i = 0; i < lengths.length; i++) {
            int[] prompt = prompts.get(i % prompts.size());
            Sampling sampling = new Sampling(lengths[i], temperature, 0, 1, 0, 1, List.of(), true, 5);
            if (!places.tryAcquire(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                throw new TimeoutException("no answer");
            }
            futures.add(engine.generate(new GenerationRequest(RowKey.of(prompt), prompt, sampling))
                    .whenComplete((made, error) -> places.release()));
        }
        for (CompletableFuture<Generation> future : futures) {
            future.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        }
        double seconds = seconds(begin);
        long tokens = Arrays.stream(lengths).asLongStream().sum();
        ObjectNode line = SpeculationProbe.object();
        line.put("batch", batch);
        line.put("temperature", temperature);
        line.put("strategy", way.speculation().strategy().toString());
        line.put("drafter", way.speculation().drafter().toString());
        line.put("pace", way.speculation().pace().toString());
        line.put("tokens", way.speculation().tokens());
        line.put("fan_out", way.speculation().fanOut());
        line.put("draft_device", way.draft().map(DraftSpec::device).orElse(""));
        line.put("multiprocessors", way.draft().map(DraftSpec::multiprocessors).orElse(0));
        line.put("tokens_per_second", tokens / seconds);
        line.put("seconds", seconds);
        line.put("generated", tokens);
        line.put("steps", engine.metrics().steps() - before.steps());
        line.put("step_seconds", (engine.metrics().stepNanos() - before.stepNanos()) / 1e9);
        line.put(
                "text",
                futures.stream()
                        .mapToInt(future -> Arrays.hashCode(future.join().tokens()))
                        .reduce(0, (a, b) -> 31 * a + b));
        if (way.speculation().strategy() != Speculation.Strategy.AUTOREGRESSIVE) {
            put(line, engine.speculation().since(speculationBefore));
            put(
                    line,
                    engine.speculationRounds().stream()
                            .filter(round -> round.begin() >= begin)
                            .toList());
        }
        return line;
    }

    private static void put(ObjectNode line, SpeculationMetrics metrics) {
        line.put("rounds", metrics.rounds());
        line.put("plain_steps", metrics.plainSteps());
        line.put("accepted_share", metrics.acceptedShare());
        line.put("E", metrics.rounds() == 0 ? 0 : 1 + metrics.accepted() / (double) metrics.rounds());
        line.put("hit_rate", metrics.hitRate());
        line.put("E_hit", metrics.tokensAfterHit());
        line.put("E_miss", metrics.tokensAfterMiss());
        line.put("overlap", metrics.overlapShare());
        line.put("guesses_per_round", metrics.rounds() == 0 ? 0 : metrics.guesses() / (double) metrics.rounds());
    }

    /** Times in microseconds: a step, what it waited for proposals where not all were there, drafting ahead. */
    private static void put(ObjectNode line, List<SpeculationRound> rounds) {
        line.put(
                "verify_us",
                median(rounds.stream()
                        .filter(round -> round.proposed() > 0)
                        .mapToLong(round -> round.end() - round.begin())
                        .toArray()));
        line.put(
                "draft_us",
                median(rounds.stream()
                        .filter(round -> round.proposed() > 0 && round.hits() < round.sequences())
                        .mapToLong(SpeculationRound::draftNanos)
                        .toArray()));
        line.put(
                "hit_wait_us",
                median(rounds.stream()
                        .filter(round -> round.proposed() > 0 && round.hits() == round.sequences())
                        .mapToLong(SpeculationRound::draftNanos)
                        .toArray()));
        line.put(
                "ahead_us",
                median(rounds.stream()
                        .filter(round -> round.aheadEnd() > 0)
                        .mapToLong(round -> round.aheadEnd() - round.aheadBegin())
                        .toArray()));
        line.put(
                "ahead_after_begin_us",
                median(rounds.stream()
                        .filter(round -> round.aheadEnd() > 0)
                        .mapToLong(round -> round.aheadEnd() - round.begin())
                        .toArray()));
        long[] gaps = new long[Math.max(0, rounds.size() - 1)];
        for (int i = 0; i < gaps.length; i++) {
            gaps[i] = rounds.get(i + 1).begin()
                    - rounds.get(i + 1).draftNanos()
                    - rounds.get(i).end();
        }
        line.put("between_us", median(gaps));
    }

    private static double median(long[] nanos) {
        if (nanos.length == 0) {
            return 0;
        }
        Arrays.sort(nanos);
        return nanos[nanos.length / 2] / 1e3;
    }

    /** Requests of which a few are many times as long as most, all at once: what a partition leaves to an engine. */
    private void tail(EngineSpec paced, EngineSpec always) {
        Random random = new Random(7);
        int[] lengths = new int[96];
        for (int i = 0; i < lengths.length; i++) {
            lengths[i] = (int) Math.min(700, 24 / Math.pow(1 - random.nextDouble(), 1 / 1.1));
        }
        for (int repeat = 0; repeat < 4; repeat++) {
            for (EngineSpec way : List.of(plain, paced, always)) {
                if (late(1)) {
                    return;
                }
                turn(repeat > 0 ? "tail" : null, way, lengths.length, 0.7f, lengths);
            }
        }
    }
}
