package dev.paloverde.gpu.model;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/** The families of vision transformers that run here, by the names that Hugging Face's files give them. */
public enum VisionFamily {
    /** SigLIP, and SigLIP 2 at a fixed resolution, whose files have the same layout. */
    SIGLIP("siglip_vision_model", "siglip"),
    /** SigLIP 2 with native aspect ratios; here at the square for which it has position embeddings. */
    SIGLIP2("siglip2_vision_model", "siglip2"),
    /** DINOv2. */
    DINOV2("dinov2", null),
    /** DINOv2 with registers. */
    DINOV2_WITH_REGISTERS("dinov2_with_registers", null);

    private final String modelType;
    private final String pairType;

    VisionFamily(String modelType, String pairType) {
        this.modelType = modelType;
        this.pairType = pairType;
    }

    /** {@return the name in {@code model_type} of config.json} */
    public String modelType() {
        return modelType;
    }

    static Optional<VisionFamily> ofModelType(String modelType) {
        return Arrays.stream(values())
                .filter(family -> family.modelType.equals(modelType))
                .findFirst();
    }

    /** {@return the family of the vision half of a model of this type, which also has a half for text} */
    static Optional<VisionFamily> ofPair(String modelType) {
        return Arrays.stream(values())
                .filter(family -> modelType.equals(family.pairType))
                .findFirst();
    }

    boolean isDino() {
        return this == DINOV2 || this == DINOV2_WITH_REGISTERS;
    }

    static String supported() {
        return Arrays.stream(values()).map(VisionFamily::modelType).collect(Collectors.joining(", "))
                + ", and siglip or siglip2 for the vision half of a pair";
    }
}
