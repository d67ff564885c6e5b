package dev.paloverde.gpu.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Writes a Llama of one layer, with random weights and a tokenizer of bytes. */
final class TestModel {
    static final int VOCABULARY = 260;
    static final int HIDDEN = 16;
    static final int INTERMEDIATE = 24;

    final ObjectNode configuration = TestTokenizer.JSON.createObjectNode();
    final List<Weight> weights = new ArrayList<>();

    TestModel() {
        configuration.putArray("architectures").add("LlamaForCausalLM");
        configuration
                .put("model_type", "llama")
                .put("vocab_size", VOCABULARY)
                .put("hidden_size", HIDDEN)
                .put("intermediate_size", INTERMEDIATE)
                .put("num_hidden_layers", 1)
                .put("num_attention_heads", 2)
                .put("num_key_value_heads", 1)
                .put("max_position_embeddings", 64)
                .put("bos_token_id", 256)
                .put("eos_token_id", 257);
        weight("model.embed_tokens.weight", VOCABULARY, HIDDEN);
        weight("model.layers.0.input_layernorm.weight", HIDDEN);
        weight("model.layers.0.self_attn.q_proj.weight", HIDDEN, HIDDEN);
        weight("model.layers.0.self_attn.k_proj.weight", HIDDEN / 2, HIDDEN);
        weight("model.layers.0.self_attn.v_proj.weight", HIDDEN / 2, HIDDEN);
        weight("model.layers.0.self_attn.o_proj.weight", HIDDEN, HIDDEN);
        weight("model.layers.0.post_attention_layernorm.weight", HIDDEN);
        weight("model.layers.0.mlp.gate_proj.weight", INTERMEDIATE, HIDDEN);
        weight("model.layers.0.mlp.up_proj.weight", INTERMEDIATE, HIDDEN);
        weight("model.layers.0.mlp.down_proj.weight", HIDDEN, INTERMEDIATE);
        weight("model.norm.weight", HIDDEN);
        weight("lm_head.weight", VOCABULARY, HIDDEN);
    }

    TestModel write(Path directory) {
        TestTokenizer.write(directory.resolve("config.json"), configuration);
        TestTokenizer.bytes().write(directory);
        file(weights).write(directory.resolve("model.safetensors"));
        return this;
    }

    static TestSafetensors file(List<Weight> weights) {
        TestSafetensors file = new TestSafetensors();
        weights.forEach(weight -> file.floats(weight.name, weight.shape, weight.values));
        return file;
    }

    Weight weight(String name) {
        return weights.stream()
                .filter(weight -> weight.name.equals(name))
                .findFirst()
                .orElseThrow();
    }

    private void weight(String name, int... shape) {
        int size = 1;
        for (int extent : shape) {
            size *= extent;
        }
        Random random = new Random(name.hashCode());
        float[] values = new float[size];
        for (int i = 0; i < size; i++) {
            values[i] = (float) random.nextGaussian() / 4;
        }
        weights.add(new Weight(name, shape, values));
    }

    /** A tensor. */
    record Weight(String name, int[] shape, float[] values) {}
}
