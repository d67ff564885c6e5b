package dev.paloverde.pipelines.corpus;

import java.util.SplittableRandom;

/**
 * Documents of {@value #WORDS} words drawn from 50,000, in pairs: the document of an odd number is either a stranger, or the
 * one before it with a run of other words in it, so long that the sets of their 5-grams have one of {@link #SIMILARITIES}.
 * What a document is follows from its number alone.
 *
 * @param alike share of the pairs that are alike, 0 to 1
 */
record PlantedDocuments(double alike) {
    static final double[] SIMILARITIES = {.5, .7, .8, .9};
    static final int WORDS = 204;

    private static final int VOCABULARY = 50_000;

    /** {@return the key of a document} */
    static String key(long number) {
        return "%08x".formatted(number);
    }

    /** {@return the similarity of a document and the one before it; 0 if they are strangers, or it is the first of a pair} */
    double similarity(long number) {
        return (number & 1) == 1 && pair(number).copied() ? SIMILARITIES[(int) (number / 2 % SIMILARITIES.length)] : 0;
    }

    /** {@return its text} */
    String text(long number) {
        Pair pair = pair(number);
        int[] words = pair.words();
        if ((number & 1) == 1) {
            SplittableRandom other = new SplittableRandom(~number);
            double similarity = SIMILARITIES[(int) (number / 2 % SIMILARITIES.length)];
            int run = pair.copied() ? (int) Math.round((WORDS - 4) * (1 - similarity) / (1 + similarity)) - 4 : WORDS;
            int at = pair.copied() ? 4 + pair.random().nextInt(WORDS - run - 8) : 0;
            for (int j = at; j < at + run; j++) {
                words[j] = other.nextInt(VOCABULARY);
            }
        }
        StringBuilder text = new StringBuilder();
        for (int word : words) {
            text.append("word").append(word).append(' ');
        }
        return text.toString();
    }

    private record Pair(int[] words, boolean copied, SplittableRandom random) {}

    private Pair pair(long number) {
        SplittableRandom random = new SplittableRandom(number & ~1L);
        int[] words = random.ints(WORDS, 0, VOCABULARY).toArray();
        return new Pair(words, (number & 1) == 1 && random.nextDouble() < alike, random);
    }
}
