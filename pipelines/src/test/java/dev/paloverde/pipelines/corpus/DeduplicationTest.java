package dev.paloverde.pipelines.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

class DeduplicationTest {
    private static final int WORDS = 204;
    private static final int NGRAMS = WORDS - 4;

    /** Documents of random words, and a copy of each in which a run of words is others. */
    private record Planted(Map<String, String> texts, Map<String, Double> similarities) {
        static Planted of(int each, double... similarities) {
            Random random = new Random(1);
            Planted planted = new Planted(new TreeMap<>(), new TreeMap<>());
            for (double similarity : similarities) {
                for (int i = 0; i < each; i++) {
                    List<String> words = words(random, WORDS);
                    String key = "%.2f-%04d".formatted(similarity, i);
                    planted.texts.put(key + "-a", String.join(" ", words));
                    // a run of r words is in r + 4 of the n-grams: J = (N - r - 4) / (N + r + 4)
                    int run = (int) Math.round(NGRAMS * (1 - similarity) / (1 + similarity)) - 4;
                    List<String> others = words(random, run);
                    int at = 4 + random.nextInt(WORDS - run - 8);
                    for (int j = 0; j < run; j++) {
                        words.set(at + j, others.get(j));
                    }
                    planted.texts.put(key + "-b", String.join(" ", words));
                    planted.similarities.put(key + "-b", similarity);
                }
            }
            return planted;
        }
    }

