package dev.paloverde.gpu.decode;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.paloverde.gpu.kernels.Devices;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.kernels.KvCache;
import dev.paloverde.gpu.kernels.LateAnswers;
import dev.paloverde.gpu.kernels.StepBatch;
import dev.paloverde.gpu.kernels.Tensor;
import dev.paloverde.gpu.kernels.TokenChooser;
import dev.paloverde.gpu.kernels.TokenProposer;
import dev.paloverde.gpu.model.LanguageModel;
import dev.paloverde.gpu.model.ModelDirectory;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;

/**
 * Guessing ahead on whatever device, for the programs of {@code bench/h200}. Prints JSON, one object a line, and exits with
 * 1 where something is not as it has to be.
 *
 * <pre>
 * proposer MODEL DEVICE                what the device proposes against what the host makes of its logits
 * texts TARGET DRAFT DEVICE PROMPTS.json OUTPUT MULTIPROCESSORS   texts of all strategies against plain decoding
 * speed TARGET DRAFT DEVICE PROMPTS.json SETTING=VALUE...         tokens per second, all strategies taking turns
 * </pre>
 */
public final class SpeculationProbe {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int PAGE_TOKENS = 16;

    private SpeculationProbe() {}

    /** See the class. */
    public static void main(String[] arguments) throws IOException {
        boolean right = switch (arguments[0]) {
            case "proposer" -> proposer(Path.of(arguments[1]), arguments[2]);
            case "texts" ->
                texts(
                        Path.of(arguments[1]),
                        Path.of(arguments[2]),
                        arguments[3],
                        prompts(arguments[4]),
                        Integer.parseInt(arguments[5]),
                        Integer.parseInt(arguments[6]));
            case "speed" -> new SpeculationSpeed(arguments, prompts(arguments[4])).run();
            default -> throw new IllegalArgumentException("what is " + arguments[0]);
        };
        Engines.closeIdle();
        System.exit(right ? 0 : 1);
    }

    static List<int[]> prompts(String file) throws IOException {
        JsonNode lists = JSON.readTree(Path.of(file).toFile());
        return StreamSupport.stream(lists.spliterator(), false)
                .map(list -> StreamSupport.stream(list.spliterator(), false)
                        .mapToInt(JsonNode::intValue)
                        .toArray())
                .toList();
    }

    /** Candidates against the sampler's over the same logits; chains against steps one by one; both in other company. */
    private static boolean proposer(Path folder, String device) throws IOException {
        int wrong = 0;
        int checked = 0;
        try (ModelDirectory directory = ModelDirectory.open(folder);
                Kernels kernels = Devices.open(device, 2);
                LanguageModel model = directory.load(kernels);
                KvCache cache = kernels.cache(model.kvLayout(PAGE_TOKENS), 4096)) {
            model.reserve(2048);
            TokenProposer proposer = kernels.proposer().orElseThrow();
            TokenChooser chooser = kernels.chooser().orElseThrow();
            Sampler sampler = new Sampler(model.vocabulary());
            for (int sequences : new int[] {1, 3, 17, 100}) {
                Prefilled ready = Prefilled.of(model, cache, sequences);
                Tensor hidden = model.forward(ready.step(), cache);
                for (int count : new int[] {1, 17, 40}) {
                    int[] tokens = new int[sequences * count];
                    proposer.candidates(hidden, model.head(), ready.draws(), count, tokens);
                    float[] logits = new float[sequences * model.vocabulary()];
                    kernels.logits(hidden, model.head(), logits);
                    for (int s = 0; s < sequences; s++) {
                        int[] expected = new int[count];
                        sampler.candidates(
                                logits,
                                s * model.vocabulary(),
                                ready.sampling(s),
                                ready.noise(s),
                                new SeenTokens(),
                                ready.position(s) + 1,
                                count,
                                expected);
                        checked++;
                        wrong +=
                                Arrays.equals(expected, Arrays.copyOfRange(tokens, s * count, (s + 1) * count)) ? 0 : 1;
                    }
                }
                int steps = 6;
                int[][] serial = ready.serial(model, cache, chooser, steps);
                for (int rows : new int[] {1, 3}) {
                    // twice more, so that the chain is recorded and replayed
                    for (int time = 0; time < 3; time++) {
                        int[] chained = new int[steps * sequences];
                        model.extend(ready.chain(rows, steps), cache, chained);
                        for (int s = 0; s < sequences; s++) {
                            for (int i = 0; i < steps; i++) {
                                checked++;
                                wrong += ready.limited(s, i) || chained[i * sequences + s] == serial[s][i] ? 0 : 1;
                            }
                        }
                    }
                }
            }
        }
        System.out.printf(Locale.ROOT, "{\"bench\":\"proposer\",\"checked\":%d,\"different\":%d}%n", checked, wrong);
        return wrong == 0;
    }

