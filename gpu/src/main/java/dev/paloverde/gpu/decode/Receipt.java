package dev.paloverde.gpu.decode;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a result depends on besides its row. Two runs with equal receipts give equal results for equal row keys; limits
 * of the engine, which change no result, are not part of it.
 *
 * @param model fingerprint of the model's files, tokenizer included
 * @param kernels {@link dev.paloverde.gpu.kernels.Kernels#version()}
 * @param function what was computed: {@code generate}, {@code score}, ...
 * @param parameters of the function, by kebab-case name: strings, numbers, booleans, lists and maps of them; the order
 *     does not matter
 * @param seed of the random numbers
 * @param dataType how the weights are stored: {@code as-stored}, or {@code fp8}
 */
public record Receipt(
        String model, String kernels, String function, Map<String, ?> parameters, long seed, String dataType) {
    private static final ObjectMapper CANONICAL = JsonMapper.builder()
            .enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS)
            .build();

    /** {@return canonical JSON: no blanks, the keys of all objects sorted} */
    public String json() {
        Map<String, Object> fields = new TreeMap<>();
        fields.put("data-type", dataType);
        fields.put("function", function);
        fields.put("kernels", kernels);
        fields.put("model", model);
        fields.put("parameters", parameters);
        fields.put("seed", seed);
        try {
            return CANONICAL.writeValueAsString(fields);
        } catch (JsonProcessingException e) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION, "the parameters " + parameters + " cannot be written as JSON", e);
        }
    }

    /** {@return the first 32 hexadecimal digits of the SHA-256 of {@link #json()}} */
    public String digest() {
        byte[] hash = Hashing.sha256(json().getBytes(StandardCharsets.UTF_8));
        return HexFormat.of().formatHex(hash, 0, 16);
    }
}
