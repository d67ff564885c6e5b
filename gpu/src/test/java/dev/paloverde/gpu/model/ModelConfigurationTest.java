package dev.paloverde.gpu.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Attention;
import dev.paloverde.gpu.kernels.Rotary;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Configurations against what transformers made of them, which {@code src/test/recipes/configurations.py} wrote down. */
class ModelConfigurationTest {
    private static final Path FILE = Path.of("model", "config.json");

    static Stream<Named<JsonNode>> cases() throws IOException {
        try (InputStream in = ModelConfigurationTest.class.getResourceAsStream("/configurations.json")) {
            JsonNode cases = TestTokenizer.JSON.readTree(in).path("cases");
            return StreamSupport.stream(cases.spliterator(), false)
                    .map(node -> Named.of(node.path("config").toString(), node))
                    .toList()
                    .stream();
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void readsWhatTransformersReads(JsonNode node) {
        ModelConfiguration ours = ModelConfiguration.of(node.path("config"), FILE);
        JsonNode theirs = node.path("expected");
        assertThat(ours.vocabulary()).isEqualTo(theirs.path("vocabulary").intValue());
        assertThat(ours.hidden()).isEqualTo(theirs.path("hidden").intValue());
        assertThat(ours.intermediate()).isEqualTo(theirs.path("intermediate").intValue());
        assertThat(ours.layers()).isEqualTo(theirs.path("layers").intValue());
        assertThat(ours.queryHeads()).isEqualTo(theirs.path("queryHeads").intValue());
        assertThat(ours.keyValueHeads()).isEqualTo(theirs.path("keyValueHeads").intValue());
        assertThat(ours.headWidth()).isEqualTo(theirs.path("headWidth").intValue());
        assertThat(ours.context())
                .isGreaterThanOrEqualTo(theirs.path("positions").intValue());
        assertThat(ours.normEpsilon()).isEqualTo(theirs.path("normEpsilon").floatValue());
        assertThat(ours.tiedEmbeddings())
                .isEqualTo(theirs.path("tiedEmbeddings").booleanValue());
        List<Integer> windows = new ArrayList<>();
        theirs.path("windows")
                .forEach(window -> windows.add(window.isNull() ? Attention.UNLIMITED : window.intValue()));
        assertThat(ours.windows()).isEqualTo(windows);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void rotatesAsTransformersRotates(JsonNode node) {
        Rotary ours = ModelConfiguration.of(node.path("config"), FILE).rotary();
        JsonNode theirs = node.path("expected");
        assertThat(ours.magnitude()).isEqualTo(theirs.path("magnitude").floatValue());
        assertThat(ours.frequencies()).hasSize(theirs.path("frequencies").size());
        for (int i = 0; i < ours.frequencies().length; i++) {
            float expected = theirs.path("frequencies").get(i).floatValue();
            assertThat(ours.frequencies()[i]).isCloseTo(expected, within(4 * Math.ulp(expected)));
        }
    }

    @Test
    void stretchesTheContextWithYarn() {
        ObjectNode tree = llama();
        tree.put("max_position_embeddings", 32_768);
        tree.putObject("rope_scaling")
                .put("type", "yarn")
                .put("factor", 4.0)
                .put("original_max_position_embeddings", 32_768);
        assertThat(ModelConfiguration.of(tree, FILE).context()).isEqualTo(131_072);
    }

    @Test
    void knowsTheBiasesOfEachFamily() {
        for (ModelFamily family : ModelFamily.values()) {
            ObjectNode tree = llama();
            tree.putArray("architectures").add(family.architecture());
            ModelConfiguration shape = ModelConfiguration.of(tree, FILE);
            assertThat(shape.family()).isEqualTo(family);
            assertThat(shape.queryKeyValueBias()).isEqualTo(family == ModelFamily.QWEN2);
            assertThat(shape.outputBias()).isFalse();
            assertThat(shape.feedForwardBias()).isFalse();
            assertThat(shape.queryKeyNorm()).isEqualTo(family == ModelFamily.QWEN3);
            tree.put("attention_bias", true).put("mlp_bias", true);
            ModelConfiguration biased = ModelConfiguration.of(tree, FILE);
            boolean configurable = family == ModelFamily.LLAMA || family == ModelFamily.QWEN3;
            assertThat(biased.queryKeyValueBias()).isEqualTo(configurable || family == ModelFamily.QWEN2);
            assertThat(biased.outputBias()).isEqualTo(configurable);
            assertThat(biased.feedForwardBias()).isEqualTo(family == ModelFamily.LLAMA);
        }
    }

    @Test
    void namesTheArchitecturesThereAre() {
        ObjectNode tree = llama();
        tree.putArray("architectures").add("GPT2LMHeadModel");
        assertThatThrownBy(() -> ModelConfiguration.of(tree, FILE))
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNSUPPORTED_MODEL))
                .hasMessageContaining("GPT2LMHeadModel")
                .hasMessageContaining("LlamaForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM, MistralForCausalLM");
        tree.remove("architectures");
        tree.put("model_type", "gpt2");
        assertThatThrownBy(() -> ModelConfiguration.of(tree, FILE)).hasMessageContaining("'gpt2'");
        tree.put("model_type", "qwen3");
        assertThat(ModelConfiguration.of(tree, FILE).family()).isEqualTo(ModelFamily.QWEN3);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '~',
            value = {
                "UNSUPPORTED_MODEL | hidden_act          | \"gelu\"",
                "UNSUPPORTED_MODEL | quantization_config | {\"quant_method\": \"gptq\"}",
                "UNSUPPORTED_MODEL | rope_scaling        | {\"type\": \"dynamic\", \"factor\": 2.0}",
                "UNSUPPORTED_MODEL | rope_scaling        | {\"rope_type\": \"longrope\"}",
                "UNSUPPORTED_MODEL | rope_parameters     | {\"full_attention\": {\"rope_type\": \"default\"}}",
                "UNSUPPORTED_MODEL | partial_rotary_factor | 0.5",
                "MODEL_CORRUPT | rope_scaling        | {\"rope_type\": \"linear\"}",
                "MODEL_CORRUPT | rope_scaling        | {\"rope_type\": \"linear\", \"factor\": -1}",
                "MODEL_CORRUPT | rope_scaling        | {\"rope_type\": \"llama3\", \"factor\": 8}",
                "MODEL_CORRUPT | rope_scaling        | {\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, \"high_freq_factor\": 1}",
                "MODEL_CORRUPT | rope_scaling        | 7",
                "MODEL_CORRUPT | rope_theta          | 0",
                "MODEL_CORRUPT | vocab_size          | 0",
                "MODEL_CORRUPT | vocab_size          | -5",
                "MODEL_CORRUPT | vocab_size          | 99999999999",
                "MODEL_CORRUPT | hidden_size         | \"64\"",
                "MODEL_CORRUPT | hidden_size         | 63",
                "MODEL_CORRUPT | hidden_size         | 64.5",
                "MODEL_CORRUPT | hidden_size         | 2000000000",
                "MODEL_CORRUPT | num_hidden_layers   | 100000000",
                "MODEL_CORRUPT | num_attention_heads | 0",
                "MODEL_CORRUPT | num_key_value_heads | 3",
                "MODEL_CORRUPT | head_dim            | 15",
                "MODEL_CORRUPT | head_dim            | 1000000",
                "MODEL_CORRUPT | rms_norm_eps        | -1",
                "MODEL_CORRUPT | tie_word_embeddings | 1",
                "MODEL_CORRUPT | max_position_embeddings | 0",
            })
    void refusesWhatItCannotRun(String code, String key, String value) throws IOException {
        ObjectNode tree = llama();
        tree.set(key, TestTokenizer.JSON.readTree(value));
        assertThatThrownBy(() -> ModelConfiguration.of(tree, FILE))
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.valueOf(code)))
                .hasMessageContaining(FILE.toString());
    }

    @Test
    void refusesWindowsThatContradictThemselves() {
        ObjectNode tree = llama();
        tree.putArray("architectures").add("Qwen2ForCausalLM");
        tree.putArray("layer_types").add("full_attention").add("sliding_attention");
        assertThatThrownBy(() -> ModelConfiguration.of(tree, FILE)).hasMessageContaining("layer_types");
        tree.withArray("layer_types").add("full_attention");
        assertThatThrownBy(() -> ModelConfiguration.of(tree, FILE)).hasMessageContaining("a list of 2");
        tree.putArray("layer_types").add("full_attention").add("linear_attention");
        assertThatThrownBy(() -> ModelConfiguration.of(tree, FILE))
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNSUPPORTED_MODEL));
    }

    @Property(tries = 500)
    void readsOrRefusesAnyValue(@ForAll("keys") String key, @ForAll("values") JsonNode value) {
        ObjectNode tree = llama();
        tree.set(key, value);
        try {
            ModelConfiguration shape = ModelConfiguration.of(tree, FILE);
            assertThat(shape.rotary().frequencies()).hasSize(shape.headWidth() / 2);
            for (float frequency : shape.rotary().frequencies()) {
                assertThat(frequency).isFinite();
            }
        } catch (PaloverdeException e) {
            assertThat(e.code()).isIn(ErrorCode.UNSUPPORTED_MODEL, ErrorCode.MODEL_CORRUPT);
        }
    }

    @Provide
    Arbitrary<String> keys() {
        return Arbitraries.of(
                "architectures",
                "model_type",
                "vocab_size",
                "hidden_size",
                "intermediate_size",
                "num_hidden_layers",
                "num_attention_heads",
                "num_key_value_heads",
                "head_dim",
                "max_position_embeddings",
                "rms_norm_eps",
                "tie_word_embeddings",
                "rope_theta",
                "rope_scaling",
                "rope_parameters",
                "attention_bias",
                "hidden_act",
                "quantization_config",
                "partial_rotary_factor",
                "original_max_position_embeddings");
    }

    @Provide
    Arbitrary<JsonNode> values() {
        return Arbitraries.of(
                        "null",
                        "true",
                        "0",
                        "1",
                        "2",
                        "-1",
                        "3",
                        "64",
                        "1.5",
                        "1e300",
                        "-1e300",
                        "9223372036854775807",
                        "123456789012345678901234567890",
                        "\"\"",
                        "\"silu\"",
                        "\"llama\"",
                        "[]",
                        "[1]",
                        "[\"LlamaForCausalLM\"]",
                        "{}",
                        "{\"rope_type\": \"yarn\", \"factor\": 1}",
                        "{\"rope_type\": \"yarn\", \"factor\": 1e9}",
                        "{\"rope_type\": \"linear\", \"factor\": 1e-6}",
                        "{\"rope_type\": 3}",
                        "{\"rope_theta\": 1}",
                        "{\"rope_type\": \"yarn\", \"factor\": 2, \"rope_theta\": 1}",
                        "{\"rope_type\": \"llama3\", \"factor\": 2, \"low_freq_factor\": 1e-6, \"high_freq_factor\": 1e9}")
                .map(ModelConfigurationTest::parse);
    }

    private static JsonNode parse(String json) {
        try {
            return TestTokenizer.JSON.readTree(json);
        } catch (IOException e) {
            throw new IllegalArgumentException(json, e);
        }
    }

    private static ObjectNode llama() {
        ObjectNode tree = TestTokenizer.JSON.createObjectNode();
        tree.putArray("architectures").add("LlamaForCausalLM");
        return tree.put("vocab_size", 300)
                .put("hidden_size", 64)
                .put("intermediate_size", 96)
                .put("num_hidden_layers", 2)
                .put("num_attention_heads", 4)
                .put("num_key_value_heads", 2);
    }
}