    /** Sequences of random tokens, all computed but for the last three of each. */
    private record Prefilled(int[][] texts, int[][] pages) {
        static Prefilled of(LanguageModel model, KvCache cache, int sequences) {
            Random random = new Random(sequences);
            int[][] texts = new int[sequences][];
            int[][] pages = new int[sequences][];
            int page = 0;
            for (int s = 0; s < sequences; s++) {
                texts[s] = random.ints(4 + random.nextInt(60), 0, model.vocabulary())
                        .toArray();
                int from = page;
                pages[s] = IntStream.range(0, (texts[s].length + 16) / PAGE_TOKENS + 1)
                        .map(i -> from + i)
                        .toArray();
                page += pages[s].length;
                int computed = texts[s].length - 3;
                model.forward(
                        new StepBatch(
                                Arrays.copyOf(texts[s], computed),
                                IntStream.range(0, computed).toArray(),
                                new int[] {0, computed},
                                new int[][] {pages[s]}),
                        cache);
            }
            Prefilled made = new Prefilled(texts, pages);
            model.forward(made.rows(3), cache);
            return made;
        }

        /** The last rows of each. */
        StepBatch rows(int count) {
            int[] tokens = new int[count * texts.length];
            int[] positions = new int[tokens.length];
            for (int i = 0; i < tokens.length; i++) {
                int[] text = texts[i / count];
                positions[i] = text.length - count + i % count;
                tokens[i] = text[positions[i]];
            }
            int[] starts =
                    IntStream.rangeClosed(0, texts.length).map(s -> s * count).toArray();
            return new StepBatch(tokens, positions, starts, pages);
        }

        StepBatch step() {
            return rows(1);
        }

        int position(int s) {
            return texts[s].length - 1;
        }

        Sampling sampling(int s) {
            return new Sampling(100, new float[] {0, 0.7f, 1}[s % 3], 0, 1, 0, 1, List.of(), true, 5);
        }

        RowNoise noise(int s) {
            return new RowNoise(5, RowKey.of(texts[s]));
        }

        TokenChooser.Draws draws() {
            int size = texts.length;
            TokenChooser.Draws draws = new TokenChooser.Draws(
                    new float[size],
                    new int[size],
                    new int[size],
                    new int[size],
                    new int[size],
                    RowNoise.Purpose.TOKEN.ordinal());
            for (int s = 0; s < size; s++) {
                draws.temperatures()[s] = sampling(s).temperature();
                draws.positions()[s] = position(s) + 1;
                noise(s).key(draws, s);
            }
            return draws;
        }

        /** Some may go no further than two positions. */
        boolean limited(int s, int step) {
            return s % 4 == 3 && step > 2;
        }

        TokenProposer.Chain chain(int rows, int steps) {
            int[] last = IntStream.range(0, texts.length)
                    .map(s -> position(s) + (s % 4 == 3 ? 2 : steps - 1))
                    .toArray();
            return new TokenProposer.Chain(rows(rows), last, steps, draws());
        }

        int[][] serial(LanguageModel model, KvCache cache, TokenChooser chooser, int steps) {
            int[][] out = new int[texts.length][steps];
            for (int s = 0; s < texts.length; s++) {
                int token = texts[s][position(s)];
                TokenChooser.Draws draws = new TokenChooser.Draws(
                        new float[] {sampling(s).temperature()},
                        new int[1],
                        new int[1],
                        new int[1],
                        new int[1],
                        RowNoise.Purpose.TOKEN.ordinal());
                noise(s).key(draws, 0);
                for (int i = 0; i < steps; i++) {
                    int position = position(s) + i;
                    Tensor hidden = model.forward(
                            new StepBatch(
                                    new int[] {token}, new int[] {position}, new int[] {0, 1}, new int[][] {pages[s]}),
                            cache);
                    draws.positions()[0] = position + 1;
                    try (LateAnswers answers = chooser.choose(hidden, model.head(), draws, 0)) {
                        answers.await();
                        token = answers.token(0);
                    }
                    out[s][i] = token;
                }
            }
            return out;
        }
    }