    private static List<String> words(Random random, int count) {
        List<String> words = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            words.add("w" + random.nextInt(20_000));
        }
        return words;
    }

    /** The Jaccard similarity of sets of n-grams, of the words themselves. */
    private static double jaccard(String one, String other) {
        Set<String> both = ngrams(one);
        Set<String> either = new HashSet<>(both);
        both.retainAll(ngrams(other));
        either.addAll(ngrams(other));
        return (double) both.size() / either.size();
    }

    private static Set<String> ngrams(String text) {
        String[] words = text.split(" ");
        Set<String> ngrams = new HashSet<>();
        for (int i = 0; i + 5 <= words.length; i++) {
            ngrams.add(String.join(" ", List.of(words).subList(i, i + 5)));
        }
        return ngrams;
    }

    private static Map<String, String> dropped(Verification verification, Map<String, String> texts, int partitions) {
        Dataset<Row> documents = LocalSpark.documents(texts, partitions);
        return LocalSpark.map(new Deduplication(MinHash.Parameters.STANDARD, verification).dropped(documents));
    }

    @Example
    void plantedTextsAreFoundAsOftenAsTheLawSaysAndNoOthers() {
        Planted planted = Planted.of(60, .5, .7, .8, .9);
        planted.similarities.forEach((key, similarity) -> assertThat(
                        jaccard(planted.texts.get(key), planted.texts.get(key.replace("-b", "-a"))))
                .isCloseTo(similarity, within(.005)));

        Map<String, String> dropped = dropped(Verification.none(), planted.texts, 4);

        // brute force over all pairs: what was dropped is alike to its representative, and to no other is any
        assertThat(dropped)
                .allSatisfy((key, representative) -> assertThat(representative).isEqualTo(key.replace("-b", "-a")));
        Map<Double, Integer> found = new HashMap<>();
        dropped.keySet().forEach(key -> found.merge(planted.similarities.get(key), 1, Integer::sum));
        for (double similarity : new double[] {.5, .7, .8, .9}) {
            double expected = 60 * MinHash.Parameters.STANDARD.probability(similarity);
            double deviation = Math.sqrt(expected * (1 - expected / 60));
            assertThat((double) found.getOrDefault(similarity, 0))
                    .as("found of 60 at %s", similarity)
                    .isCloseTo(expected, within(4 * deviation + 1));
        }
    }

    @Example
    void verifiedPairsAreThoseAboveTheThreshold() {
        Planted planted = Planted.of(30, .5, .7, .8, .9);
        Set<String> unverified = dropped(Verification.none(), planted.texts, 2).keySet();
        Set<String> expected = new HashSet<>(unverified);
        expected.removeIf(key -> planted.similarities.get(key) < .75);
        assertThat(expected).hasSizeLessThan(unverified.size());

        assertThat(dropped(Verification.of(Verification.Method.EXACT, .75), planted.texts, 2)
                        .keySet())
                .isEqualTo(expected);
        Set<String> estimated = dropped(Verification.of(Verification.Method.ESTIMATE, .6), planted.texts, 2)
                .keySet();
        assertThat(unverified).containsAll(estimated);
        // .9 is seven deviations above .6, and .5 two and a half below
        assertThat(estimated).filteredOn(key -> key.startsWith("0.90")).hasSize(30);
    }

    @Example
    void aStrangerAtTheHeadOfABucketHidesNobody() {
        // one band of one function: texts of one n-gram in common share a bucket often
        Map<String, String> texts = new TreeMap<>();
        texts.put("0", "one two three four five");
        texts.put("1", "one two three four five six seven eight nine ten");
        texts.put("2", "one two three four five six seven eight nine ten eleven");
        MinHash.Parameters loose = new MinHash.Parameters(40, 1, 5, 3);

        Dataset<Row> documents = LocalSpark.documents(texts, 1);

        assertThat(LocalSpark.map(
                        new Deduplication(loose, Verification.of(Verification.Method.EXACT, .8)).dropped(documents)))
                .containsExactly(Map.entry("2", "1"));
        assertThat(LocalSpark.map(new Deduplication(loose, Verification.none()).dropped(documents)))
                .containsExactly(Map.entry("1", "0"), Map.entry("2", "0"));
    }

    @Example
    void textsThatSayTheSameFollowTheirRepresentative() {
        String text = String.join(" ", words(new Random(3), 300));
        Map<String, String> texts = new TreeMap<>();
        texts.put("a", text + " end");
        texts.put("b", text);
        texts.put("c", text.replace(" ", "\n\n") + "  ");
        texts.put("d", "");
        texts.put("e", " ");
        texts.put("f", "...");
        texts.put("g", "!!!");
        texts.put("h", null);
        texts.put("i", null);

        List<String> dropped = new Deduplication(MinHash.Parameters.STANDARD, Verification.none())
                .dropped(LocalSpark.documents(texts, 3)).collectAsList().stream()
                        .map(Row::toString)
                        .sorted()
                        .toList();

        assertThat(dropped).containsExactly("[b,a,NEAR_DUPLICATE]", "[c,a,EXACT_DUPLICATE]", "[e,d,EXACT_DUPLICATE]");
    }

    @Property(tries = 3)
    void resultsDoNotDependOnOrderOrPartitions(@ForAll long seed) {
        Planted planted = Planted.of(15, .7, .8, .9);
        List<String> keys = new ArrayList<>(planted.texts.keySet());
        Collections.shuffle(keys, new Random(seed));
        Map<String, String> inOrder = new java.util.LinkedHashMap<>();
        keys.forEach(key -> inOrder.put(key, planted.texts.get(key)));

        assertThat(dropped(Verification.none(), inOrder, 1 + (int) (seed & 7)))
                .isEqualTo(dropped(Verification.none(), planted.texts, 1));
    }

    @Property(tries = 60)
    void anEstimateIsNearTheSimilarity(@ForAll long seed) {
        Random random = new Random(seed);
        List<String> words = words(random, 300);
        List<String> changed = new ArrayList<>(words);
        for (int i = random.nextInt(60); i > 0; i--) {
            changed.set(random.nextInt(300), "other" + random.nextInt(99_999));
        }
        String one = String.join(" ", words);
        String other = String.join(" ", changed);
        MinHash minHash = new MinHash(new MinHash.Parameters(64, 16, 5, seed));

        double similarity = jaccard(one, other);

        assertThat(MinHash.jaccard(minHash.set(Words.of(one)), minHash.set(Words.of(other))))
                .isEqualTo(similarity);
        // 1024 functions: five deviations are below .08
        assertThat(MinHash.estimate(minHash.signature(Words.of(one)), minHash.signature(Words.of(other))))
                .isCloseTo(similarity, within(5 * Math.sqrt(similarity * (1 - similarity) / 1024) + 1e-9));
    }
}
