package dev.paloverde.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.data.text.Document;
import dev.paloverde.data.text.EvaluationSets;
import dev.paloverde.data.text.TextSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class SampleCorpusTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern EQUATION = Pattern.compile("(\\d+) ([-+*/]) (\\d+) = (\\d+)\\.");

    @Test
    void theCommittedSampleIsWhatTheGeneratorWrites(@TempDir Path written) throws IOException {
        new SampleCorpus().writeSample(written);
        Path committed = Path.of("corpus");
        assertThat(files(committed)).isEqualTo(files(written));
        for (Path file : files(written)) {
            String name = file.toString();
            if (name.endsWith(".png") || name.endsWith(".gif")) {
                Pixels.assertSame(
                        name, Files.readAllBytes(committed.resolve(file)), Files.readAllBytes(written.resolve(file)));
            } else if (name.endsWith(".tar")) {
                assertSameMembers(Shards.read(committed.resolve(file)), Shards.read(written.resolve(file)));
            } else if (!name.equals(ContentIndex.FILE_NAME)) {
                assertThat(committed.resolve(file)).hasSameBinaryContentAs(written.resolve(file));
            }
        }
    }

    private static void assertSameMembers(Map<String, byte[]> committed, Map<String, byte[]> written)
            throws IOException {
        assertThat(committed.keySet()).containsExactlyElementsOf(written.keySet());
        for (Map.Entry<String, byte[]> member : committed.entrySet()) {
            byte[] other = written.get(member.getKey());
            if (member.getKey().endsWith(".png")) {
                Pixels.assertSame(member.getKey(), member.getValue(), other);
            } else {
                assertThat(member.getValue()).as(member.getKey()).isEqualTo(other);
            }
        }
    }

    @Test
    void theIndexOfTheCommittedSampleIsTrue() throws IOException {
        Path committed = Path.of("corpus");
        assertThat(ContentIndex.parse(Files.readString(committed.resolve(ContentIndex.FILE_NAME))))
                .isEqualTo(ContentIndex.of(committed));
    }

    @Test
    void anIndexThatIsNoneIsRefused() {
        assertThatThrownBy(() -> ContentIndex.parse("abc 12 config.json\n"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("abc 12 config.json");
    }

    @Test
    void theSameSeedGivesTheSameTrainingCorpus(@TempDir Path folder) throws IOException {
        SampleCorpus corpus = new SampleCorpus(2_000, 2_000);
        corpus.writeTraining(folder.resolve("first.jsonl"), 300_000, 5);
        corpus.writeTraining(folder.resolve("second.jsonl"), 300_000, 5);
        corpus.writeTraining(folder.resolve("other.jsonl"), 300_000, 6);
        assertThat(folder.resolve("first.jsonl")).hasSameBinaryContentAs(folder.resolve("second.jsonl"));
        assertThat(Files.mismatch(folder.resolve("first.jsonl"), folder.resolve("other.jsonl")))
                .isNotEqualTo(-1);
    }

    @Test
    void trainingSharesNoTextWithTheSampleAndHoldsEachShare(@TempDir Path folder) throws IOException {
        SampleCorpus corpus = new SampleCorpus();
        Path file = folder.resolve("training.jsonl");
        SampleCorpus.TrainingSummary summary = corpus.writeTraining(file, 3_000_000, SampleCorpus.TRAINING_SEED);
        List<Document> training = read(file);
        Set<String> texts = training.stream().map(Document::text).collect(Collectors.toSet());
        assertThat(training).hasSize((int) summary.documents()).hasSameSizeAs(texts);
        Set<String> kept = new HashSet<>();
        corpus.sampleDocuments().forEach(document -> kept.add(document.text()));
        corpus.heldOutDocuments().forEach(document -> kept.add(document.text()));
        assertThat(texts).doesNotContainAnyElementsOf(kept);
        Map<String, Long> bytes = training.stream()
                .collect(Collectors.groupingBy(
                        Document::source,
                        Collectors.summingLong(document -> document.text().length())));
        for (TextSource source : TextSource.values()) {
            double share = bytes.getOrDefault(source.label(), 0L) / (double) summary.textBytes();
            assertThat(share)
                    .as(source.label())
                    .isBetween(source.trainingShare() - 0.01, source.trainingShare() + 0.01);
        }
    }

    @Test
    void aSeedOfTheSampleIsNoTrainingSeed(@TempDir Path folder) {
        assertThatThrownBy(() -> new SampleCorpus()
                        .writeTraining(folder.resolve("training.jsonl"), 1, SampleCorpus.HELD_OUT_SEED))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("Seed 2");
    }

    @Test
    void choicesHaveOneRightAnswerAndAskInWordsThatTrainingNeverUses(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("training.jsonl");
        new SampleCorpus().writeTraining(file, 6_000_000, SampleCorpus.TRAINING_SEED);
        Set<String> asked = new HashSet<>();
        Set<String> answered = new HashSet<>();
        for (Document document : read(file)) {
            document.text().lines().filter(line -> line.contains("?")).forEach(asked::add);
            document.text().lines().filter(line -> line.startsWith("Answer: ")).forEach(answered::add);
        }
        List<EvaluationSets.Choice> choices = EvaluationSets.choices(SampleCorpus.HELD_OUT_SEED);
        assertThat(choices).hasSizeGreaterThan(200);
        Set<Integer> answers = new HashSet<>();
        for (EvaluationSets.Choice choice : choices) {
            assertThat(choice.choices()).doesNotHaveDuplicates().hasSizeBetween(2, 4);
            assertThat(answered).contains("Answer:" + choice.choices().get(choice.answer()));
            String question = choice.context().lines().findFirst().orElseThrow();
            String words = question.substring("Question: ".length());
            assertThat(asked).noneMatch(line -> line.contains(words));
            answers.add(choice.answer());
        }
        assertThat(answers).containsExactlyInAnyOrder(0, 1, 2, 3);
    }

    @Test
    void everyEquationHolds() {
        int equations = 0;
        for (int index = 0; index < 500; index++) {
            String text = TextSource.ARITHMETIC.document(77, index).text();
            for (String problem : text.split("\n\n")) {
                Matcher matcher = EQUATION.matcher(problem);
                String result = "";
                while (matcher.find()) {
                    int left = Integer.parseInt(matcher.group(1));
                    int right = Integer.parseInt(matcher.group(3));
                    int expected = switch (matcher.group(2)) {
                        case "+" -> left + right;
                        case "-" -> left - right;
                        case "*" -> left * right;
                        default -> {
                            assertThat(left % right).isZero();
                            yield left / right;
                        }
                    };
                    result = matcher.group(4);
                    assertThat(Integer.parseInt(result))
                            .as(problem)
                            .isEqualTo(expected)
                            .isNotNegative();
                    equations++;
                }
                assertThat(problem).endsWith("\nAnswer: " + result);
            }
        }
        assertThat(equations).isGreaterThan(1_000);
    }

    @Test
    void noPatternIsLeftUnexpanded() {
        for (TextSource source : TextSource.values()) {
            if (source == TextSource.NOISE) {
                continue;
            }
            for (int index = 0; index < 2_000; index++) {
                String text = source.document(78, index).text();
                assertThat(text)
                        .as(source.label())
                        .isNotBlank()
                        .doesNotContain("$", "{", "}", "|", "  ", "..", " .", " ,");
                assertThat(Pattern.compile("\\b[Aa] [aeiou]").matcher(text).find())
                        .as(text)
                        .isFalse();
            }
        }
    }

    private static List<Path> files(Path folder) throws IOException {
        try (Stream<Path> walked = Files.walk(folder)) {
            return walked.filter(Files::isRegularFile)
                    .map(folder::relativize)
                    .sorted()
                    .toList();
        }
    }

    private static List<Document> read(Path file) throws IOException {
        List<Document> documents = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            JsonNode node = JSON.readTree(line);
            documents.add(new Document(
                    node.get("id").asText(),
                    node.get("source").asText(),
                    node.get("text").asText()));
        }
        return documents;
    }
}