    private static boolean texts(
            Path target, Path draft, String device, List<int[]> prompts, int output, int multiprocessors) {
        Map<Float, List<String>> plain = new LinkedHashMap<>();
        EngineSpec spec =
                new EngineSpec(target, device, 4, new EngineOptions(32, 2048, PAGE_TOKENS, 512L << 20, 1 << 24));
        float[] temperatures = {0, 0.7f, 1};
        try (SharedEngine shared = Engines.acquire(spec)) {
            for (float temperature : temperatures) {
                plain.put(temperature, generate(shared, prompts, temperature, output));
            }
        }
        Engines.closeIdle();
        int wrong = 0;
        int texts = 0;
        int ways = 0;
        for (EngineSpec way : ways(spec, draft, multiprocessors)) {
            try (SharedEngine shared = Engines.acquire(way)) {
                int different = 0;
                for (float temperature : temperatures) {
                    List<int[]> some = prompts.subList(0, way.options().maxSequences() == 1 ? 4 : prompts.size());
                    List<String> made = generate(shared, some, temperature, output);
                    for (int i = 0; i < made.size(); i++) {
                        texts++;
                        different += made.get(i).equals(plain.get(temperature).get(i)) ? 0 : 1;
                    }
                }
                SpeculationMetrics metrics = shared.engine().speculation();
                System.out.printf(
                        Locale.ROOT,
                        "{\"way\":\"%s\",\"batch\":%d,\"different\":%d,\"rounds\":%d,\"accepted\":%.3f,\"hits\":%.3f}%n",
                        name(way),
                        way.options().maxSequences(),
                        different,
                        metrics.rounds(),
                        metrics.acceptedShare(),
                        metrics.hitRate());
                wrong += different;
                ways++;
            }
            Engines.closeIdle();
        }
        System.out.printf(
                Locale.ROOT,
                "{\"bench\":\"ssd-identical\",\"ways\":%d,\"texts\":%d,\"different\":%d}%n",
                ways,
                texts,
                wrong);
        return wrong == 0;
    }

    static String name(EngineSpec spec) {
        Speculation of = spec.speculation();
        String where = spec.draft()
                .map(draft -> draft.device() + " on " + draft.multiprocessors())
                .orElse("none");
        return "%s %s K=%d F=%d draft %s".formatted(of.strategy(), of.drafter(), of.tokens(), of.fanOut(), where);
    }

    private static List<EngineSpec> ways(EngineSpec spec, Path draft, int multiprocessors) {
        List<EngineSpec> ways = new ArrayList<>();
        for (int batch : new int[] {1, 4, 32}) {
            EngineOptions options = new EngineOptions(batch, 512, PAGE_TOKENS, 128L << 20, 1 << 24);
            EngineSpec of = new EngineSpec(spec.model(), spec.device(), 4, options);
            for (Speculation.Drafting drafter : Speculation.Drafting.values()) {
                Speculation speculative = Speculation.of(Speculation.Strategy.SPECULATIVE, drafter)
                        .pace(Speculation.Pace.ALWAYS);
                ways.add(speculative.needsDraftModel() ? of.with(speculative, draft) : of.with(speculative));
            }
            for (int fanOut : new int[] {0, 1, 3, 8}) {
                Speculation ssd = Speculation.of(
                                Speculation.Strategy.SSD,
                                fanOut == 3 ? Speculation.Drafting.BOTH : Speculation.Drafting.MODEL)
                        .fanOut(fanOut, fanOut == 1 ? Speculation.Spread.UNIFORM : Speculation.Spread.GEOMETRIC)
                        .pace(Speculation.Pace.ALWAYS);
                ways.add(of.with(ssd, new DraftSpec(draft, "", fanOut == 8 ? multiprocessors : 0)));
            }
        }
        return ways;
    }

    static List<String> generate(SharedEngine shared, List<int[]> prompts, float temperature, int output) {
        List<CompletableFuture<Generation>> futures = new ArrayList<>();
        for (int[] prompt : prompts) {
            Sampling sampling = new Sampling(output, temperature, 0, 1, 0, 1, List.of(), true, 11);
            futures.add(shared.engine().generate(new GenerationRequest(RowKey.of(prompt), prompt, sampling)));
        }
        return futures.stream()
                .map(future -> Arrays.toString(future.join().tokens()))
                .toList();
    }

    static ObjectNode object() {
        return JSON.createObjectNode();
    }
}
