package dev.paloverde.gpu.vision;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.gpu.image.ImageFile;
import dev.paloverde.gpu.image.ImageLimits;
import dev.paloverde.gpu.image.Picture;
import dev.paloverde.gpu.kernels.Devices;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.model.VisionDirectory;
import dev.paloverde.gpu.model.VisionModel;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;

/**
 * Runs a vision model as {@code bench/h200/vision.py} asks for, on whatever device. Prints JSON, one object a line, and exits
 * with 1 where something is not as it has to be.
 *
 * <pre>
 * latents MODEL DEVICE IMAGES OUT       fp32 little-endian, [images, tokens, width], of the files of a folder by name
 * invariance MODEL DEVICE COUNT         the same images in steps of other sizes: the same bits?
 * speed MODEL DEVICE STEP REPEATS       images per second of encoding prepared images, latents to the host included
 * pipeline MODEL DEVICE STEP IMAGES     images per second through the engine, from encoded files, by 12 threads
 * </pre>
 */
public final class VisionProbe {
    private static final ObjectMapper JSON = new ObjectMapper();

    private VisionProbe() {}

    /** See the class. */
    public static void main(String[] arguments) throws Exception {
        Path model = Path.of(arguments[1]);
        String device = arguments[2];
        boolean right = switch (arguments[0]) {
            case "latents" -> latents(model, device, Path.of(arguments[3]), Path.of(arguments[4]));
            case "invariance" -> invariance(model, device, Integer.parseInt(arguments[3]));
            case "speed" -> speed(model, device, Integer.parseInt(arguments[3]), Integer.parseInt(arguments[4]));
            case "pipeline" -> pipeline(model, device, Integer.parseInt(arguments[3]), Path.of(arguments[4]));
            default -> throw new IllegalArgumentException("what is " + arguments[0]);
        };
        VisionEngines.closeIdle();
        System.exit(right ? 0 : 1);
    }

    private static boolean latents(Path folder, String device, Path images, Path out) throws IOException {
        try (Kernels kernels = Devices.open(device, 2);
                VisionModel model = VisionDirectory.open(folder).load(kernels, VisionModel.Latents.HIDDEN);
                DataOutputStream file =
                        new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(out), 1 << 20))) {
            model.reserve(3);
            List<float[]> pixels = new ArrayList<>();
            for (byte[] bytes : files(images)) {
                pixels.add(model.prepare(
                        ImageFile.open(bytes, ImageLimits.STANDARD).decode()));
            }
            for (int first = 0; first < pixels.size(); first += 3) {
                for (float[] numbers : model.encode(pixels.subList(first, Math.min(pixels.size(), first + 3)))) {
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
            List<float[]> pixels = random(model, count);
            List<float[]> expected = null;
            for (int step : steps) {
                model.reserve(step);
                List<float[]> found = new ArrayList<>();
                for (int first = 0; first < count; first += step) {
                    found.addAll(model.encode(pixels.subList(first, Math.min(count, first + step))));
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

    private static boolean speed(Path folder, String device, int step, int repeats) {
        try (Kernels kernels = Devices.open(device, Runtime.getRuntime().availableProcessors());
                VisionModel model = VisionDirectory.open(folder).load(kernels, VisionModel.Latents.NORMALIZED)) {
            model.reserve(step);
            List<float[]> pixels = random(model, step);
            for (int i = 0; i < 3; i++) {
                model.encode(pixels);
            }
            for (int i = 0; i < repeats; i++) {
                long begin = System.nanoTime();
                model.encode(pixels);
                double seconds = (System.nanoTime() - begin) / 1e9;
                print(Map.of("step", step, "seconds", seconds, "images_per_second", step / seconds));
            }
        }
        return true;
    }

    private static boolean pipeline(Path folder, String device, int step, Path images) throws Exception {
        List<byte[]> files = files(images);
        VisionSpec spec = new VisionSpec(folder, device, 2, step, VisionModel.Latents.NORMALIZED);
        try (VisionEngines.Held held = VisionEngines.acquire(spec, "")) {
            for (int round = 0; round < 3; round++) {
                long begin = System.nanoTime();
                List<Thread> threads = new ArrayList<>();
                for (int t = 0; t < 12; t++) {
                    int own = t;
                    Thread thread = new Thread(() -> {
                        List<CompletableFuture<float[]>> answers = new ArrayList<>();
                        for (int i = own; i < files.size(); i += 12) {
                            answers.add(held.engine()
                                    .encode(ImageFile.open(files.get(i), ImageLimits.STANDARD)
                                            .decode()));
                        }
                        answers.forEach(CompletableFuture::join);
                    });
                    thread.start();
                    threads.add(thread);
                }
                for (Thread thread : threads) {
                    thread.join();
                }
                double seconds = (System.nanoTime() - begin) / 1e9;
                print(Map.of("step", step, "seconds", seconds, "images_per_second", files.size() / seconds));
            }
        }
        return true;
    }

    private static List<float[]> random(VisionModel model, int count) {
        Random random = new Random(5);
        List<float[]> pixels = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            byte[] rgb = new byte[3 * 300 * 260];
            random.nextBytes(rgb);
            pixels.add(model.prepare(new Picture(300, 260, rgb)));
        }
        return pixels;
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
