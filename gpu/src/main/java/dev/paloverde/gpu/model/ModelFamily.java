package dev.paloverde.gpu.model;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/** The families of decoder-only transformers that run here, by the names that Hugging Face's files give them. */
public enum ModelFamily {
    /** Llama 1 to 3 and what is built like them (SmolLM2, TinyLlama and many more). */
    LLAMA("LlamaForCausalLM", "llama"),
    /** Qwen2 and Qwen2.5: biases on queries, keys and values. */
    QWEN2("Qwen2ForCausalLM", "qwen2"),
    /** Qwen3, dense: queries and keys are normalised. */
    QWEN3("Qwen3ForCausalLM", "qwen3"),
    /** Mistral 7B and its kin: a sliding window on every layer, where there is one. */
    MISTRAL("MistralForCausalLM", "mistral");

    private final String architecture;
    private final String modelType;

    ModelFamily(String architecture, String modelType) {
        this.architecture = architecture;
        this.modelType = modelType;
    }

    /** {@return the name in {@code architectures} of config.json} */
    public String architecture() {
        return architecture;
    }

    /** {@return the name in {@code model_type} of config.json} */
    public String modelType() {
        return modelType;
    }

    static Optional<ModelFamily> ofArchitecture(String architecture) {
        return Arrays.stream(values())
                .filter(family -> family.architecture.equals(architecture))
                .findFirst();
    }

    static Optional<ModelFamily> ofModelType(String modelType) {
        return Arrays.stream(values())
                .filter(family -> family.modelType.equals(modelType))
                .findFirst();
    }

    static String supported() {
        return Arrays.stream(values()).map(ModelFamily::architecture).collect(Collectors.joining(", "));
    }
}
