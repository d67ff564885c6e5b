package dev.paloverde.gpu.decode;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.gpu.kernels.Devices;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.kernels.KvCache;
import dev.paloverde.gpu.kernels.Quantization;
import dev.paloverde.gpu.kernels.RankedRows;
import dev.paloverde.gpu.kernels.StepBatch;
import dev.paloverde.gpu.kernels.Tensor;
import dev.paloverde.gpu.kernels.TokenChooser;
import dev.paloverde.gpu.kernels.TokenRanker;
import dev.paloverde.gpu.model.LanguageModel;
import dev.paloverde.gpu.model.ModelDirectory;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * Runs an engine as the programs of {@code bench/h200} ask for, on whatever device. Prints JSON, one object a line, and
 * exits with 1 where something is not as it has to be.
 *
 * <pre>
 * logits MODEL DEVICE PROMPTS.json OUT     fp32 little-endian, [positions of all prompts, vocabulary]
 * greedy MODEL DEVICE PROMPTS.json COUNT   tokens that greedy decoding appends to each prompt
 * invariance MODEL DEVICE ROWS             the same requests in other company: the same bits?
 * memory MODEL DEVICE                      memory that the model takes on its device, and how long it takes to get there
 * perplexity MODEL DEVICE TEXTS.jsonl...   tokens of the texts, and nats they cost
 * speed MODEL DEVICE SEQUENCES PROMPT OUTPUT REPEATS   tokens per second of generating; SEQUENCES may be several, as 1,64
 * scoring MODEL DEVICE ROWS TOKENS REPEATS             tokens per second of scoring
 * texts MODEL DEVICE TEXTS.jsonl generate|score TOKENS tokens per second of whole texts, tokenized before; generating TOKENS
 * load MODEL DEVICE REPEATS                            bytes of weights per second of loading
 * ranks MODEL DEVICE PROMPTS.json                      ranked rows against plain sorting of the device's logits
 * soak MODEL DEVICE SECONDS                            many short jobs: memory stays as it is, results too
 * </pre>
 *
 * A DEVICE with {@code +fp8} after it has its weights quantized.
 */
public final class EngineProbe {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int PAGE_TOKENS = 16;
    private static final String QUANTIZED = "+fp8";

    private static Quantization quantization = Quantization.NONE;

    private EngineProbe() {}

    /** See the class. */
    public static void main(String[] arguments) throws IOException {
        Path model = Path.of(arguments[1]);
        boolean quantized = arguments[2].endsWith(QUANTIZED);
        String device =
                quantized ? arguments[2].substring(0, arguments[2].length() - QUANTIZED.length()) : arguments[2];
        quantization = quantized ? Quantization.FP8 : Quantization.NONE;
        boolean right = switch (arguments[0]) {
            case "logits" -> logits(model, device, prompts(arguments[3]), Path.of(arguments[4]));
            case "greedy" -> greedy(model, device, prompts(arguments[3]), Integer.parseInt(arguments[4]));
            case "invariance" -> invariance(model, device, Integer.parseInt(arguments[3]));
            case "memory" -> memory(model, device);
            case "perplexity" ->
                perplexity(model, device, Arrays.asList(arguments).subList(3, arguments.length));
            case "speed" ->
                speed(
                        model,
                        device,
                        Arrays.stream(arguments[3].split(","))
                                .mapToInt(Integer::parseInt)
                                .toArray(),
                        integers(arguments, 4));
            case "scoring" -> scoring(model, device, integers(arguments, 3));
            case "texts" -> texts(model, device, Path.of(arguments[3]), arguments[4], Integer.parseInt(arguments[5]));
            case "load" -> load(model, device, Integer.parseInt(arguments[3]));
            case "ranks" -> ranks(model, device, prompts(arguments[3]));
            case "soak" -> EngineSoak.run(model, device, Integer.parseInt(arguments[3]));
            default -> throw new IllegalArgumentException("what is " + arguments[0]);
        };
        Engines.closeIdle();
        System.exit(right ? 0 : 1);
    }

    private static int[] integers(String[] arguments, int from) {
        return Arrays.stream(arguments).skip(from).mapToInt(Integer::parseInt).toArray();
    }

    private static List<int[]> prompts(String file) throws IOException {
        JsonNode lists = JSON.readTree(Path.of(file).toFile());
        return StreamSupport.stream(lists.spliterator(), false)
                .map(list -> StreamSupport.stream(list.spliterator(), false)
                        .mapToInt(JsonNode::intValue)
                        .toArray())
                .toList();
    }

