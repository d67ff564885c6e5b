package dev.paloverde.gpu.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;

/** The tokens that a model's tokenizer configuration gives a part to play: begin, end, padding and others. */
final class SpecialTokens {
    static final String CONFIGURATION = "tokenizer_config.json";
    private static final String MAP = "special_tokens_map.json";

    private SpecialTokens() {}

    /** {@return the files that may say so} */
    static Stream<Path> files(Path directory) {
        return Stream.of(CONFIGURATION, MAP).map(directory::resolve);
    }

    /** {@return names of all tokens that play a part} */
    static Set<String> names(Path directory) {
        Set<String> names = new HashSet<>(byRole(directory).values());
        files(directory)
                .map(ModelJson::readIfPresent)
                .flatMap(Optional::stream)
                .flatMap(tree -> Stream.of(tree.path("additional_special_tokens"), tree.path("extra_special_tokens")))
                .forEach(list -> list.forEach(token -> name(token).ifPresent(names::add)));
        names.remove("");
        return names;
    }

    /** {@return names of tokens by their part, such as {@code bos_token}} */
    static Map<String, String> byRole(Path directory) {
        Map<String, String> names = new TreeMap<>();
        files(directory)
                .map(ModelJson::readIfPresent)
                .flatMap(Optional::stream)
                .forEach(tree -> tree.properties().forEach(entry -> {
                    if (entry.getKey().endsWith("_token")) {
                        name(entry.getValue()).ifPresent(name -> names.putIfAbsent(entry.getKey(), name));
                    }
                }));
        return names;
    }

    /** A token is written as its name or as an object with its name in it. */
    private static Optional<String> name(JsonNode token) {
        JsonNode content = token.isObject() ? token.path("content") : token;
        return content.isTextual() ? Optional.of(content.textValue()) : Optional.empty();
    }
}
