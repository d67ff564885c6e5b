package dev.paloverde.pipelines.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.junit.jupiter.api.Test;

/** Passages that stand twice are found to the byte, held against a search through all windows as strings. */
class RepeatedTextTest {
    private static final int LEAST = 5;

    private static String words(Random random, int count) {
        // few words, so that short passages repeat by chance too; some of several bytes, some beyond the BMP
        String[] some = {"a", "bé", "c", "d𝄞", "ee", "日", "f."};
        return IntStream.range(0, count)
                .mapToObj(i -> some[random.nextInt(some.length)] + (random.nextInt(4) == 0 ? "\n\t " : " "))
                .collect(Collectors.joining());
    }

    private static Map<String, String> texts(Random random) {
        String planted = words(random, 30);
        Map<String, String> texts = new TreeMap<>();
        for (int i = 0; i < 25; i++) {
            String text = words(random, random.nextInt(12));
            if (i % 4 == 1) {
                text += planted.substring(random.nextInt(5)) + words(random, 3);
            }
            texts.put("k%02d".formatted(i), text);
        }
        texts.put("k98", "");
        return texts;
    }

    private static Map<String, List<String>> passages(Map<String, String> texts, int partitions) {
        Map<String, List<String>> found = new TreeMap<>();
        for (Row row : new RepeatedText(LEAST)
                .passages(LocalSpark.documents(texts, partitions))
                .orderBy("row_key", "begin")
                .collectAsList()) {
            found.computeIfAbsent(row.getString(0), key -> new ArrayList<>())
                    .add(row.getInt(1) + "-" + row.getInt(2) + " " + row.getInt(3));
        }
        return found;
    }

    /** By windows as lists of words, in the order of keys. */
    private static Map<String, List<String>> brute(Map<String, String> texts) {
        Map<List<String>, Integer> seen = new HashMap<>();
        Map<String, List<String>> found = new TreeMap<>();
        texts.forEach((key, text) -> {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            WordSpans spans = WordSpans.of(text);
            List<String> words = IntStream.range(0, spans.count())
                    .mapToObj(i ->
                            new String(Arrays.copyOfRange(bytes, spans.begin(i), spans.end(i)), StandardCharsets.UTF_8))
                    .toList();
            TreeSet<Integer> covered = new TreeSet<>();
            for (int i = 0; i + LEAST <= words.size(); i++) {
                if (seen.merge(words.subList(i, i + LEAST), 1, Integer::sum) > 1) {
                    IntStream.range(i, i + LEAST).forEach(covered::add);
                }
            }
            Integer first = null;
            for (int word : covered) {
                first = first == null ? word : first;
                if (!covered.contains(word + 1)) {
                    found.computeIfAbsent(key, none -> new ArrayList<>())
                            .add(spans.begin(first) + "-" + spans.end(word) + " " + (word + 1 - first));
                    first = null;
                }
            }
        });
        return found;
    }

    @Property(tries = 6, shrinking = ShrinkingMode.OFF)
    void findsEveryWindowThatStoodBefore(@ForAll Random random) {
        Map<String, String> texts = texts(random);
        Map<String, List<String>> expected = brute(texts);
        assertThat(expected).isNotEmpty();
        assertThat(passages(texts, 3)).isEqualTo(expected);
        assertThat(passages(texts, 1)).isEqualTo(expected);
    }

    @Test
    void whatIsLeftHasEachPassageOnce() {
        String passage = "one two three four five six seven";
        Map<String, String> texts = new TreeMap<>(Map.of(
                "a", "first " + passage + " end",
                "b", "other " + passage,
                "c", passage + " and " + passage,
                "d", "nothing here"));
        var documents = LocalSpark.documents(texts, 2);
        Map<String, String> left =
                LocalSpark.map(RepeatedText.without(documents, "text", new RepeatedText(LEAST).passages(documents)));
        assertThat(left).isEqualTo(Map.of("a", texts.get("a"), "b", "other ", "c", " and ", "d", texts.get("d")));
        var whole = LocalSpark.documents(Map.of("a", passage + " end", "b", " " + passage + "\n"), 2);
        assertThat(RepeatedText.emptied(whole, new RepeatedText(LEAST).passages(whole))
                        .collectAsList())
                .containsExactly(RowFactory.create("b", "b", "REPEATED_TEXT"));
        assertThat(new RepeatedText(8).passages(documents).count()).isZero();
        assertThatThrownBy(() -> new RepeatedText(1)).hasMessageContaining("at least 2");
    }

    @Property(tries = 50)
    void aRollingHashIsThatOfItsWindow(@ForAll Random random) {
        int window = 2 + random.nextInt(60);
        RollingHash rolling = new RollingHash(window);
        long[] numbers = random.longs(window + 30).toArray();
        for (int i = 0; i < numbers.length; i++) {
            if (i >= window) {
                rolling.remove(numbers[i - window]);
            }
            rolling.add(numbers[i]);
        }
        RollingHash alone = new RollingHash(window);
        Arrays.stream(numbers, 30, numbers.length).forEach(alone::add);
        assertThat(rolling.high()).isEqualTo(alone.high());
        assertThat(rolling.low()).isEqualTo(alone.low()).isNotEqualTo(alone.high());
        long a = Long.remainderUnsigned(random.nextLong(), MinHash.PRIME);
        long b = Long.remainderUnsigned(random.nextLong(), MinHash.PRIME);
        assertThat(BigInteger.valueOf(RollingHash.times(a, b)))
                .isEqualTo(
                        BigInteger.valueOf(a).multiply(BigInteger.valueOf(b)).mod(BigInteger.valueOf(MinHash.PRIME)));
    }
}