    private static boolean logits(Path folder, String device, List<int[]> prompts, Path out) throws IOException {
        int longest = prompts.stream().mapToInt(prompt -> prompt.length).max().orElse(1);
        int[] pages = IntStream.range(0, longest / PAGE_TOKENS + 1)
                .map(page -> longest / PAGE_TOKENS - page)
                .toArray();
        try (ModelDirectory directory = ModelDirectory.open(folder);
                Kernels kernels = Devices.open(device, 2);
                LanguageModel model = directory.load(kernels, quantization);
                KvCache cache = kernels.cache(model.kvLayout(PAGE_TOKENS), pages.length);
                OutputStream stream = Files.newOutputStream(out);
                DataOutputStream file = new DataOutputStream(new java.io.BufferedOutputStream(stream, 1 << 20))) {
            model.reserve(longest);
            for (int[] prompt : prompts) {
                int[] positions = IntStream.range(0, prompt.length).toArray();
                Tensor hidden = model.forward(
                        new StepBatch(prompt, positions, new int[] {0, prompt.length}, new int[][] {pages}), cache);
                float[] numbers = new float[prompt.length * model.vocabulary()];
                kernels.logits(hidden, model.head(), numbers);
                ByteBuffer bytes = ByteBuffer.allocate(4 * numbers.length).order(ByteOrder.LITTLE_ENDIAN);
                bytes.asFloatBuffer().put(numbers);
                file.write(bytes.array());
            }
        }
        return true;
    }

    private static boolean greedy(Path folder, String device, List<int[]> prompts, int count) throws IOException {
        EngineSpec spec = spec(folder, device, 2, new EngineOptions(64, 2048, 16, 256L << 20, 1 << 24));
        try (SharedEngine shared = Engines.acquire(spec)) {
            List<CompletableFuture<Generation>> futures = prompts.stream()
                    .map(prompt -> shared.engine()
                            .generate(new GenerationRequest(RowKey.of(prompt), prompt, Sampling.greedy(count))))
                    .toList();
            for (CompletableFuture<Generation> future : futures) {
                System.out.println(JSON.writeValueAsString(future.join().tokens()));
            }
        }
        return true;
    }

    private static boolean invariance(Path folder, String device, int rows) throws IOException {
        List<EngineOptions> ways = List.of(
                new EngineOptions(64, 8192, 16, 512L << 20, 1 << 24),
                new EngineOptions(1, 64, 16, 64L << 20, 1 << 24),
                new EngineOptions(3, 77, 32, 64L << 20, 1 << 24),
                new EngineOptions(17, 1000, 64, 64L << 20, 1 << 24),
                new EngineOptions(256, 2048, 16, 1L << 30, 1 << 24));
        List<List<String>> results = new ArrayList<>();
        for (EngineOptions options : ways) {
            try (SharedEngine shared = Engines.acquire(spec(folder, device, 2, options))) {
                results.add(answers(shared, rows));
            }
            Engines.closeIdle();
        }
        int different = 0;
        String example = "";
        for (List<String> other : results) {
            for (int i = 0; i < other.size(); i++) {
                if (!other.get(i).equals(results.get(0).get(i))) {
                    different++;
                    example = "request " + i + ": " + results.get(0).get(i) + " became " + other.get(i);
                }
            }
        }
        System.out.printf(
                Locale.ROOT,
                "{\"bench\":\"engine-invariance\",\"ways\":%d,\"answers\":%d,\"different\":%d}%n",
                ways.size(),
                results.get(0).size(),
                different);
        if (different > 0) {
            System.out.println(example.substring(0, Math.min(2000, example.length())));
        }
        return different == 0;
    }

    private static List<String> answers(SharedEngine shared, int rows) {
        Random random = new Random(3);
        int vocabulary = shared.directory().configuration().vocabulary();
        List<CompletableFuture<String>> futures = new ArrayList<>();
        for (int row = 0; row < rows; row++) {
            int[] tokens = random.ints(2 + random.nextInt(row % 8 == 0 ? 900 : 150), 0, vocabulary)
                    .toArray();
            float temperature = new float[] {0, 0.7f, 1}[row % 3];
            Sampling sampling = new Sampling(
                    1 + random.nextInt(40), temperature, row % 5 == 4 ? 20 : 0, 1, 0, 1, List.of(), true, 7);
            futures.add(shared.engine()
                    .generate(new GenerationRequest(RowKey.of(tokens), tokens, sampling))
                    .thenApply(made -> Arrays.toString(made.tokens()) + " " + (row(made.logProbability(), sampling))));
            futures.add(shared.engine()
                    .score(new ScoringRequest(tokens, 512, 256))
                    .thenApply(scores -> Arrays.toString(scores.logProbabilities()) + scores.greedy()));
        }
        return futures.stream().map(CompletableFuture::join).toList();
    }

