package dev.paloverde.gpu.model;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;

/**
 * A {@code tokenizer.json}, and the copy of it that knows no special token by name.
 *
 * <p>Hugging Face's tokenizers find special tokens in any text, so that a document that contains {@code <|end|>} would
 * end the conversation it is quoted in. In the copy every special token is called by a name that nobody can write: ids
 * stay what they are, and the old name is text like any other.
 *
 * @param json the file
 * @param vocabulary the highest id plus one
 * @param special names of special tokens by id
 */
record TokenizerFile(String json, int vocabulary, Map<Integer, String> special) {
    /** The largest published is below 40 MB. */
    private static final long MOST_BYTES = 256L << 20;

    private static final int MOST_IDS = 1 << 24;

    private static final ObjectMapper TREES = new ObjectMapper(ModelJson.STRICT);

    /**
     * Reads a file.
     *
     * @param named tokens that other files of the model call special, whatever this one says
     */
    static TokenizerFile read(Path file, Set<String> named) {
        String json = ModelJson.textIfPresent(file, MOST_BYTES)
                .orElseThrow(() -> new PaloverdeException(
                        ErrorCode.MODEL_NOT_FOUND,
                        ("%s is not there; write it with transformers:"
                                        + " AutoTokenizer.from_pretrained(directory).save_pretrained(directory)")
                                .formatted(file)));
        try (JsonParser parser = ModelJson.STRICT.createParser(json)) {
            Survey survey = new Survey(file, named);
            survey.read(parser);
            return new TokenizerFile(json, survey.highest + 1, Map.copyOf(survey.special));
        } catch (IOException e) {
            throw ModelJson.malformed(file, e);
        }
    }

    /** {@return the file as it is, but for truncation and padding, which it may ask for} */
    String whole() {
        return edited(Map.of(), json);
    }

    /** {@return the copy that finds no special token in any text} */
    String plain() {
        // unguessable, so that no text contains it
        String secret = UUID.randomUUID().toString();
        Map<String, String> names = new HashMap<>();
        special.forEach((id, name) -> names.put(name, secret + ":" + id));
        return edited(names, json);
    }

    private static String edited(Map<String, String> names, String json) {
        StringWriter text = new StringWriter(json.length());
        try (JsonParser parser = ModelJson.STRICT.createParser(json);
                JsonGenerator generator = TREES.getFactory().createGenerator(text)) {
            new Edit(parser, generator, names).copyFile();
        } catch (IOException e) {
            throw new PaloverdeException(ErrorCode.INTERNAL, "tokenizer.json was read once and not twice: " + e, e);
        }
        return text.toString();
    }

    /** One pass over the file: the highest id, and which tokens are special. */
    private static final class Survey {
        private final Path file;
        private final Set<String> named;
        private final Map<Integer, String> special = new TreeMap<>();
        private int highest = -1;

        Survey(Path file, Set<String> named) {
            this.file = file;
            this.named = named;
        }

        void read(JsonParser parser) throws IOException {
            expect(parser.nextToken() == JsonToken.START_OBJECT, "it is not a JSON object");
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String key = parser.currentName();
                JsonToken value = parser.nextToken();
                if (key.equals("added_tokens") && value == JsonToken.START_ARRAY) {
                    while (parser.nextToken() != JsonToken.END_ARRAY) {
                        added(TREES.readTree(parser));
                    }
                } else if (key.equals("model") && value == JsonToken.START_OBJECT) {
                    model(parser);
                } else {
                    parser.skipChildren();
                }
            }
            expect(parser.nextToken() == null, "something follows the JSON object");
            expect(highest >= 0, "it has no vocabulary");
        }

        private void added(JsonNode token) {
            JsonNode content = token.path("content");
            JsonNode id = token.path("id");
            expect(content.isTextual() && id.canConvertToInt() && id.isIntegralNumber(), "added token " + token);
            seen(id.intValue());
            if (token.path("special").asBoolean(false) || named.contains(content.textValue())) {
                nameSpecial(id.intValue(), content.textValue());
            }
        }

