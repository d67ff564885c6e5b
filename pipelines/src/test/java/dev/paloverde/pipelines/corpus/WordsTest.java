package dev.paloverde.pipelines.corpus;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

class WordsTest {
    private static String normal(String text) {
        Words words = Words.of(text);
        return words.count() == 0 ? "" : words.text(0, words.count());
    }

    @Example
    void caseAndPunctuationAndCompositionAreNoPartOfWords() {
        assertThat(normal("  Don't STOP—now! ")).isEqualTo("don t stop now");
        assertThat(normal("cafe\u0301 CAFÉ ﬁn ①")).isEqualTo("café café fin 1");
        assertThat(normal("你好，请问 2个")).isEqualTo("你 好 请 问 2 个");
        assertThat(normal("हिन्दी 𝒳𐐀 \uD800 .")).isEqualTo("हिन्दी x𐐨");
        assertThat(normal("?!\u0000\n")).isEmpty();
    }

    @Example
    void ngramsAreRangesOfTheNormalForm() {
        Words words = Words.of("A b, c d\ne");

        assertThat(words.ngramCount(5)).isEqualTo(1);
        assertThat(words.ngrams(3, 7)).hasSize(3).containsExactly(hash("a b c"), hash("b c d"), hash("c d e"));
        assertThat(words.ngrams(9, 7)).containsExactly(hash("a b c d e"));
        assertThat(Words.of("...").ngrams(3, 7)).isEmpty();
        // xxHash64 of "abc" with seed 0, from its specification's reference implementation
        assertThat(Words.of("abc").ngrams(1, 0)).containsExactly(0x44BC2CF5AD770999L);
    }

    private static long hash(String normal) {
        return Words.of(normal).ngrams(99, 7)[0];
    }

    @Property(tries = 200)
    void whatIsWrittenIsUtf8(@ForAll String text) {
        String normal = normal(text);

        assertThat(new String(normal.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8))
                .isEqualTo(normal)
                .doesNotContain("\uFFFD");
        assertThat(normal(normal).split(" ")).hasSameSizeAs(normal.split(" "));
    }

    @Property(tries = 300)
    void functionsAreLinearModuloThePrime(@ForAll long seed, @ForAll @IntRange(max = 7) int function) {
        MinHash minHash = new MinHash(new MinHash.Parameters(2, 4, 5, seed));
        BigInteger prime = BigInteger.valueOf(MinHash.PRIME);
        BigInteger term = BigInteger.valueOf(minHash.value(function, 0));
        BigInteger factor = BigInteger.valueOf(minHash.value(function, 1)).subtract(term);
        long x = new Random(seed).nextLong() & MinHash.PRIME - 1;

        assertThat(BigInteger.valueOf(minHash.value(function, x)))
                .isEqualTo(factor.multiply(BigInteger.valueOf(x)).add(term).mod(prime));
    }
}