    private static String row(double logProbability, Sampling sampling) {
        return sampling.maxTokens() + ": " + logProbability;
    }

    private static EngineSpec spec(Path folder, String device, int threads, EngineOptions options) {
        return new EngineSpec(folder, device, threads, options).with(quantization);
    }

    private static boolean memory(Path folder, String device) {
        try (ModelDirectory directory = ModelDirectory.open(folder);
                Kernels kernels = Devices.open(device, 2)) {
            long before = kernels.availableBytes();
            long begin = System.nanoTime();
            try (LanguageModel model = directory.load(kernels, quantization)) {
                model.reserve(1); // queued behind the weights
                long after = kernels.availableBytes();
                System.out.printf(
                        Locale.ROOT,
                        "{\"bench\":\"memory\",\"bytes\":%d,\"expected\":%d,\"files\":%d,\"seconds\":%.3f}%n",
                        before - after,
                        directory.weightBytes(kernels, quantization),
                        directory.weightBytes(),
                        (System.nanoTime() - begin) / 1e9);
            }
        }
        return true;
    }

    private static boolean perplexity(Path folder, String device, List<String> files) throws IOException {
        try (SharedEngine shared = Engines.acquire(spec(folder, device, 4, EngineOptions.defaults()))) {
            int context = shared.engine().context();
            long tokens = 0;
            List<CompletableFuture<Scoring>> scores = new ArrayList<>();
            for (String file : files) {
                for (String line : Files.readAllLines(Path.of(file))) {
                    String text = JSON.readTree(line).get("text").textValue();
                    int[] ids = IntStream.concat(
                                    IntStream.of(shared.tokenizer().prefix()),
                                    IntStream.of(shared.tokenizer().encode(text)))
                            .toArray();
                    if (ids.length > 1) {
                        tokens += ids.length - 1;
                        scores.add(shared.engine().score(new ScoringRequest(ids, context, context / 2)));
                    }
                }
            }
            double nats =
                    -scores.stream().mapToDouble(score -> score.join().sum()).sum();
            System.out.printf(
                    Locale.ROOT,
                    "{\"bench\":\"perplexity\",\"tokens\":%d,\"nats_per_token\":%.8f,\"perplexity\":%.8f}%n",
                    tokens,
                    nats / tokens,
                    Math.exp(nats / tokens));
        }
        return true;
    }

    private static boolean speed(Path folder, String device, int[] batches, int[] sizes) throws IOException {
        int most = Arrays.stream(batches).max().orElseThrow();
        int prompt = sizes[0];
        int output = sizes[1];
        EngineOptions options = new EngineOptions(
                most,
                Math.max(512, Math.min(8192, most * prompt)),
                64,
                kvBytes(folder, most, prompt + output),
                1L << 30);
        try (SharedEngine shared = Engines.acquire(spec(folder, device, 4, options))) {
            int vocabulary = shared.directory().configuration().vocabulary();
            for (int sequences : batches) {
                for (int repeat = 0; repeat <= sizes[2]; repeat++) {
                    List<int[]> prompts = random(repeat, sequences, prompt, vocabulary);
                    double first = time(shared, prompts, tokens -> generation(tokens, 1));
                    EngineMetrics before = shared.engine().metrics();
                    double whole = time(shared, prompts, tokens -> generation(tokens, output));
                    EngineMetrics after = shared.engine().metrics();
                    if (repeat > 0) {
                        System.out.printf(
                                Locale.ROOT,
                                "{\"bench\":\"decode\",\"case\":{\"batch\":%d,\"prompt\":%d,\"output\":%d},\"tokens_per_second\":%.1f,"
                                        + "\"with_prefill\":%.1f,\"prefill_seconds\":%.4f,\"seconds\":%.4f,\"steps\":%d,\"step_seconds\":%.4f}%n",
                                sequences,
                                prompt,
                                output,
                                sequences * (output - 1.0) / (whole - first),
                                sequences * (double) output / whole,
                                first,
                                whole,
                                after.steps() - before.steps(),
                                (after.stepNanos() - before.stepNanos()) / 1e9);
                    }
                }
            }
        }
        return true;
    }

