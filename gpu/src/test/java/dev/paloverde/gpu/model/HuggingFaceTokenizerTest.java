package dev.paloverde.gpu.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HuggingFaceTokenizerTest {
    @TempDir
    Path directory;

    @Test
    void plainTextHasNoSpecialTokens() {
        try (Tokenizer tokenizer = open(TestTokenizer.bytes())) {
            assertThat(tokenizer.encode("a<|end|>b")).isEqualTo(bytes("a<|end|>b"));
            assertThat(tokenizer.encode("<|begin|>")).isEqualTo(bytes("<|begin|>"));
            assertThat(tokenizer.decode(tokenizer.encode("a<|end|>b"))).isEqualTo("a<|end|>b");
        }
    }

    @Test
    void templatesHaveThem() {
        try (Tokenizer tokenizer = open(TestTokenizer.bytes())) {
            assertThat(tokenizer.encodeTemplate("<|begin|>a<|end|>"))
                    .containsExactly(TestTokenizer.BEGIN, 'a', TestTokenizer.END);
            assertThat(tokenizer.isSpecial(TestTokenizer.END)).isTrue();
            assertThat(tokenizer.isSpecial('a')).isFalse();
            assertThat(tokenizer.decode(new int[] {TestTokenizer.BEGIN, 'a', TestTokenizer.END}))
                    .isEqualTo("a");
        }
    }

    @Test
    void ordinaryAddedTokensAreFoundInTextAndKeepTheirIds() {
        try (Tokenizer tokenizer = open(TestTokenizer.bytes())) {
            assertThat(tokenizer.encode("a<tool>")).containsExactly('a', 258);
            assertThat(tokenizer.decode(new int[] {'a', 258})).isEqualTo("a<tool>");
            assertThat(tokenizer.vocabulary()).isEqualTo(259);
        }
    }

    @Test
    void mergesThatSpellASpecialTokenDoNotMakeIt() {
        TestTokenizer spelled =
                TestTokenizer.bytes().merge("<", "s", 259).merge("<s", ">", 260).merge("<s>", "!", 261);
        ObjectNode tree = spelled.tree();
        // one word, so that merges reach across it
        ((ObjectNode) tree.path("pre_tokenizer")).put("use_regex", false);
        TestTokenizer.write(directory.resolve("tokenizer.json"), tree);
        try (Tokenizer tokenizer = HuggingFaceTokenizer.open(directory.resolve("tokenizer.json"), Set.of("<s>"))) {
            assertThat(tokenizer.isSpecial(260)).isTrue();
            assertThat(tokenizer.encode("<s>")).containsExactly(259, '>');
            assertThat(tokenizer.encode("<s>?")).containsExactly(259, '>', '?');
            assertThat(tokenizer.decode(new int[] {'a', 260})).isEqualTo("a");
        }
    }

    @Test
    void specialTokensInTheVocabularyAreNotFoundThereEither() {
        try (Tokenizer tokenizer = open(TestTokenizer.bytes()
                .inVocabulary("<|begin|>", TestTokenizer.BEGIN)
                .inVocabulary("<|end|>", TestTokenizer.END))) {
            assertThat(tokenizer.encode("<|end|>")).isEqualTo(bytes("<|end|>"));
            assertThat(tokenizer.encodeTemplate("<|end|>")).containsExactly(TestTokenizer.END);
        }
    }

    @Test
    void charactersThatAModelPadsWithStayText() {
        TestTokenizer.bytes().write(directory);
        try (Tokenizer tokenizer = HuggingFaceTokenizer.open(directory.resolve("tokenizer.json"), Set.of("!"))) {
            assertThat(tokenizer.encode("a!")).containsExactly('a', '!');
            assertThat(tokenizer.decode(new int[] {'a', '!'})).isEqualTo("a!");
            assertThat(tokenizer.isSpecial('!')).isFalse();
        }
    }

    @Test
    void needsNoHomeAndLeavesNothingBehind() throws Exception {
        TestTokenizer.bytes().write(directory);
        Path temporary = Files.createDirectory(directory.resolve("tmp"));
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Duser.home=/dev/null",
                        "-Djava.io.tmpdir=" + temporary,
                        "-cp",
                        System.getProperty("java.class.path"),
                        Encode.class.getName(),
                        directory.resolve("tokenizer.json").toString())
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        assertThat(output).contains("[104, 105]");
        try (var left = Files.list(temporary)) {
            assertThat(left.filter(path -> path.getFileName().toString().startsWith("paloverde")))
                    .isEmpty();
        }
    }

    /** A process of its own. */
    static final class Encode {
        private Encode() {}

        public static void main(String[] arguments) {
            try (Tokenizer tokenizer = HuggingFaceTokenizer.open(Path.of(arguments[0]), Set.of())) {
                System.out.println(Arrays.toString(tokenizer.encode("hi")));
            }
        }
    }

    @Test
    void saysWhatItWouldPutBeforeAText() {
        try (Tokenizer tokenizer = open(TestTokenizer.bytes())) {
            assertThat(tokenizer.prefix()).containsExactly(TestTokenizer.BEGIN);
        }
        ObjectNode bare = TestTokenizer.bytes().tree();
        bare.putNull("post_processor");
        try (Tokenizer tokenizer = open(bare)) {
            assertThat(tokenizer.prefix()).isEmpty();
        }
    }

    @Test
    void ignoresTruncationAndPaddingOfTheFile() {
        ObjectNode tree = TestTokenizer.bytes().tree();
        tree.putObject("truncation")
                .put("direction", "Right")
                .put("max_length", 4)
                .put("strategy", "LongestFirst")
                .put("stride", 0);
        ObjectNode padding = tree.putObject("padding");
        padding.putObject("strategy").put("Fixed", 64);
        padding.put("direction", "Right")
                .putNull("pad_to_multiple_of")
                .put("pad_id", 0)
                .put("pad_type_id", 0)
                .put("pad_token", "!");
        try (Tokenizer tokenizer = open(tree)) {
            assertThat(tokenizer.encode("abcdefgh")).hasSize(8);
            assertThat(tokenizer.encodeTemplate("abcdefgh")).hasSize(8);
        }
    }

    @Test
    void refusesHalfOfASurrogatePair() {
        try (Tokenizer tokenizer = open(TestTokenizer.bytes())) {
            for (String text : List.of("ab\uD83D", "ab\uDE00c", "ab\uDE00\uD83D")) {
                assertThatThrownBy(() -> tokenizer.encode(text))
                        .isInstanceOfSatisfying(
                                PaloverdeException.class,
                                e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_UTF8))
                        .hasMessageContaining("character 2");
            }
        }
    }

    @Test
    void encodesNothingAsNothing() {
        try (Tokenizer tokenizer = open(TestTokenizer.bytes())) {
            assertThat(tokenizer.encode("")).isEmpty();
            assertThat(tokenizer.decode(new int[0])).isEmpty();
        }
    }

    @Test
    void decodesIdsThatNoTokenHas() {
        try (Tokenizer tokenizer = open(TestTokenizer.bytes())) {
            assertThat(tokenizer.decode(new int[] {'a', 100_000, 'b'})).isEqualTo("ab");
        }
    }

    @Test
    void encodesTenMegabytes() {
        String word = "Donaudampfschifffahrtsgesellschaft";
        String text = (word + "\n").repeat(300_000);
        try (Tokenizer tokenizer = open(TestTokenizer.bytes().inVocabulary(word, 259))) {
            assertThat(text).hasSizeGreaterThan(10_000_000);
            assertThat(tokenizer.encode(text))
                    .hasSize(600_000)
                    .startsWith(259, '\n')
                    .endsWith(259, '\n');
        }
    }

    @Test
    void servesManyThreads() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try (Tokenizer tokenizer = open(TestTokenizer.bytes())) {
            List<Future<Boolean>> results = new ArrayList<>();
            for (int t = 0; t < 8; t++) {
                String text = "text of thread " + t + " é漢😀";
                Callable<Boolean> work = () -> IntStream.range(0, 500)
                        .allMatch(i -> tokenizer.decode(tokenizer.encode(text)).equals(text));
                results.add(threads.submit(work));
            }
            for (Future<Boolean> result : results) {
                assertThat(result.get()).isTrue();
            }
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void failsCleanlyOnceClosed() {
        Tokenizer tokenizer = open(TestTokenizer.bytes());
        tokenizer.close();
        tokenizer.close();
        assertThatThrownBy(() -> tokenizer.encode("a")).isInstanceOf(PaloverdeException.class);
    }

    @Test
    void refusesWhatIsNotATokenizer() throws Exception {
        Path file = directory.resolve("tokenizer.json");
        for (String content : List.of(
                "",
                "[]",
                "{",
                "{}",
                "{\"model\": {}}",
                "{\"model\": {\"vocab\": {\"a\": -1}}}",
                "{\"model\": {\"vocab\": {\"a\": 99999999999}}}",
                "{\"model\": {\"vocab\": {\"a\": 0}}, \"model\": 1}",
                "{\"model\": {\"type\": \"Unheard\", \"vocab\": {\"a\": 0}}}",
                "{\"added_tokens\": [{\"id\": \"x\"}]}",
                "[".repeat(100_000))) {
            Files.writeString(file, content);
            assertThatThrownBy(() -> HuggingFaceTokenizer.open(file, Set.of()))
                    .as(content.substring(0, Math.min(50, content.length())))
                    .isInstanceOfSatisfying(
                            PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_CORRUPT))
                    .hasMessageContaining(file.toString());
        }
        Files.delete(file);
        assertThatThrownBy(() -> HuggingFaceTokenizer.open(file, Set.of()))
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.MODEL_NOT_FOUND));
    }

    private Tokenizer open(TestTokenizer tokenizer) {
        return open(tokenizer.tree());
    }

    private Tokenizer open(ObjectNode tree) {
        Path file = directory.resolve("tokenizer.json");
        TestTokenizer.write(file, tree);
        return HuggingFaceTokenizer.open(file, Set.of());
    }

    private static int[] bytes(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return IntStream.range(0, bytes.length).map(i -> bytes[i] & 255).toArray();
    }

    /** Whatever is written, it comes back, and none of it is a command. */
    static class AnyText {
        private static Path directory;
        private static Tokenizer tokenizer;

        @BeforeContainer
        static void open() throws Exception {
            directory = Files.createTempDirectory("tokenizer");
            tokenizer = HuggingFaceTokenizer.open(TestTokenizer.bytes().write(directory), Set.of());
        }

        @AfterContainer
        static void close() throws Exception {
            tokenizer.close();
            Files.delete(directory.resolve("tokenizer.json"));
            Files.delete(directory);
        }

        @Property(tries = 300)
        void roundTrips(@ForAll String text) {
            String wellFormed = new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
            int[] tokens = tokenizer.encode(wellFormed + "<|end|>" + wellFormed);
            assertThat(tokenizer.decode(tokens)).isEqualTo(wellFormed + "<|end|>" + wellFormed);
            assertThat(Arrays.stream(tokens).anyMatch(tokenizer::isSpecial)).isFalse();
        }
    }
}
