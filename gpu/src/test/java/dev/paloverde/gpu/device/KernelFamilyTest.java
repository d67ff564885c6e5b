package dev.paloverde.gpu.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelFamilyTest {
    private static final Path SOURCES = Path.of("src").toAbsolutePath();
    private static final Pattern INCLUDE = Pattern.compile("^\\s*#\\s*include\\s*\"([^\"]*)\"", Pattern.MULTILINE);
    private static final Pattern KERNEL = Pattern.compile("extern \"C\" __global__ (?:void )?[^(]*?(\\w+)\\(const");

    /** A line of a families file. */
    private record Listed(String part, String family, List<String> targets) {
        Path directory() {
            return SOURCES.resolve(part).resolve("cuda");
        }
    }

    @Test
    void everyBinaryIsOfItsSources() throws IOException {
        List<String> stale = new ArrayList<>();
        for (Listed listed : listed()) {
            KernelFamily family = KernelFamily.read(listed.family());
            List<String> files = sources(listed.directory(), listed.family() + ".cu");
            String flags = family.flags() + " " + String.join(" ", listed.targets());
            if (!family.files().equals(files)
                    || !family.targets().equals(listed.targets())
                    || !family.digest().equals(digest(listed.directory(), files, flags))) {
                stale.add(listed.family());
            }
        }
        Path launch = SOURCES.resolve("main/c");
        try (var in = Natives.class.getResourceAsStream("linux-x86_64/launch.json")) {
            JsonNode recorded = new ObjectMapper().readTree(in);
            if (!recorded.path("digest")
                    .asText()
                    .equals(digest(
                            launch, List.of("launch.c"), recorded.path("flags").asText()))) {
                stale.add("launch");
            }
        }
        assertThat(stale)
                .as(
                        "families whose sources have changed since they were compiled; run bin/build-kernels where nvcc 13 is"
                                + " installed, and commit what it writes")
                .isEmpty();
    }

    @Test
    void noKernelHasAStackOrSpills() throws IOException {
        for (Listed listed : listed()) {
            KernelFamily family = KernelFamily.read(listed.family());
            assertThat(family.kernels()).as(listed.family()).isNotEmpty().allSatisfy(kernel -> {
                assertThat(kernel.stack()).isZero();
                assertThat(kernel.spill()).isZero();
                assertThat(kernel.registers()).isPositive();
            });
            for (String target : listed.targets()) {
                if (target.startsWith("sm_")) {
                    assertThat(family.kernels().stream()
                                    .filter(kernel -> kernel.target().equals(target))
                                    .map(KernelFamily.Facts::name)
                                    .sorted())
                            .as("kernels of %s for %s", listed.family(), target)
                            .isEqualTo(family.kernelNames());
                }
            }
            // the magic number of fat binaries (fatbinary_section.h)
            assertThat(Arrays.copyOf(family.binary(), 4)).containsExactly(0x50, 0xed, 0x55, 0xba);
        }
    }

    @Test
    void namesTheKernelsOfTheSource() throws IOException {
        String source = Files.readString(SOURCES.resolve("test/cuda/device_check.cu"));
        assertThat(KernelFamily.read("device_check").kernelNames())
                .isEqualTo(KERNEL.matcher(source)
                        .results()
                        .map(result -> result.group(1))
                        .sorted()
                        .toList());
    }

    @Test
    void everySourceOfKernelsIsListed() throws IOException {
        try (Stream<Path> files = Files.list(SOURCES.resolve("main/cuda"))) {
            assertThat(files.map(file -> file.getFileName().toString())
                            .filter(name -> name.endsWith(".cu"))
                            .map(name -> name.substring(0, name.length() - 3)))
                    .containsExactlyInAnyOrderElementsOf(listed().stream()
                            .filter(listed -> listed.part().equals("main"))
                            .map(Listed::family)
                            .toList());
        }
    }

    @Test
    void knowsWhatRunsWhere() {
        assertThat(family("sm_90a").runsOn(90)).isTrue();
        assertThat(family("sm_90a").runsOn(100)).isFalse();
        assertThat(family("sm_90a").runsOn(80)).isFalse();
        assertThat(family("sm_90a", "sm_100a").runsOn(100)).isTrue();
        assertThat(family("sm_90a", "compute_80").runsOn(89)).isTrue();
        assertThat(family("sm_90a", "compute_80").runsOn(120)).isTrue();
        assertThat(family("sm_90a", "compute_80").runsOn(75)).isFalse();
        assertThat(family("sm_80").runsOn(86)).isTrue();
        assertThat(family("sm_80").runsOn(90)).isFalse();
    }

    @Test
    void refusesAFamilyThatIsNotThere() {
        assertThatThrownBy(() -> KernelFamily.read("nope"))
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.ENGINE_FAILED))
                .hasMessageContainingAll("/dev/paloverde/gpu/cuda/nope.json", "bin/build-kernels");
    }

    /** The script itself, on a copy of the sources. */
    @Test
    void theBuildSeesWhatHasChanged(@TempDir Path copy) throws Exception {
        for (String part : List.of("bin", "gpu/src/main/cuda", "gpu/src/main/c", "gpu/src/test/cuda")) {
            copy(SOURCES.resolve("../..").resolve(part), copy.resolve(part));
        }
        for (String part : List.of("main", "test")) {
            copy(
                    SOURCES.resolve(part).resolve("resources/dev/paloverde/gpu"),
                    copy.resolve("gpu/src").resolve(part).resolve("resources/dev/paloverde/gpu"));
        }
        String script = copy.resolve("bin/build-kernels").toString();
        assertThat(Commands.run("bash", script, "--check")).isEqualTo(new Commands.Outcome(0, ""));

        Path header = copy.resolve("gpu/src/main/cuda/hopper.cuh"); // included by attention_forward
        Files.writeString(header, Files.readString(header) + "\n");
        Commands.Outcome changed = Commands.run("bash", script, "--check");
        assertThat(changed.status()).isEqualTo(1);
        assertThat(changed.output()).contains("stale: ", "attention_forward").doesNotContain("device_check");

        Path families = copy.resolve("gpu/src/test/cuda/families");
        Files.writeString(families, Files.readString(families).replace(" compute_80", ""));
        assertThat(Commands.run("bash", script, "--check").output()).contains("attention_forward", "device_check");

        assertThat(Commands.run("bash", script, "nope").output()).contains("there is no family nope");
    }

    @Test
    void theBuildRefusesAStack(@TempDir Path copy) throws Exception {
        assumeTrue(Commands.found("nvcc"), "needs nvcc");
        Path cuda = copy.resolve("gpu/src/main/cuda");
        copy(SOURCES.resolve("../../bin"), copy.resolve("bin"));
        copy(SOURCES.resolve("main/c"), copy.resolve("gpu/src/main/c"));
        Files.createDirectories(cuda);
        Files.writeString(cuda.resolve("families"), "fit sm_90a\nstacked sm_90a\n");
        String kernel = """
                struct Arguments { int *numbers; int count; };
                extern "C" __global__ void %s(const __grid_constant__ Arguments a) {
                    int held[64] = {0};
                    for (int i = 0; i < a.count; i++) held[%s] += i;
                    for (int i = 0; i < 64; i++) a.numbers[i] = held[i];
                }
                """;
        Files.writeString(cuda.resolve("fit.cu"), kernel.formatted("fit", "7"));
        Files.writeString(cuda.resolve("stacked.cu"), kernel.formatted("stacked", "a.numbers[i] & 63"));
        Commands.Outcome outcome =
                Commands.run("bash", copy.resolve("bin/build-kernels").toString());
        assertThat(outcome.status()).isEqualTo(1);
        assertThat(outcome.output()).contains("256 bytes stack frame", "stacked.cu is not fit for use");
        try (Stream<Path> made = Files.list(copy.resolve("gpu/src/main/resources/dev/paloverde/gpu/cuda"))) {
            assertThat(made.map(path -> path.getFileName().toString()))
                    .containsExactlyInAnyOrder("fit.fatbin", "fit.json");
        }
    }

    private static void copy(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                Path target = to.resolve(from.relativize(file).toString());
                if (Files.isDirectory(file)) {
                    Files.createDirectories(target);
                } else {
                    Files.copy(file, target);
                }
            }
        }
    }

    private static List<Listed> listed() throws IOException {
        List<Listed> all = new ArrayList<>();
        for (String part : List.of("main", "test")) {
            for (String line : Files.readAllLines(SOURCES.resolve(part).resolve("cuda/families"))) {
                if (!line.isBlank() && !line.startsWith("#")) {
                    List<String> words = List.of(line.strip().split("\\s+"));
                    all.add(new Listed(part, words.get(0), words.subList(1, words.size())));
                }
            }
        }
        return all;
    }

    private static List<String> sources(Path directory, String source) throws IOException {
        TreeSet<String> seen = new TreeSet<>();
        Deque<String> queue = new ArrayDeque<>(List.of(source));
        while (!queue.isEmpty()) {
            String file = queue.remove();
            if (Files.exists(directory.resolve(file)) && seen.add(file)) {
                Matcher include = INCLUDE.matcher(Files.readString(directory.resolve(file)));
                include.results().forEach(result -> queue.add(result.group(1)));
            }
        }
        return List.copyOf(seen);
    }

    /** As bin/build-kernels has it: SHA-256 over a line for each file, as sha256sum prints it, and the flags. */
    private static String digest(Path directory, List<String> files, String flags) throws IOException {
        StringBuilder lines = new StringBuilder();
        for (String file : files) {
            lines.append(sha256(Files.readAllBytes(directory.resolve(file))))
                    .append("  ")
                    .append(file)
                    .append('\n');
        }
        return sha256(lines.append(flags).append('\n').toString().getBytes(StandardCharsets.UTF_8));
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    private static KernelFamily family(String... targets) {
        return new KernelFamily("made-up", "", List.of(), "", "", List.of(targets), List.of());
    }
}