    private static Function<Engine, CompletableFuture<?>> generation(int[] tokens, int count) {
        Sampling sampling = new Sampling(count, 0, 0, 1, 0, 1, List.of(), true, 0);
        return engine -> engine.generate(new GenerationRequest(RowKey.of(tokens), tokens, sampling));
    }

    private static boolean scoring(Path folder, String device, int[] sizes) throws IOException {
        int rows = sizes[0];
        int length = sizes[1];
        EngineOptions options =
                new EngineOptions(rows, 8192, 64, kvBytes(folder, Math.min(rows, 8192 / length + 2), length), 1L << 30);
        try (SharedEngine shared = Engines.acquire(spec(folder, device, 4, options))) {
            int vocabulary = shared.directory().configuration().vocabulary();
            for (int repeat = 0; repeat <= sizes[2]; repeat++) {
                List<int[]> texts = random(repeat, rows, length, vocabulary);
                double seconds = time(
                        shared,
                        texts,
                        tokens -> engine -> engine.score(new ScoringRequest(tokens, length, length / 2)));
                if (repeat > 0) {
                    System.out.printf(
                            Locale.ROOT,
                            "{\"bench\":\"score\",\"case\":{\"rows\":%d,\"tokens\":%d},\"tokens_per_second\":%.0f}%n",
                            rows,
                            length,
                            rows * (length - 1.0) / seconds);
                }
            }
        }
        return true;
    }

