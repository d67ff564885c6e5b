package dev.paloverde.gpu.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * What a model's authors say about generating with it: {@code generation_config.json}, and {@code config.json} where
 * that is silent.
 *
 * @param begin the token that begins a text, where the model has one
 * @param ends the tokens that end a text, each once, in the order of the file; empty if the model never ends
 * @param padding the token that fills up batches elsewhere; never needed here
 * @param temperature 0 if the model decodes greedily by default
 * @param topK the most likely tokens to keep; 0 for all
 * @param topP the probability to keep; 1 for all
 * @param minP the least probability to keep, relative to the most likely token's; 0 for all
 * @param repetitionPenalty 1 for none
 */
public record GenerationDefaults(
        OptionalInt begin,
        List<Integer> ends,
        OptionalInt padding,
        float temperature,
        int topK,
        float topP,
        float minP,
        float repetitionPenalty) {

    public GenerationDefaults {
        ends = List.copyOf(ends);
    }

    /**
     * @param generation content of generation_config.json, or an empty object
     * @param configuration content of config.json
     * @param family whose config class has defaults of its own
     * @param vocabulary ids are below it
     * @param file for messages
     */
    static GenerationDefaults of(
            JsonNode generation, JsonNode configuration, ModelFamily family, int vocabulary, Path file) {
        Fields own = new Fields(generation, file);
        Fields model = new Fields(configuration, file.resolveSibling("config.json"));
        boolean samples = own.flag("do_sample", false);
        return new GenerationDefaults(
                first(ids(own, "bos_token_id", vocabulary), idsOrDefault(model, "bos_token_id", vocabulary, family)),
                either(ids(own, "eos_token_id", vocabulary), idsOrDefault(model, "eos_token_id", vocabulary, family)),
                first(ids(own, "pad_token_id", vocabulary), ids(model, "pad_token_id", vocabulary)),
                samples ? (float) own.number("temperature", 1, 0, 100) : 0,
                // transformers samples from the 50 most likely tokens unless told otherwise
                samples ? own.integer("top_k", 50, 0, Integer.MAX_VALUE) : 0,
                samples ? (float) own.number("top_p", 1, 0, 1) : 1,
                samples ? (float) own.number("min_p", 0, 0, 1) : 0,
                (float) own.number("repetition_penalty", 1, Float.MIN_NORMAL, 1e6));
    }

    /** As {@link #ids}, with the config class's own default where the key is not written at all. */
    private static List<Integer> idsOrDefault(Fields fields, String key, int vocabulary, ModelFamily family) {
        if (fields.object().has(key) || (family != ModelFamily.LLAMA && family != ModelFamily.MISTRAL)) {
            return ids(fields, key, vocabulary);
        }
        return List.of(key.equals("bos_token_id") ? 1 : 2);
    }

    /** One id, a list of ids, or nothing. An id outside the vocabulary means none: -1 is written for "no such token". */
    private static List<Integer> ids(Fields fields, String key, int vocabulary) {
        JsonNode value = fields.node(key);
        List<Integer> ids = new ArrayList<>();
        for (JsonNode id : value.isArray() ? value : List.of(value)) {
            if (id.isMissingNode() || id.isNull()) {
                continue;
            }
            if (!id.canConvertToInt() || !id.isIntegralNumber()) {
                throw new PaloverdeException(
                        ErrorCode.MODEL_CORRUPT,
                        "%s: %s is %s; it must be a token id or a list of them".formatted(fields.file(), key, value));
            }
            if (id.intValue() >= 0 && id.intValue() < vocabulary && !ids.contains(id.intValue())) {
                ids.add(id.intValue());
            }
        }
        return ids;
    }

    private static OptionalInt first(List<Integer> ids, List<Integer> otherwise) {
        List<Integer> chosen = either(ids, otherwise);
        return chosen.isEmpty() ? OptionalInt.empty() : OptionalInt.of(chosen.get(0));
    }

    private static List<Integer> either(List<Integer> ids, List<Integer> otherwise) {
        return ids.isEmpty() ? otherwise : ids;
    }
}
