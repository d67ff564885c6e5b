package dev.paloverde.udfs.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.paloverde.gpu.decode.Receipt;
import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Settings;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TextModelTest {
    private static Receipt receipt(Map<String, String> options) {
        return TextModel.receipt(
                "fingerprint", "", "kernels", Settings.resolve(Operation.SCORE, options, Map.of()), Operation.SCORE);
    }

    @Test
    void theWeightsTypeIsPartOfTheReceiptByItself() {
        Receipt stored = receipt(Map.of());
        Receipt quantized = receipt(Map.of("quantization", "fp8"));
        assertThat(stored.dataType()).isEqualTo("as-stored");
        assertThat(quantized.dataType()).isEqualTo("fp8");
        assertThat(quantized.parameters()).isEqualTo(stored.parameters());
        assertThat(quantized.parameters().containsKey("quantization")).isFalse();
        assertThat(quantized.digest()).isNotEqualTo(stored.digest());
        assertThat(receipt(Map.of("quantization", "none"))).isEqualTo(stored);
    }

    @Test
    void thereAreNoOtherTypes() {
        assertThatThrownBy(() -> receipt(Map.of("quantization", "int4")))
                .hasMessageContaining("quantization")
                .hasMessageContaining("none, fp8");
    }
}
