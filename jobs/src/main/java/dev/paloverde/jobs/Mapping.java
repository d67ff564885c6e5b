package dev.paloverde.jobs;

import java.util.Optional;

/**
 * Which input columns a function reads, as the command line says.
 *
 * @param part the part that the text plays: prompt, text or context
 * @param column the column of it, if said
 * @param template a template to make it from instead, if said
 * @param choices the column of the continuations to choose among, if the function has such
 */
record Mapping(String part, Optional<String> column, Optional<String> template, Optional<String> choices) {
    /** {@return the flag that names the column} */
    String flag() {
        return "--" + part + "-column";
    }
}
