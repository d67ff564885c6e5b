package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class StopTextsTest {
    private static final HashModel.ByteTokenizer TOKENIZER = new HashModel.ByteTokenizer();

    @Property(tries = 200)
    void aStopIsNoticedWithTheTokenThatCompletesIt(@ForAll long seed) {
        Random random = new Random(seed);
        List<String> stops = random.nextBoolean() ? List.of("fffeeb", "ä aa") : List.of("abcabcabcabcdef", "ää");
        StopTexts texts = new StopTexts(TOKENIZER, stops);
        int[] tokens = random.ints(600, 1, HashModel.POISON).toArray();
        for (int count = 1; count <= tokens.length; count++) {
            String whole = TOKENIZER.decode(Arrays.copyOf(tokens, count));
            boolean stopped = stops.stream().anyMatch(whole::contains);
            assertThat(texts.reached(tokens, count)).isEqualTo(stopped);
            if (stopped) {
                int cut = stops.stream()
                        .mapToInt(whole::indexOf)
                        .filter(at -> at >= 0)
                        .min()
                        .orElseThrow();
                assertThat(texts.text(tokens, count)).isEqualTo(whole.substring(0, cut));
                return;
            }
        }
        assertThat(texts.text(tokens, tokens.length)).isEqualTo(TOKENIZER.decode(tokens));
    }

    @Test
    void aCharacterMayBeginInOneTokenAndEndInAnother() {
        StopTexts texts = new StopTexts(TOKENIZER, List.of("ä"));
        int[] tokens = {4, 1, 2};
        assertThat(texts.reached(tokens, 1)).isFalse();
        assertThat(texts.reached(tokens, 2)).isFalse();
        assertThat(texts.reached(tokens, 3)).isTrue();
        assertThat(texts.text(tokens, 3)).isEqualTo("aa");
    }
}
