package dev.paloverde.pipelines.corpus;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Predicate;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.catalyst.expressions.XXH64;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;

/**
 * What {@link QualityRules} judge a text by, as columns. Words are what white space divides; lines are not blank;
 * paragraphs are divided by blank lines; shares are 0 to 1. Signals are those of Gopher (Rae et al. 2021, appendix A.1.1),
 * C4 (Raffel et al. 2020, section 2.2) and FineWeb (Penedo et al. 2024, section 3.6).
 */
public final class QualitySignals {
    /** The signals: doubles, in order. */
    static final List<String> NAMES = List.of(
            "words",
            "mean_word_length",
            "symbols_per_word",
            "bullet_lines",
            "ellipsis_lines",
            "alphabetic_words",
            "stop_words",
            "duplicate_lines",
            "duplicate_paragraphs",
            "duplicate_line_characters",
            "duplicate_paragraph_characters",
            "top_2_gram_characters",
            "top_3_gram_characters",
            "top_4_gram_characters",
            "duplicate_5_gram_characters",
            "duplicate_6_gram_characters",
            "duplicate_7_gram_characters",
            "duplicate_8_gram_characters",
            "duplicate_9_gram_characters",
            "duplicate_10_gram_characters",
            "sentences",
            "curly_brackets",
            "lorem_ipsum",
            "punctuated_lines",
            "short_lines");

    /** Gopher's eight words of which an English text has two. */
    private static final Set<String> STOP_WORDS = Set.of("the", "be", "to", "of", "and", "that", "have", "with");

    private static final String TERMINAL = ".!?\"\u201D\u3002\uFF01\uFF1F\u2026";
    private static final int SHORT_LINE = 30;
    private static final StructType SCHEMA = schema();

    private QualitySignals() {}

    /** {@return the signals of a column of texts, a struct of doubles; null of null} */
    public static Column of(Column text) {
        UDF1<String, Row> signals = value -> value == null ? null : RowFactory.create(boxed(compute(value)));
        return functions.udf(signals, SCHEMA).apply(text);
    }

    private static StructType schema() {
        StructType schema = new StructType();
        for (String name : NAMES) {
            schema = schema.add(name, "double", false);
        }
        return schema;
    }

    private static Object[] boxed(double[] values) {
        return Arrays.stream(values).boxed().toArray();
    }

    /** {@return the signals, in the order of {@link #NAMES}} */
    static double[] compute(String text) {
        double[] signals = new double[NAMES.size()];
        Tokens tokens = Tokens.of(text);
        int at = wordSignals(text, tokens, signals);
        List<String> lines =
                text.lines().map(String::strip).filter(line -> !line.isEmpty()).toList();
        signals[at++] = share(
                lines,
                line -> "\u2022\u2023\u25B6\u25C0\u25E6\u25A0\u25A1\u25AA\u25AB\u2013-*".indexOf(line.charAt(0)) >= 0);
        signals[at++] = share(lines, line -> line.endsWith("...") || line.endsWith("\u2026"));
        signals[at++] = tokens.share(tokens.alphabetic);
        signals[at++] = tokens.stopWords;
        List<String> paragraphs = paragraphs(text);
        double[] ofLines = repeated(lines, text.length());
        double[] ofParagraphs = repeated(paragraphs, text.length());
        signals[at++] = ofLines[0];
        signals[at++] = ofParagraphs[0];
        signals[at++] = ofLines[1];
        signals[at++] = ofParagraphs[1];
        for (int size = 2; size <= 4; size++) {
            signals[at++] = tokens.top(size);
        }
        for (int size = 5; size <= 10; size++) {
            signals[at++] = tokens.duplicated(size);
        }
        signals[at++] = sentences(text);
        signals[at++] = count(text, '{');
        signals[at++] = text.toLowerCase(Locale.ROOT).contains("lorem ipsum") ? 1 : 0;
        signals[at++] = share(lines, line -> TERMINAL.indexOf(line.charAt(line.length() - 1)) >= 0);
        signals[at] = share(lines, line -> line.length() < SHORT_LINE);
        return signals;
    }

    private static int wordSignals(String text, Tokens tokens, double[] signals) {
        signals[0] = tokens.count;
        signals[1] = tokens.count == 0 ? 0 : (double) tokens.characters / tokens.count;
        int ellipses = count(text, '\u2026');
        for (int i = text.indexOf("..."); i >= 0; i = text.indexOf("...", i + 3)) {
            ellipses++;
        }
        signals[2] = tokens.share(Math.max(count(text, '#'), ellipses));
        return 3;
    }

    private static int count(String text, char wanted) {
        return (int) text.chars().filter(c -> c == wanted).count();
    }

    private static double share(List<String> lines, Predicate<String> is) {
        return lines.isEmpty() ? 0 : (double) lines.stream().filter(is).count() / lines.size();
    }

