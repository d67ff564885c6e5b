package dev.paloverde.gpu.vision;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.gpu.image.ImageFile;
import dev.paloverde.gpu.image.ImageLimits;
import dev.paloverde.gpu.image.Picture;
import dev.paloverde.gpu.kernels.Devices;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.model.LateLatents;
import dev.paloverde.gpu.model.VisionDirectory;
import dev.paloverde.gpu.model.VisionModel;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;

/**
 * Runs a vision model as {@code bench/h200/vision.py} asks for, on whatever device. Prints JSON, one object a line, and exits
 * with 1 where something is not as it has to be. Several such lines may be given at once, with "--" between them.
 *
 * <pre>
 * latents MODEL DEVICE IMAGES OUT       fp32 little-endian, [images, tokens, width], of the files of a folder by name
 * invariance MODEL DEVICE COUNT         the same images in steps of other sizes: the same bits?
 * speed MODEL DEVICE STEPS REPEATS      images per second: of the engine, from pictures on the host to latents on the host, and
 *                                       of the model, which copies latents to the host where nobody takes them
 * pipeline MODEL DEVICE STEP IMAGES     images per second through the engine, from encoded files, by a thread for each processor
 * decode MODEL DEVICE STEP IMAGES       what of that the threads do: files decoded, resized and cut, per second, by one thread
 * </pre>
 */
public final class VisionProbe {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int ROUNDS = 3;

    private VisionProbe() {}

    /** See the class. */
    public static void main(String[] arguments) throws Exception {
        boolean right = true;
        int from = 0;
        for (int to = 0; to <= arguments.length; to++) {
            if (to == arguments.length || arguments[to].equals("--")) {
                right &= run(Arrays.copyOfRange(arguments, from, to));
                from = to + 1;
            }
        }
        VisionEngines.closeIdle();
        System.exit(right ? 0 : 1);
    }

    private static boolean run(String[] arguments) throws Exception {
        Path model = Path.of(arguments[1]);
        String device = arguments[2];
        return switch (arguments[0]) {
            case "latents" -> latents(model, device, Path.of(arguments[3]), Path.of(arguments[4]));
            case "invariance" -> invariance(model, device, Integer.parseInt(arguments[3]));
            case "speed" ->
                speed(
                        model,
                        device,
                        Stream.of(arguments[3].split(",")).map(Integer::valueOf).toList(),
                        Integer.parseInt(arguments[4]));
            case "pipeline" -> pipeline(model, device, Integer.parseInt(arguments[3]), Path.of(arguments[4]));
            case "decode" -> decode(model, device, Path.of(arguments[4]));
            default -> throw new IllegalArgumentException("what is " + arguments[0]);
        };
    }

