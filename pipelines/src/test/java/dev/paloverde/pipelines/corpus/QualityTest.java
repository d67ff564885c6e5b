package dev.paloverde.pipelines.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Size;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class QualityTest {
    private static double signal(String name, String text) {
        return QualitySignals.compute(text)[QualitySignals.NAMES.indexOf(name)];
    }

    @ParameterizedTest
    @CsvSource({
        "words, 7",
        "mean_word_length, 3.2857",
        "bullet_lines, 0.3333",
        "ellipsis_lines, 0.3333",
        "alphabetic_words, 0.8571",
        "stop_words, 2",
        "symbols_per_word, 0.1429",
        "sentences, 2",
        "curly_brackets, 1",
        "punctuated_lines, 0.6667",
        "short_lines, 1",
        "lorem_ipsum, 0",
        "duplicate_lines, 0"
    })
    void signalsAreWhatTheyAreCalled(String name, double value) {
        assertThat(signal(name, "- the cat\n\n of {x}.\nTHE moon...")).as(name).isCloseTo(value, within(5e-5));
    }

    @Test
    void repetitionCountsWhatStoodBefore() {
        String twice = "one line\none line\n\nanother\n\nanother";
        assertThat(signal("duplicate_lines", twice)).isEqualTo(0.5);
        assertThat(signal("duplicate_line_characters", twice)).isEqualTo(15.0 / twice.length());
        assertThat(signal("duplicate_paragraphs", twice)).isCloseTo(1 / 3.0, within(1e-9));
        // "a b" stands three times: 6 of 8 characters; in a row of equal words overlaps count once
        assertThat(signal("top_2_gram_characters", "a b x a b y a b")).isEqualTo(0.75);
        assertThat(signal("top_2_gram_characters", "aa aa aa aa")).isEqualTo(1);
        assertThat(signal("top_2_gram_characters", "a b c d")).isZero();
        assertThat(signal("duplicate_5_gram_characters", "a b c d e a b c d e f"))
                .isCloseTo(5 / 11.0, within(1e-9));
        assertThat(signal("duplicate_6_gram_characters", "a b c d e a b c d e f"))
                .isZero();
    }

    @Test
    void aTextIsJudgedByTheFirstRuleItBreaks() {
        Map<String, String> texts = new TreeMap<>();
        texts.put("braces", "One. Two. Three. {");
        texts.put("good", "One sentence. Another sentence. And a third of them.");
        texts.put("null", null);
        texts.put("short", "the of\n");

        Map<String, String> broken = new TreeMap<>();
        LocalSpark.documents(texts, 2)
                .select(
                        functions.col("row_key"),
                        QualityRules.broken(List.of(QualityRules.C4), QualitySignals.of(functions.col("text"))))
                .collectAsList()
                .forEach(row -> broken.put(row.getString(0), row.getString(1)));

        assertThat(broken).containsEntry("braces", "C4.curly_brackets");
        assertThat(broken).containsEntry("short", "C4.sentences");
        assertThat(broken.get("good")).isNull();
        assertThat(broken.get("null")).isNull();
    }

    @Test
    void everyRuleHasItsSignal() {
        for (QualityRules set : QualityRules.values()) {
            assertThat(set.rules())
                    .isNotEmpty()
                    .allSatisfy(rule -> assertThat(QualitySignals.NAMES).contains(rule.signal()));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"café — “naïve” €5", "Привет, мир", "Ελληνικά", "smile 😀 and ½"})
    void misreadTextIsReadAgain(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        StringBuilder misread = new StringBuilder();
        for (byte value : utf8) {
            String one = new String(new byte[] {value}, Charset.forName("windows-1252"));
            misread.append(one.equals("\uFFFD") ? String.valueOf((char) (value & 0xFF)) : one);
        }
        assertThat(misread.toString()).isNotEqualTo(text);

        assertThat(TextRepair.repair("plain\n" + misread)).isEqualTo("plain\n" + text);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"CAFÉ…", "“IRMÔ", "Ãàé", "São Paulo: R$ 5 £", "naïve â", "你好 Ã©", "Â", "ÐÑ", "tab\tstays\n\nso"})
    void whatAnAuthorMayHaveMeantStays(String text) {
        assertThat(TextRepair.repair(text)).isEqualTo(text);
    }

    @Example
    void controlsGoAndLineEndsBecomeOne() {
        assertThat(TextRepair.repair("\uFEFFa\u0000b\u0007\r\nc\rd\u0085 e\u0301\n"))
                .isEqualTo("ab\nc\nd \u00E9\n");
    }

    @Property(tries = 300)
    void mendingEndsAndLeavesNoControls(@ForAll @Size(max = 200) String text) {
        String once = TextRepair.repair(text);

        assertThat(once.chars().filter(c -> Character.isISOControl(c) && c != '\n' && c != '\t'))
                .isEmpty();
        assertThat(TextRepair.repair(once)).isEqualTo(once);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "mail jo.doe+x@mail.example.co.uk, now;mail |||EMAIL_ADDRESS|||, now",
                "a@b is none, nor @home;a@b is none, nor @home",
                "at 8.8.8.8.;at |||IP_ADDRESS|||.",
                "home 192.168.0.1 and 127.0.0.1 and 1.2.3.4.5 and 300.1.1.1;home 192.168.0.1 and 127.0.0.1 and 1.2.3.4.5 and 300.1.1.1",
                "at 2001:4860:4860::8888!;at |||IP_ADDRESS|||!",
                "std::vector a::b 12:30:45 fe80::1:2:3;std::vector a::b 12:30:45 fe80::1:2:3",
                "call (520) 555-0123 or +1 520-555-0123;call |||PHONE_NUMBER||| or |||PHONE_NUMBER|||",
                "the years 1999-2000 and 12345678901234;the years 1999-2000 and 12345678901234"
            })
    void personalDataIsMasked(String text, String masked) {
        assertThat(PersonalData.mask(text)).isEqualTo(masked);
        assertThat(PersonalData.mask(masked)).isEqualTo(masked);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "a.", "1.", "1", "@", "a@a.", ":", "1:", "(", "Ã©", "Ã ", "a a ", "\n", "{", "Ａ"})
    void tenMegabytesOfAnythingAreDoneInTime(String unit) {
        String text = unit.repeat(10_000_000 / unit.length());
        assertTimeoutPreemptively(Duration.ofSeconds(100), () -> {
            assertThat(PersonalData.mask(text)).isNotNull();
            assertThat(TextRepair.repair(text)).isNotNull();
            assertThat(Documents.contentKey(text)).hasSize(32);
            assertThat(Words.of(text).count()).isLessThanOrEqualTo(text.length());
        });
        assertTimeoutPreemptively(
                Duration.ofSeconds(100),
                () -> assertThat(QualitySignals.compute(text)).doesNotContain(Double.NaN));
    }

    @Property(tries = 200)
    void aSetOfLongsIsASet(@ForAll @Size(max = 300) List<Long> values) {
        LongSet set = new LongSet();
        Set<Long> expected = new HashSet<>();
        for (long value : values) {
            assertThat(set.add(value)).isEqualTo(expected.add(value));
        }
        assertThat(expected).allMatch(set::contains);
        assertThat(set.contains(0)).isEqualTo(expected.contains(0L));
    }
}
