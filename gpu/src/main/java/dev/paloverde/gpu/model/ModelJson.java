package dev.paloverde.gpu.model;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;

/** The JSON files of a model directory, read with bounds: they are data from anywhere. */
final class ModelJson {
    /** More than any configuration takes, in bytes. */
    static final long CONFIGURATION_BYTES = 16L << 20;

    /** Strict JSON with bounded depth and bounded numbers; a key written twice is an error. */
    static final JsonFactory STRICT = new JsonFactoryBuilder()
            .configure(JsonFactory.Feature.INTERN_FIELD_NAMES, false)
            .configure(JsonFactory.Feature.CHARSET_DETECTION, false)
            .configure(StreamReadFeature.STRICT_DUPLICATE_DETECTION, true)
            .configure(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION, false)
            .configure(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS, false)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(64)
                    .maxNumberLength(100)
                    .maxNameLength(65_536)
                    .maxStringLength(64 << 20)
                    .build())
            .build();

    private static final ObjectMapper TREES =
            new ObjectMapper(STRICT).enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private ModelJson() {}

    /**
     * Reads a file that must be there.
     *
     * @throws PaloverdeException MODEL_NOT_FOUND if it is not, MODEL_CORRUPT if it is not a bounded JSON object
     */
    static JsonNode read(Path file) {
        return readIfPresent(file)
                .orElseThrow(() -> new PaloverdeException(
                        ErrorCode.MODEL_NOT_FOUND,
                        "%s is not there; a model directory as transformers' save_pretrained writes it has one"
                                .formatted(file)));
    }

    /**
     * Reads a file that may be there.
     *
     * @throws PaloverdeException MODEL_CORRUPT if it is not a bounded JSON object
     */
    static Optional<JsonNode> readIfPresent(Path file) {
        return textIfPresent(file, CONFIGURATION_BYTES).map(text -> {
            try (JsonParser parser = STRICT.createParser(text)) {
                JsonNode tree = TREES.readTree(parser);
                if (tree == null || !tree.isObject()) {
                    throw new PaloverdeException(
                            ErrorCode.MODEL_CORRUPT, "%s is not a JSON object; download it again".formatted(file));
                }
                return tree;
            } catch (IOException e) {
                throw malformed(file, e);
            }
        });
    }

    /** Reads a UTF-8 text file of at most {@code limit} bytes, where there is one. */
    static Optional<String> textIfPresent(Path file, long limit) {
        byte[] bytes;
        try {
            long size = Files.size(file);
            if (size > limit) {
                throw new PaloverdeException(
                        ErrorCode.MODEL_CORRUPT,
                        "%s has %,d bytes, more than the %,d that such a file may have; download it again"
                                .formatted(file, size, limit));
            }
            bytes = Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (IOException e) {
            throw unreadable(file, e);
        }
        try {
            return Optional.of(StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(java.nio.ByteBuffer.wrap(bytes))
                    .toString());
        } catch (CharacterCodingException e) {
            throw new PaloverdeException(
                    ErrorCode.MODEL_CORRUPT, "%s is not UTF-8 text; download it again".formatted(file), e);
        }
    }

    static PaloverdeException malformed(Path file, IOException cause) {
        return new PaloverdeException(
                ErrorCode.MODEL_CORRUPT,
                "%s is not the JSON it should be (%s); download it again".formatted(file, firstLine(cause)),
                cause);
    }

    static PaloverdeException unreadable(Path file, IOException cause) {
        return new PaloverdeException(
                ErrorCode.MODEL_NOT_FOUND,
                "%s cannot be read (%s); check that it is a file and that this user may read it".formatted(file, cause),
                cause);
    }

    private static String firstLine(IOException e) {
        String message = String.valueOf(e.getMessage());
        int end = message.indexOf('\n');
        return end < 0 ? message : message.substring(0, end);
    }
}