        private void model(JsonParser parser) throws IOException {
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String key = parser.currentName();
                JsonToken value = parser.nextToken();
                if (key.equals("vocab") && value == JsonToken.START_OBJECT) {
                    while (parser.nextToken() != JsonToken.END_OBJECT) {
                        String name = parser.currentName();
                        expect(parser.nextToken() == JsonToken.VALUE_NUMBER_INT, "the id of '" + name + "'");
                        seen(parser.getIntValue());
                        if (named.contains(name)) {
                            nameSpecial(parser.getIntValue(), name);
                        }
                    }
                } else if (key.equals("vocab") && value == JsonToken.START_ARRAY) {
                    for (int id = 0; parser.nextToken() != JsonToken.END_ARRAY; id++) {
                        JsonNode piece = TREES.readTree(parser);
                        seen(id);
                        if (named.contains(piece.path(0).asText())) {
                            nameSpecial(id, piece.path(0).asText());
                        }
                    }
                } else {
                    parser.skipChildren();
                }
            }
        }

        /** A single character stays text, since text with it could not be written without it: some models pad with "!". */
        private void nameSpecial(int id, String name) {
            if (name.codePointCount(0, name.length()) > 1) {
                special.put(id, name);
            }
        }

        private void seen(int id) {
            expect(id >= 0 && id < MOST_IDS, "the id " + id);
            highest = Math.max(highest, id);
        }

        private void expect(boolean condition, String otherwise) {
            if (!condition) {
                throw new PaloverdeException(
                        ErrorCode.MODEL_CORRUPT,
                        "%s is not a tokenizer file: %s; download it again".formatted(file, otherwise));
            }
        }
    }

    /** A copy of the file with other names for some tokens. */
    private record Edit(JsonParser parser, JsonGenerator generator, Map<String, String> names) {
        void copyFile() throws IOException {
            parser.nextToken();
            generator.writeStartObject();
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String key = parser.currentName();
                JsonToken value = parser.nextToken();
                generator.writeFieldName(key);
                if (key.equals("truncation") || key.equals("padding")) {
                    parser.skipChildren();
                    generator.writeNull();
                } else if (names.isEmpty()) {
                    generator.copyCurrentStructure(parser);
                } else if (key.equals("post_processor")) {
                    // it puts special tokens around a text, which plain text has none of
                    parser.skipChildren();
                    generator.writeNull();
                } else if (key.equals("added_tokens") && value == JsonToken.START_ARRAY) {
                    copyAdded();
                } else if (key.equals("model") && value == JsonToken.START_OBJECT) {
                    copyModel();
                } else {
                    generator.copyCurrentStructure(parser);
                }
            }
            generator.writeEndObject();
        }

        private void copyAdded() throws IOException {
            generator.writeStartArray();
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                generator.writeStartObject();
                while (parser.nextToken() != JsonToken.END_OBJECT) {
                    String key = parser.currentName();
                    parser.nextToken();
                    generator.writeFieldName(key);
                    if (key.equals("content")) {
                        generator.writeString(renamed(parser.getText()));
                    } else {
                        generator.copyCurrentStructure(parser);
                    }
                }
                generator.writeEndObject();
            }
            generator.writeEndArray();
        }

        private void copyModel() throws IOException {
            generator.writeStartObject();
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String key = parser.currentName();
                JsonToken value = parser.nextToken();
                generator.writeFieldName(key);
                if (key.equals("vocab") && value == JsonToken.START_OBJECT) {
                    copyVocabulary();
                } else if (key.equals("vocab") && value == JsonToken.START_ARRAY) {
                    copyPieces();
                } else if (key.equals("merges") && value == JsonToken.START_ARRAY) {
                    copyMerges();
                } else if (key.equals("unk_token") && value == JsonToken.VALUE_STRING) {
                    generator.writeString(renamed(parser.getText()));
                } else {
                    generator.copyCurrentStructure(parser);
                }
            }
            generator.writeEndObject();
        }

        /** An object from names to ids. */
        private void copyVocabulary() throws IOException {
            generator.writeStartObject();
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                generator.writeFieldName(renamed(parser.currentName()));
                parser.nextToken();
                generator.copyCurrentStructure(parser);
            }
            generator.writeEndObject();
        }

        /** A list of names with scores, where a name's place is its id. */
        private void copyPieces() throws IOException {
            generator.writeStartArray();
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                generator.writeStartArray();
                for (int i = 0; parser.nextToken() != JsonToken.END_ARRAY; i++) {
                    if (i == 0) {
                        generator.writeString(renamed(parser.getText()));
                    } else {
                        generator.copyCurrentStructure(parser);
                    }
                }
                generator.writeEndArray();
            }
            generator.writeEndArray();
        }

        /** Pairs, as "a b" or ["a", "b"]; those that make a special token, or use one, are left out. */
        private void copyMerges() throws IOException {
            generator.writeStartArray();
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                JsonNode merge = TREES.readTree(parser);
                String[] pair = merge.isTextual()
                        ? merge.textValue().split(" ", 2)
                        : new String[] {merge.path(0).asText(), merge.path(1).asText()};
                boolean special = pair.length == 2
                        && (names.containsKey(pair[0])
                                || names.containsKey(pair[1])
                                || names.containsKey(pair[0] + pair[1]));
                if (!special) {
                    generator.writeTree(merge);
                }
            }
            generator.writeEndArray();
        }

        private String renamed(String name) {
            return names.getOrDefault(name, name);
        }
    }
}
