package dev.paloverde.gpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.AttentionForms.Element;
import dev.paloverde.gpu.kernels.AttentionForms.Extra;
import dev.paloverde.gpu.kernels.AttentionForms.Form;
import dev.paloverde.gpu.kernels.AttentionForms.Sight;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class AttentionFormsTest {
    private static final int[][] WIDTHS = {{64, 64}, {96, 96}, {128, 128}, {192, 128}, {256, 256}};

    @AfterEach
    void forget() {
        System.clearProperty(AttentionForms.UNTRIED_PROPERTY);
    }

    /** Every kernel that a host may ask for is in the binaries, and none is there that nobody asks for. */
    @Test
    void theBinariesHaveTheKernelsAndNoOthers() throws IOException {
        Set<Form> asked = new LinkedHashSet<>();
        for (Element element : Element.values()) {
            for (int[] widths : WIDTHS) {
                for (Extra extra : Extra.values()) {
                    asked.add(AttentionForms.steady(element, widths[0], widths[1], extra, 90));
                }
                for (Sight sight : Sight.values()) {
                    for (int keys : List.of(1, 2047, 2048, 8191, 8192, 1 << 20)) {
                        asked.add(AttentionForms.fastest(element, widths[0], widths[1], sight, keys));
                    }
                }
            }
        }
        asked.add(AttentionForms.steady(Element.BF16, 72, 72, Extra.NONE, 90));
        System.setProperty(AttentionForms.UNTRIED_PROPERTY, "true");
        asked.add(AttentionForms.steady(Element.BF16, 64, 64, Extra.NONE, 100));
        asked.add(AttentionForms.steady(Element.BF16, 128, 128, Extra.NONE, 100));

        Set<String> families = new TreeSet<>();
        Set<String> kernels = new TreeSet<>();
        asked.forEach(form -> {
            families.add(form.family());
            kernels.add(form.kernel());
            kernels.add(form.kernel() + "_prepare");
            assertThat(form.kernel()).startsWith(form.family() + "_");
        });
        List<String> built = new ArrayList<>();
        for (String family : families) {
            try (var in = AttentionForms.class.getResourceAsStream("/dev/paloverde/gpu/cuda/" + family + ".json")) {
                for (JsonNode kernel : new ObjectMapper().readTree(in).path("kernels")) {
                    built.add(kernel.path("name").asText());
                }
            }
        }
        assertThat(families)
                .containsExactly(
                        "attention_forward",
                        "attention_forward_sinks",
                        "attention_forward_sm100",
                        "attention_forward_softcap");
        assertThat(built).containsExactlyInAnyOrderElementsOf(kernels);
    }

    @Test
    void theFastestDependsOnKeysAndMask() {
        assertThat(kernel(64, Sight.CAUSAL, 8191)).isEqualTo("attention_forward_bf16_d64_r256_k64");
        assertThat(kernel(64, Sight.INTERVALS, 8192)).isEqualTo("attention_forward_bf16_d64_r192_k112");
        assertThat(kernel(128, Sight.ALL, 2047)).isEqualTo("attention_forward_bf16_d128_r128_k128");
        assertThat(kernel(128, Sight.ALL, 2048)).isEqualTo("attention_forward_bf16_d128_r192_k80");
        assertThat(kernel(128, Sight.CAUSAL, 8191)).isEqualTo("attention_forward_bf16_d128_r128_k128");
        assertThat(kernel(128, Sight.CAUSAL, 8192)).isEqualTo("attention_forward_bf16_d128_r192_k80");
        assertThat(kernel(128, Sight.INTERVALS, 1 << 20)).isEqualTo("attention_forward_bf16_d128_r128_k128");
        assertThat(kernel(96, Sight.ALL, 1 << 20)).isEqualTo("attention_forward_bf16_d96_r192_k96");
    }

    @Test
    void widthsAreRoundedUp() {
        assertThat(AttentionForms.width(1)).isEqualTo(64);
        assertThat(AttentionForms.width(64)).isEqualTo(64);
        assertThat(AttentionForms.width(72)).isEqualTo(72);
        assertThat(AttentionForms.width(73)).isEqualTo(96);
        assertThat(AttentionForms.width(129)).isEqualTo(256);
        assertThat(AttentionForms.width(257)).isZero();
        assertThat(AttentionForms.mostWidth()).isEqualTo(256);
    }

    @Test
    void whatHasNeverRunIsTakenOnlyOnRequest() {
        refuses(
                () -> AttentionForms.steady(Element.BF16, 128, 128, Extra.NONE, 100),
                "never run",
                "-Dpaloverde.cuda.untried-attention=true");
        System.setProperty(AttentionForms.UNTRIED_PROPERTY, "true");
        assertThat(AttentionForms.steady(Element.BF16, 128, 128, Extra.NONE, 100))
                .isEqualTo(new Form("attention_forward_sm100", "attention_forward_sm100_bf16_d128_r256_k128"));
        refuses(() -> AttentionForms.steady(Element.FP16, 128, 128, Extra.NONE, 100), "FP16", "another GPU");
        refuses(() -> AttentionForms.steady(Element.BF16, 128, 128, Extra.SINKS, 100), "SINKS", "another GPU");
        refuses(() -> AttentionForms.steady(Element.BF16, 96, 96, Extra.NONE, 100), "96x96", "another GPU");
    }

    @Test
    void namesTheWidthsThereAre() {
        assertThatThrownBy(() -> AttentionForms.steady(Element.BF16, 80, 80, Extra.NONE, 90))
                .isInstanceOf(PaloverdeException.class)
                .hasMessageContainingAll("heads of 80 and 80 numbers", "96x96", "192x128");
    }

    private static String kernel(int width, Sight sight, int keys) {
        return AttentionForms.fastest(Element.BF16, width, width, sight, keys).kernel();
    }

    private static void refuses(org.assertj.core.api.ThrowableAssert.ThrowingCallable call, String... words) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.DEVICE_UNAVAILABLE))
                .hasMessageContainingAll(words);
    }
}
