package dev.paloverde.pipelines.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.paloverde.gpu.PaloverdeException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;

/** Distances are those of the definition over words counted in a map, however rows lie. */
class TextDistanceTest {
    private final SparkSession spark = LocalSpark.session();

    private Dataset<Row> rows(List<String> texts, int partitions) {
        return spark.createDataFrame(texts.stream().map(RowFactory::create).toList(), StructType.fromDDL("text STRING"))
                .repartition(partitions);
    }

    private static List<String> texts(Random random, int count, int firstWord) {
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            List<String> words = new ArrayList<>();
            for (int word = random.nextInt(12); word >= 0; word--) {
                words.add("w" + (firstWord + (int) (20 * random.nextDouble() * random.nextDouble())));
            }
            texts.add(String.join(random.nextBoolean() ? " " : ", ", words));
        }
        return texts;
    }

    private static Map<List<String>, Integer> counts(List<String> texts, int ngram) {
        Map<List<String>, Integer> counts = new HashMap<>();
        for (String text : texts) {
            List<String> words = Arrays.asList(text.split("[, ]+"));
            for (int i = 0; i + ngram <= words.size(); i++) {
                counts.merge(words.subList(i, i + ngram), 1, Integer::sum);
            }
        }
        return counts;
    }

    private static double entropy(Map<List<String>, Double> shares) {
        return -shares.values().stream()
                .filter(share -> share > 0)
                .mapToDouble(share -> share * Math.log(share) / Math.log(2))
                .sum();
    }

    private static Map<List<String>, Double> shares(Map<List<String>, Integer> counts) {
        double all = counts.values().stream().mapToInt(Integer::intValue).sum();
        Map<List<String>, Double> shares = new HashMap<>();
        counts.forEach((gram, count) -> shares.put(gram, count / all));
        return shares;
    }

    /** The entropy of the mean, less the mean of the entropies. */
    private static double divergence(Map<List<String>, Double> one, Map<List<String>, Double> other) {
        Set<List<String>> grams = new HashSet<>(one.keySet());
        grams.addAll(other.keySet());
        Map<List<String>, Double> mean = new HashMap<>();
        grams.forEach(gram -> mean.put(gram, (one.getOrDefault(gram, 0.0) + other.getOrDefault(gram, 0.0)) / 2));
        return entropy(mean) - (entropy(one) + entropy(other)) / 2;
    }

    @Test
    void isTheDivergenceOfTheDefinition() {
        Random random = new Random(3);
        for (int ngram = 1; ngram <= 3; ngram++) {
            List<String> ours = texts(random, 60, 4);
            List<String> theirs = texts(random, 90, 0);
            TextDistance.Distance found = new TextDistance(ngram).of(rows(ours, 3), rows(theirs, 2));
            Map<List<String>, Integer> our = counts(ours, ngram);
            Map<List<String>, Integer> their = counts(theirs, ngram);
            assertThat(found.divergence()).isCloseTo(divergence(shares(our), shares(their)), within(1e-12));
            assertThat(found.grams())
                    .isEqualTo(our.values().stream().mapToInt(Integer::intValue).sum());
            assertThat(found.referenceGrams())
                    .isEqualTo(
                            their.values().stream().mapToInt(Integer::intValue).sum());
            double unseen = our.entrySet().stream()
                    .filter(each -> !their.containsKey(each.getKey()))
                    .mapToInt(Map.Entry::getValue)
                    .sum();
            assertThat(found.unseen()).isCloseTo(unseen / found.grams(), within(1e-12));
            assertThat(found.within()).isBetween(0.0, found.divergence());

            Collections.shuffle(ours, random);
            Collections.shuffle(theirs, random);
            assertThat(new TextDistance(ngram).of(rows(ours, 1), rows(theirs, 5)))
                    .isEqualTo(found);
        }
    }

    @Test
    void rangesFromTheSameTextsToNoSharedWord() {
        List<String> texts = texts(new Random(1), 40, 0);
        TextDistance words = new TextDistance(1);
        assertThat(words.of(rows(texts, 2), rows(texts, 3)).divergence()).isZero();
        TextDistance.Distance far = words.of(rows(texts(new Random(2), 40, 1000), 2), rows(texts, 2));
        assertThat(far.divergence()).isCloseTo(1, within(1e-12));
        assertThat(far.unseen()).isEqualTo(1);
        // case and punctuation do not tell words apart
        assertThat(words.of(rows(List.of("One TWO, two!"), 1), rows(List.of("two one two"), 1))
                        .divergence())
                .isZero();
    }

    @Test
    void whatHasNoWordsIsRefused() {
        List<String> none = new ArrayList<>(Arrays.asList("", null, "..."));
        List<String> some = List.of("a word");
        assertThatThrownBy(() -> new TextDistance(1).of(rows(none, 1), rows(some, 1)))
                .isInstanceOf(PaloverdeException.class)
                .hasMessageContaining("what is compared has no text");
        assertThatThrownBy(() -> new TextDistance(3).of(rows(List.of("three words here"), 1), rows(some, 1)))
                .isInstanceOf(PaloverdeException.class)
                .hasMessageContaining("compared with has no text of 3 words");
        assertThatThrownBy(() -> new TextDistance(0)).isInstanceOf(PaloverdeException.class);
    }
}