    private static boolean texts(Path folder, String device, Path file, String how, int count) throws IOException {
        List<String> texts = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            texts.add(JSON.readTree(line).get("text").textValue());
        }
        long began = System.nanoTime();
        try (SharedEngine shared = Engines.acquire(spec(folder, device, 8, EngineOptions.defaults()))) {
            List<int[]> rows = texts.stream()
                    .map(text -> shared.directory().tokenizer().encode(text))
                    .toList();
            Function<int[], Function<Engine, CompletableFuture<?>>> request = how.equals("generate")
                    ? tokens -> generation(tokens, count)
                    : tokens -> engine -> engine.score(
                            new ScoringRequest(tokens, shared.engine().context(), 1));
            // the first time, steps are recorded
            for (int repeat = 0; repeat < 2; repeat++) {
                EngineMetrics before = shared.engine().metrics();
                double seconds = time(shared, rows, request);
                EngineMetrics after = shared.engine().metrics();
                System.out.printf(
                        Locale.ROOT,
                        "{\"rows\":%d,\"tokens_in\":%d,\"tokens_out\":%d,\"seconds\":%.4f,\"step_seconds\":%.4f,"
                                + "\"since_begin\":%.4f}%n",
                        rows.size(),
                        rows.stream().mapToInt(tokens -> tokens.length).sum(),
                        after.decodeTokens() - before.decodeTokens(),
                        seconds,
                        (after.stepNanos() - before.stepNanos()) / 1e9,
                        (System.nanoTime() - began) / 1e9);
            }
        }
        return true;
    }

    private static boolean load(Path folder, String device, int repeats) throws IOException {
        long bytes = 0;
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.filter(path -> path.toString().endsWith(".safetensors"))
                    .toList()) {
                bytes += Files.size(file);
            }
        }
        for (int repeat = 0; repeat < repeats; repeat++) {
            try (Kernels kernels = Devices.open(device, 8);
                    ModelDirectory directory = ModelDirectory.open(folder)) {
                long begin = System.nanoTime();
                try (LanguageModel model = directory.load(kernels, quantization)) {
                    // used, a weight is there
                    try (Tensor row = kernels.residual(1, model.head().columns())) {
                        row.resize(1);
                        kernels.embed(model.head(), new int[] {0}, row);
                        row.read(0);
                    }
                    double seconds = (System.nanoTime() - begin) / 1e9;
                    System.out.printf(
                            Locale.ROOT,
                            "{\"bytes\":%d,\"seconds\":%.4f,\"gigabytes_per_second\":%.2f}%n",
                            bytes,
                            seconds,
                            bytes / seconds / 1e9);
                }
            }
        }
        return true;
    }

    private static boolean ranks(Path folder, String device, List<int[]> prompts) throws IOException {
        Random random = new Random(11);
        int longest = prompts.stream().mapToInt(prompt -> prompt.length).max().orElse(1);
        int[] pages = IntStream.rangeClosed(0, longest / PAGE_TOKENS).toArray();
        int rows = 0;
        int different = 0;
        try (ModelDirectory directory = ModelDirectory.open(folder);
                Kernels kernels = Devices.open(device, 2);
                LanguageModel model = directory.load(kernels);
                KvCache cache = kernels.cache(model.kvLayout(PAGE_TOKENS), pages.length)) {
            TokenRanker ranker = kernels.ranker().orElseThrow();
            model.reserve(longest);
            try (Tensor gathered = kernels.tensor(ranker.rows(), model.head().columns())) {
                for (int[] prompt : prompts) {
                    int[] positions = IntStream.range(0, prompt.length).toArray();
                    Tensor hidden = model.forward(
                            new StepBatch(prompt, positions, new int[] {0, prompt.length}, new int[][] {pages}), cache);
                    int count = Math.min(ranker.rows(), prompt.length);
                    gathered.resize(count);
                    kernels.gather(hidden, Arrays.copyOf(positions, count), gathered);
                    float[] logits = new float[count * model.vocabulary()];
                    kernels.logits(gathered, model.head(), logits);
                    TokenRanker.Asks asks = asks(random, count, model.vocabulary());
                    RankedRows ranked = ranker.rank(gathered, model.head(), asks);
                    PlainRanks plain = new PlainRanks(logits, model.vocabulary(), ranked.ranks(), asks);
                    for (int row = 0; row < count; row++) {
                        rows++;
                        different += same(ranked, plain, row) ? 0 : 1;
                    }
                }
            }
        }
        System.out.printf("{\"bench\":\"ranks\",\"rows\":%d,\"different\":%d}%n", rows, different);
        return different == 0;
    }

    private static TokenRanker.Asks asks(Random random, int count, int vocabulary) {
        TokenRanker.Asks asks = new TokenRanker.Asks(
                new TokenChooser.Draws(
                        new float[count],
                        new int[count],
                        random.ints(count).toArray(),
                        random.ints(count).toArray(),
                        random.ints(count).toArray(),
                        RowNoise.Purpose.TOKEN.ordinal()),
                new float[count],
                new int[count][],
                new boolean[count]);
        for (int row = 0; row < count; row++) {
            asks.draws().temperatures()[row] = random.nextInt(4) == 0 ? 0 : 0.1f + 2 * random.nextFloat();
            asks.draws().positions()[row] = random.nextInt(1000);
            asks.penalties()[row] = random.nextBoolean() ? 1 : 0.5f + random.nextFloat();
            asks.seen()[row] = asks.penalties()[row] == 1
                    ? new int[0]
                    : random.ints(random.nextInt(300), 0, vocabulary).distinct().toArray();
            asks.drawn()[row] = random.nextBoolean();
        }
        return asks;
    }

    /** Sums are of doubles in another order; all else is equal. */
    private static boolean same(RankedRows ranked, RankedRows plain, int row) {
        boolean same = ranked.lawful(row) == plain.lawful(row)
                && ranked.largest(row) == plain.largest(row)
                && Math.abs(ranked.sum(row) / plain.sum(row) - 1) < 1e-12
                && ranked.drawn(row) == plain.drawn(row);
        // with temperature 0 there is no mass
        same &= ranked.mass(row) == 0 || Math.abs(ranked.mass(row) / plain.mass(row) - 1) < 1e-12;
        for (int rank = 0; rank < ranked.ranks(); rank++) {
            same &= ranked.token(row, rank) == plain.token(row, rank)
                    && ranked.logit(row, rank) == plain.logit(row, rank)
                    && ranked.plainLogit(row, rank) == plain.plainLogit(row, rank);
        }
        return same;
    }

    private static List<int[]> random(int seed, int rows, int length, int vocabulary) {
        Random random = new Random(seed);
        return IntStream.range(0, rows)
                .mapToObj(row -> random.ints(length, 0, vocabulary).toArray())
                .toList();
    }

    private static double time(
            SharedEngine shared, List<int[]> rows, Function<int[], Function<Engine, CompletableFuture<?>>> request) {
        Engine engine = shared.engine();
        long begin = System.nanoTime();
        List<CompletableFuture<?>> futures = new ArrayList<>();
        for (int[] row : rows) {
            futures.add(request.apply(row).apply(engine));
        }
        futures.forEach(CompletableFuture::join);
        return (System.nanoTime() - begin) / 1e9;
    }

    private static long kvBytes(Path folder, int sequences, int tokens) throws IOException {
        try (ModelDirectory directory = ModelDirectory.open(folder)) {
            var shape = directory.configuration();
            long perToken = 4L * shape.layers() * shape.keyValueHeads() * shape.headWidth();
            return perToken * sequences * (tokens + 64L);
        }
    }
}