    private static boolean latents(Path folder, String device, Path images, Path out) throws IOException {
        try (Kernels kernels = Devices.open(device, 2);
                VisionModel model = VisionDirectory.open(folder).load(kernels, VisionModel.Latents.HIDDEN);
                DataOutputStream file =
                        new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(out), 1 << 20))) {
            model.reserve(3);
            List<Picture> pictures = new ArrayList<>();
            for (byte[] bytes : files(images)) {
                pictures.add(model.prepare(
                        ImageFile.open(bytes, ImageLimits.STANDARD).decode()));
            }
            for (int first = 0; first < pictures.size(); first += 3) {
                for (float[] numbers : encode(model, pictures.subList(first, Math.min(pictures.size(), first + 3)))) {
                    ByteBuffer raw = ByteBuffer.allocate(4 * numbers.length).order(ByteOrder.LITTLE_ENDIAN);
                    raw.asFloatBuffer().put(numbers);
                    file.write(raw.array());
                }
            }
        }
        return true;
    }

    private static boolean invariance(Path folder, String device, int count) {
        int different = 0;
        int[] steps = {1, 2, 7, 16};
        try (Kernels kernels = Devices.open(device, 2);
                VisionModel model = VisionDirectory.open(folder).load(kernels, VisionModel.Latents.NORMALIZED)) {
            List<Picture> pictures = random(model, count);
            List<float[]> expected = null;
            for (int step : steps) {
                model.reserve(step);
                List<float[]> found = new ArrayList<>();
                for (int first = 0; first < count; first += step) {
                    found.addAll(encode(model, pictures.subList(first, Math.min(count, first + step))));
                }
                for (int i = 0; expected != null && i < count; i++) {
                    different += Arrays.equals(found.get(i), expected.get(i)) ? 0 : 1;
                }
                expected = expected == null ? found : expected;
            }
        }
        print(Map.of("bench", "vision-invariance", "images", count, "ways", steps.length, "different", different));
        return different == 0;
    }

    private static List<float[]> encode(VisionModel model, List<Picture> pictures) {
        List<float[]> all = new ArrayList<>();
        try (LateLatents latents = model.encode(pictures)) {
            latents.await();
            for (int image = 0; image < pictures.size(); image++) {
                float[] numbers = new float[model.tokens() * model.width()];
                if (!latents.read(image, numbers)) {
                    throw new IllegalStateException("latents that are not numbers");
                }
                all.add(numbers);
            }
        }
        return all;
    }

    private static boolean speed(Path folder, String device, List<Integer> steps, int repeats) throws Exception {
        List<Picture> pictures;
        try (Kernels kernels = Devices.open(device, 2);
                VisionModel model = VisionDirectory.open(folder).load(kernels, VisionModel.Latents.NORMALIZED)) {
            int most = Collections.max(steps);
            model.reserve(most);
            pictures = random(model, most);
            for (int step : steps) {
                int rounds = Math.max(repeats, 256 / step);
                run(model, pictures.subList(0, step), rounds);
                double seconds = run(model, pictures.subList(0, step), rounds);
                print(Map.of("step", step, "of", "model", "images_per_second", step * rounds / seconds));
            }
        }
        for (int step : steps) {
            VisionSpec spec = new VisionSpec(folder, device, 2, step, VisionModel.Latents.NORMALIZED);
            try (VisionEngines.Held held = VisionEngines.acquire(spec, "")) {
                int count = step * Math.max(4 * repeats, 512 / step);
                run(held.engine(), pictures.subList(0, step), count / 2);
                for (int round = 0; round < ROUNDS; round++) {
                    double seconds = run(held.engine(), pictures.subList(0, step), count);
                    print(Map.of("step", step, "of", "engine", "images_per_second", count / seconds));
                }
            }
            if (step != steps.get(steps.size() - 1)) {
                VisionEngines.closeIdle();
            }
        }
        return true;
    }

    /** {@return seconds of so many images, of which eight steps' latents are kept} */
    private static double run(VisionEngine engine, List<Picture> pictures, int count) {
        Deque<CompletableFuture<float[]>> answers = new ArrayDeque<>();
        long began = System.nanoTime();
        for (int i = 0; i < count; i++) {
            answers.add(engine.encode(pictures.get(i % pictures.size())));
            if (answers.size() > 8 * pictures.size()) {
                answers.remove().join();
            }
        }
        answers.forEach(CompletableFuture::join);
        return (System.nanoTime() - began) / 1e9;
    }

    /** {@return seconds of so many steps, two on their way at a time} */
    private static double run(VisionModel model, List<Picture> pictures, int rounds) {
        Deque<LateLatents> onTheWay = new ArrayDeque<>();
        long began = System.nanoTime();
        for (int round = 0; round < rounds; round++) {
            onTheWay.add(model.encode(pictures));
            if (onTheWay.size() == 2) {
                onTheWay.remove().close();
            }
        }
        onTheWay.forEach(LateLatents::close);
        return (System.nanoTime() - began) / 1e9;
    }

    private static boolean pipeline(Path folder, String device, int step, Path images) throws Exception {
        List<byte[]> files = files(images);
        VisionSpec spec = new VisionSpec(folder, device, 2, step, VisionModel.Latents.NORMALIZED);
        int threads = Runtime.getRuntime().availableProcessors();
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try (VisionEngines.Held held = VisionEngines.acquire(spec, "")) {
            VisionEngine engine = held.engine();
            for (int round = 0; round < ROUNDS; round++) {
                long began = System.nanoTime();
                List<Future<Integer>> counts = new ArrayList<>();
                for (int t = 0; t < threads; t++) {
                    int own = t;
                    counts.add(pool.submit(() -> {
                        Deque<CompletableFuture<float[]>> answers = new ArrayDeque<>();
                        int count = 0;
                        for (int i = own; i < files.size(); i += threads) {
                            answers.add(engine.encode(ImageFile.open(files.get(i), ImageLimits.STANDARD)
                                    .decode()));
                            if (answers.size() > 4 * step / threads + 1) {
                                count += answers.remove().join().length;
                            }
                        }
                        for (CompletableFuture<float[]> answer : answers) {
                            count += answer.join().length;
                        }
                        return count / (engine.tokens() * engine.width());
                    }));
                }
                int answered = 0;
                for (Future<Integer> count : counts) {
                    // whatever an image failed with ends this program
                    answered += count.get();
                }
                double seconds = (System.nanoTime() - began) / 1e9;
                if (answered != files.size()) {
                    throw new IllegalStateException(answered + " of " + files.size() + " images have latents");
                }
                print(Map.of(
                        "step",
                        step,
                        "threads",
                        threads,
                        "images",
                        answered,
                        "seconds",
                        seconds,
                        "images_per_second",
                        answered / seconds));
            }
        } finally {
            pool.shutdownNow();
        }
        return true;
    }

    private static boolean decode(Path folder, String device, Path images) throws Exception {
        List<byte[]> files = files(images);
        try (Kernels kernels = Devices.open(device, 1);
                VisionModel model = VisionDirectory.open(folder).load(kernels, VisionModel.Latents.NORMALIZED)) {
            for (int round = 0; round < ROUNDS; round++) {
                List<Picture> pictures = new ArrayList<>();
                long began = System.nanoTime();
                for (byte[] file : files) {
                    pictures.add(ImageFile.open(file, ImageLimits.STANDARD).decode());
                }
                long decoded = System.nanoTime();
                pictures.forEach(model::prepare);
                long prepared = System.nanoTime();
                print(Map.of(
                        "decoded_per_second",
                        files.size() * 1e9 / (decoded - began),
                        "prepared_per_second",
                        files.size() * 1e9 / (prepared - decoded)));
            }
        }
        return true;
    }

    private static List<Picture> random(VisionModel model, int count) {
        Random random = new Random(5);
        List<Picture> pictures = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            byte[] rgb = new byte[3 * 300 * 260];
            random.nextBytes(rgb);
            pictures.add(model.prepare(new Picture(300, 260, rgb)));
        }
        return pictures;
    }

    private static List<byte[]> files(Path folder) throws IOException {
        try (Stream<Path> paths = Files.list(folder)) {
            List<byte[]> files = new ArrayList<>();
            for (Path path : paths.sorted().toList()) {
                files.add(Files.readAllBytes(path));
            }
            return files;
        }
    }

    private static void print(Map<String, ?> row) {
        try {
            System.out.println(JSON.writeValueAsString(row));
        } catch (IOException e) {
            throw new IllegalStateException(String.format(Locale.ROOT, "cannot print %s", row), e);
        }
    }
}
