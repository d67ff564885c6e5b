package dev.paloverde.gpu.decode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class RowKeyTest {
    @Test
    void differentFieldsHaveDifferentKeys() {
        List<RowKey> keys = List.of(
                RowKey.of(),
                RowKey.of((Object) null),
                RowKey.of(""),
                RowKey.of("", ""),
                RowKey.of("a", "b"),
                RowKey.of("ab"),
                RowKey.of("ab", ""),
                RowKey.of("", "ab"),
                RowKey.of(List.of("ab")),
                RowKey.of(List.of("a", "b")),
                RowKey.of(List.of("a"), "b"),
                RowKey.of((Object) "ab".getBytes(StandardCharsets.UTF_8)),
                RowKey.of(1),
                RowKey.of(1.0),
                RowKey.of("1"),
                RowKey.of(true),
                RowKey.of(new int[] {1}),
                RowKey.of("\uD800"),
                RowKey.of("\uD801"),
                RowKey.of("?"));
        assertThat(Set.copyOf(keys)).hasSameSizeAs(keys);
    }

    @Test
    void equalFieldsHaveEqualKeys() {
        assertThat(Stream.of(1L, 1, (short) 1, (byte) 1).map(RowKey::of).collect(Collectors.toSet()))
                .hasSize(1);
        assertThat(RowKey.of(0.5f)).isEqualTo(RowKey.of(0.5));
        assertThat(RowKey.of(Arrays.asList("a", null))).isEqualTo(RowKey.of(Arrays.asList("a", null)));
        assertThat(RowKey.of("x").toString()).matches("[0-9a-f]{32}");
    }

    /** Outputs that users have stored are found again by these bits. */
    @Test
    void doesNotChangeFromReleaseToRelease() {
        // SHA-256 of 53 00000003 e29882, by sha256sum
        assertThat(RowKey.of("☂")).hasToString("c9a78c23485555e881b5780d85a916b5");
    }

    @Test
    void refusesWhatItCannotTellApart() {
        assertThatThrownBy(() -> RowKey.of(new Object()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("java.lang.Object");
    }

    @Test
    void receiptsDoNotDependOnTheOrderOfParameters() {
        Map<String, Object> forward = new LinkedHashMap<>();
        forward.put("temperature", 0.7);
        forward.put("stop", List.of("\n"));
        Map<String, Object> backward = new LinkedHashMap<>();
        backward.put("stop", List.of("\n"));
        backward.put("temperature", 0.7);
        Receipt receipt = new Receipt("f00d", "cpu-1", "generate", forward, 3, "bf16");
        assertThat(receipt.json())
                .isEqualTo("{\"data-type\":\"bf16\",\"function\":\"generate\",\"kernels\":\"cpu-1\",\"model\":\"f00d\","
                        + "\"parameters\":{\"stop\":[\"\\n\"],\"temperature\":0.7},\"seed\":3}");
        assertThat(receipt.digest())
                .matches("[0-9a-f]{32}")
                .isEqualTo(new Receipt("f00d", "cpu-1", "generate", backward, 3, "bf16").digest())
                .isNotEqualTo(new Receipt("f00d", "cpu-1", "generate", backward, 4, "bf16").digest())
                .isNotEqualTo(new Receipt("f00e", "cpu-1", "generate", backward, 3, "bf16").digest())
                .isNotEqualTo(new Receipt("f00d", "cpu-2", "generate", backward, 3, "bf16").digest());
    }
}
