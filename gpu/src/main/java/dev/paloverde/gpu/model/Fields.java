package dev.paloverde.gpu.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.nio.file.Path;

/**
 * The fields of a JSON object with their types and ranges checked; null and absent are the same.
 *
 * @param object the JSON object
 * @param file where it stands, for messages
 */
record Fields(JsonNode object, Path file) {

    /** The value, or a missing node. */
    JsonNode node(String key) {
        JsonNode value = object.path(key);
        return value.isNull() ? object.path("") : value;
    }

    boolean has(String key) {
        return !node(key).isMissingNode();
    }

    boolean flag(String key, boolean otherwise) {
        JsonNode value = node(key);
        if (value.isMissingNode()) {
            return otherwise;
        }
        if (!value.isBoolean()) {
            throw wrong(key, value, "true or false");
        }
        return value.booleanValue();
    }

    int integer(String key, int otherwise, int least, int most) {
        JsonNode value = node(key);
        if (value.isMissingNode()) {
            return otherwise;
        }
        if (!value.isIntegralNumber()
                || !value.canConvertToInt()
                || value.intValue() < least
                || value.intValue() > most) {
            throw wrong(key, value, "a whole number from %d to %d".formatted(least, most));
        }
        return value.intValue();
    }

    double number(String key, double otherwise, double least, double most) {
        JsonNode value = node(key);
        if (value.isMissingNode()) {
            return otherwise;
        }
        // written so that NaN is refused
        if (!value.isNumber() || !(value.doubleValue() >= least && value.doubleValue() <= most)) {
            throw wrong(key, value, "a number from %s to %s".formatted(least, most));
        }
        return value.doubleValue();
    }

    String text(String key, String otherwise) {
        JsonNode value = node(key);
        if (value.isMissingNode()) {
            return otherwise;
        }
        if (!value.isTextual()) {
            throw wrong(key, value, "a string");
        }
        return value.textValue();
    }

    /** The fields of the object under a key; of an empty one if there is none. */
    Fields fields(String key) {
        JsonNode value = node(key);
        if (!value.isMissingNode() && !value.isObject()) {
            throw wrong(key, value, "an object");
        }
        return new Fields(value, file);
    }

    PaloverdeException wrong(String key, JsonNode value, String expected) {
        String shown = value.toString();
        return new PaloverdeException(
                ErrorCode.MODEL_CORRUPT,
                "%s: %s is %s; it must be %s"
                        .formatted(
                                file, key, shown.length() > 100 ? shown.substring(0, 100) + "..." : shown, expected));
    }
}
