package dev.paloverde.pipelines.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LanguagesTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "eng | The toad slept in the cool mud all day, and woke when the first rain of the summer came.",
                "deu | Die Kröte schlief den ganzen Tag im kühlen Schlamm und erwachte, als der erste Regen kam.",
                "fra | Le crapaud dormait toute la journée dans la boue fraîche et se réveilla avec la pluie.",
                "spa | El sapo durmió todo el día en el barro fresco y despertó cuando llegó la primera lluvia.",
                "por | O sapo dormiu o dia todo na lama fresca e acordou quando chegou a primeira chuva do verão.",
                "rus | Жаба спала весь день в прохладной грязи и проснулась, когда пошёл первый летний дождь.",
                "ell | Ο φρύνος κοιμόταν όλη μέρα στη δροσερή λάσπη και ξύπνησε όταν ήρθε η πρώτη βροχή.",
                "cmn | 蟾蜍整天睡在凉爽的泥里，夏天的第一场雨来临时才醒过来。它很饿，于是出去找东西吃。",
                "jpn | ヒキガエルは一日中涼しい泥の中で眠り、夏の最初の雨が降ったときに目を覚ました。",
                "kor | 두꺼비는 하루 종일 시원한 진흙 속에서 자다가 여름 첫 비가 내리자 깨어났다.",
                "vie | Con cóc ngủ cả ngày trong bùn mát và thức dậy khi cơn mưa đầu tiên của mùa hè đến."
            })
    void tellsTheLanguageOfASentence(String code, String text) {
        assertThat(Languages.find(text).code()).isEqualTo(code);
        assertThat(Languages.find(text.repeat(300)).code()).isEqualTo(code);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " \n\t", "12345 67890.", "\u2603 \uD83D\uDE00 --- !!!", "Hello", "x"})
    void isNotSureOfWhatSaysTooLittle(String text) {
        assertThat(Languages.find(text).code()).isEqualTo(Languages.UNDETERMINED);
    }

    @Test
    void isLessSureOfCodeAndOfTwoLanguagesThanOfOne() {
        String english = "The toad slept in the cool mud all day, and woke when the first rain of the summer came. ";
        String german =
                "Die Kröte schlief den ganzen Tag im kühlen Schlamm und erwachte, als der erste Regen kam, denn sie. ";
        String code = "for (int i = 0; i < n; i++) { sum += a[i] * b[i]; } return sum / (double) n; ";
        double sure = Languages.find(english.repeat(5)).score();
        assertThat(sure).isGreaterThan(0.5);
        assertThat(Languages.find(code.repeat(5)).score()).isLessThan(sure / 2);
        assertThat(Languages.find((english + german).repeat(5)).score()).isLessThan(sure / 2);
    }

    @Test
    void longTextsAreLookedAtInPartsAndNoCharacterIsCut() {
        String begin = "a".repeat(Languages.PART_LENGTH);
        String text = begin + "\uD83D\uDE00".repeat(4_000_000) + "b".repeat(Languages.PART_LENGTH);
        String excerpt = Languages.excerpt(text);
        assertThat(excerpt).hasSizeLessThan(Languages.PARTS * (Languages.PART_LENGTH + 3));
        assertThat(excerpt).startsWith(begin).endsWith("b".repeat(Languages.PART_LENGTH) + "\n");
        assertThat(excerpt.codePoints().filter(LanguagesTest::isSurrogate)).isEmpty();
        String url = "http://" + "a@".repeat(20_000_000);
        assertTimeoutPreemptively(Duration.ofSeconds(20), () -> Languages.find(url));
    }

    private static boolean isSurrogate(int point) {
        return point >= Character.MIN_SURROGATE && point <= Character.MAX_SURROGATE;
    }

    @Property(tries = 200)
    void aTextHasOneLanguageWhoeverAsks(@ForAll String text) {
        List<Languages.Found> found = IntStream.range(0, 4)
                .parallel()
                .mapToObj(i -> Languages.find(text))
                .distinct()
                .toList();
        assertThat(found).hasSize(1);
        assertThat(found.get(0).score()).isBetween(0.0, 1.0);
    }

    @Test
    void languagesAreColumnsAndAFilter() {
        Map<String, String> texts = Map.of(
                "1", "The toad slept in the cool mud all day, and woke when the rain of the summer came.",
                "2", "Le crapaud dormait toute la journée dans la boue fraîche et se réveilla avec la pluie.",
                "3", "12345");
        Cleaning cleaning = new Cleaning("text", List.of(), List.of(), List.of("eng", Languages.UNDETERMINED));
        List<Row> rows = cleaning.documents(LocalSpark.documents(texts, 2).select(functions.col("text")))
                .orderBy("text")
                .collectAsList();
        assertThat(rows).extracting(row -> row.getAs(Cleaning.LANGUAGE)).containsExactly("und", "fra", "eng");
        assertThat(rows).extracting(row -> row.getAs(Cleaning.REASON)).containsExactly(null, "LANGUAGE", null);
        assertThat(rows).extracting(row -> row.getAs(Cleaning.DETAIL)).containsExactly(null, "fra", null);
        assertThatThrownBy(() -> new Cleaning("text", List.of(), List.of(), List.of("en")))
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_OPTION))
                .hasMessageContaining("'en'");
    }
}