    private static List<String> paragraphs(String text) {
        List<String> paragraphs = new ArrayList<>();
        StringBuilder paragraph = new StringBuilder();
        text.lines().forEach(line -> {
            if (!line.isBlank()) {
                paragraph.append(line.strip()).append('\n');
            } else if (!paragraph.isEmpty()) {
                paragraphs.add(paragraph.toString().strip());
                paragraph.setLength(0);
            }
        });
        if (!paragraph.isEmpty()) {
            paragraphs.add(paragraph.toString().strip());
        }
        return paragraphs;
    }

    /** {@return the share of parts that stood before, and that of the text's characters in such} */
    private static double[] repeated(List<String> parts, int characters) {
        LongSet seen = new LongSet();
        int again = 0;
        long charactersAgain = 0;
        for (String part : parts) {
            if (!seen.add(hash(part, 0, part.length()))) {
                again++;
                charactersAgain += part.length();
            }
        }
        return new double[] {
            parts.isEmpty() ? 0 : (double) again / parts.size(),
            characters == 0 ? 0 : (double) charactersAgain / characters
        };
    }

    /** {@return how often a mark that ends sentences stands before white space, a quotation mark or the end} */
    private static int sentences(String text) {
        int sentences = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean wide = c == '\u3002' || c == '\uFF01' || c == '\uFF1F';
            if (wide || c == '.' || c == '!' || c == '?') {
                char next = i + 1 < text.length() ? text.charAt(i + 1) : ' ';
                sentences += wide || Character.isWhitespace(next) || "\"'\u201D\u2019)".indexOf(next) >= 0 ? 1 : 0;
            }
        }
        return sentences;
    }

    private static long hash(String text, int from, int to) {
        long hash = to - from;
        int at = from;
        for (; at + 4 <= to; at += 4) {
            hash = XXH64.hashLong(
                    (long) text.charAt(at) << 48
                            | (long) text.charAt(at + 1) << 32
                            | (long) text.charAt(at + 2) << 16
                            | text.charAt(at + 3),
                    hash);
        }
        for (; at < to; at++) {
            hash = XXH64.hashLong(text.charAt(at), hash);
        }
        return hash;
    }

    /** What white space divides. */
    private static final class Tokens {
        private long[] hashes = new long[64];
        private int[] lengths = new int[64];
        private int count;
        private long characters;
        private int alphabetic;
        private int stopWords;

        static Tokens of(String text) {
            Tokens tokens = new Tokens();
            Set<String> stopWords = new HashSet<>();
            int start = -1;
            for (int i = 0; i <= text.length(); i++) {
                boolean blank = i == text.length()
                        || Character.isWhitespace(text.charAt(i))
                        || Character.isSpaceChar(text.charAt(i));
                if (!blank && start < 0) {
                    start = i;
                } else if (blank && start >= 0) {
                    tokens.add(text, start, i);
                    if (i - start <= 4) {
                        String word = text.substring(start, i).toLowerCase(Locale.ROOT);
                        if (STOP_WORDS.contains(word)) {
                            stopWords.add(word);
                        }
                    }
                    start = -1;
                }
            }
            tokens.stopWords = stopWords.size();
            return tokens;
        }

        private void add(String text, int from, int to) {
            if (count == hashes.length) {
                hashes = Arrays.copyOf(hashes, count * 2);
                lengths = Arrays.copyOf(lengths, count * 2);
            }
            hashes[count] = hash(text, from, to);
            lengths[count++] = to - from;
            characters += to - from;
            boolean letter = false;
            for (int i = from; i < to && !letter; i++) {
                letter = Character.isLetter(text.codePointAt(i));
            }
            alphabetic += letter ? 1 : 0;
        }

        double share(int part) {
            return count == 0 ? 0 : (double) part / count;
        }

        /** {@return the share of characters of words in occurrences of the most frequent n-gram that stands twice} */
        double top(int size) {
            int ngrams = count - size + 1;
            if (ngrams < 2) {
                return 0;
            }
            long[] sorted = new long[ngrams];
            for (int i = 0; i < ngrams; i++) {
                sorted[i] = ngram(i, size);
            }
            Arrays.sort(sorted);
            int most = 1;
            long which = 0;
            for (int i = 0, run = 0; i < ngrams; i++) {
                run = i > 0 && sorted[i] == sorted[i - 1] ? run + 1 : 1;
                if (run > most) {
                    most = run;
                    which = sorted[i];
                }
            }
            if (most == 1) {
                return 0;
            }
            return covered(size, which, null);
        }

        /** {@return the share of characters of words in n-grams that stood before; where such overlap they count once} */
        double duplicated(int size) {
            return count - size + 1 < 2 ? 0 : covered(size, 0, new LongSet());
        }

        private double covered(int size, long wanted, LongSet seen) {
            long covered = 0;
            int end = 0;
            for (int i = 0; i + size <= count; i++) {
                long ngram = ngram(i, size);
                if (seen == null ? ngram == wanted : !seen.add(ngram)) {
                    for (int word = Math.max(i, end); word < i + size; word++) {
                        covered += lengths[word];
                    }
                    end = i + size;
                }
            }
            return (double) covered / characters;
        }

        private long ngram(int at, int size) {
            long hash = size;
            for (int i = at; i < at + size; i++) {
                hash = XXH64.hashLong(hashes[i], hash);
            }
            return hash;
        }
    }
}
