package dev.paloverde.udfs.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.paloverde.udfs.Settings.OnInvalidUtf8;
import java.nio.charset.StandardCharsets;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class Utf8Test {
    @Property
    void readsWhatIsWellFormed(@ForAll String any) {
        String text = new String(any.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        assertThat(Utf8.read(bytes, OnInvalidUtf8.ERROR)).isEqualTo(text);
        assertThat(Utf8.length(text)).isEqualTo(bytes.length);
    }

    @Test
    void namesThePlaceOfWhatIsNot() {
        byte[][] malformed = {
            {'a', (byte) 0xff},
            {'a', (byte) 0xc3},
            {'a', (byte) 0xed, (byte) 0xa0, (byte) 0x80},
            {'a', (byte) 0xc0, (byte) 0x80}
        };
        for (byte[] bytes : malformed) {
            assertThatThrownBy(() -> Utf8.read(bytes, OnInvalidUtf8.ERROR)).hasMessageContaining("byte 1 of");
            assertThat(Utf8.read(bytes, OnInvalidUtf8.REPLACE)).startsWith("a\uFFFD");
        }
    }
}
