package dev.paloverde.gpu.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Which safetensors files a model directory has, and what its index says is where.
 *
 * @param files in the order of their names
 * @param index the index, where there is one
 * @param places names of tensors to names of files; empty without an index
 */
record WeightFiles(List<Path> files, Optional<Path> index, Map<String, String> places) {
    private static final String SINGLE = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";
    private static final int MOST_SHARDS = 10_000;

    /** Looks for {@code model.safetensors}, then for an index, as transformers does. */
    static WeightFiles of(Path directory) {
        Path single = directory.resolve(SINGLE);
        if (Files.isRegularFile(single)) {
            return new WeightFiles(List.of(single), Optional.empty(), Map.of());
        }
        Path index = directory.resolve(INDEX);
        JsonNode tree = ModelJson.readIfPresent(index)
                .orElseThrow(() -> new PaloverdeException(
                        ErrorCode.MODEL_NOT_FOUND,
                        ("%s has neither %s nor %s; save the model with transformers:"
                                        + " model.save_pretrained(directory, safe_serialization=True)")
                                .formatted(directory, SINGLE, INDEX)));
        JsonNode map = tree.path("weight_map");
        if (!map.isObject() || map.isEmpty()) {
            throw new PaloverdeException(
                    ErrorCode.MODEL_CORRUPT,
                    "%s: weight_map is not an object that names a file for each tensor; download it again"
                            .formatted(index));
        }
        Map<String, String> places = new TreeMap<>();
        map.properties()
                .forEach(entry -> places.put(entry.getKey(), fileName(index, entry.getKey(), entry.getValue())));
        TreeSet<String> names = new TreeSet<>(places.values());
        if (names.size() > MOST_SHARDS) {
            throw new PaloverdeException(
                    ErrorCode.MODEL_CORRUPT,
                    "%s names %,d files; at most %,d are read".formatted(index, names.size(), MOST_SHARDS));
        }
        List<Path> files = names.stream().map(directory::resolve).toList();
        for (Path file : files) {
            if (!Files.isRegularFile(file)) {
                throw new PaloverdeException(
                        ErrorCode.MODEL_NOT_FOUND,
                        "%s is not there, and %s says that it holds weights; download it".formatted(file, INDEX));
            }
        }
        return new WeightFiles(files, Optional.of(index), places);
    }

    /** A name and nothing more: an index does not get to say which files of this machine are read. */
    private static String fileName(Path index, String tensor, JsonNode value) {
        String name = value.isTextual() ? value.textValue() : "";
        if (!name.endsWith(".safetensors")
                || name.length() > 255
                || name.startsWith(".")
                || !name.chars().allMatch(WeightFiles::isPlain)) {
            throw new PaloverdeException(
                    ErrorCode.MODEL_CORRUPT,
                    ("%s puts tensor %s in %s; a shard is named by a file name in the same directory that ends in"
                                    + " .safetensors")
                            .formatted(index, tensor, value));
        }
        return name;
    }

    private static boolean isPlain(int c) {
        return c > ' ' && c < 127 && c != '/' && c != '\\' && c != ':';
    }
}
