package dev.paloverde.jobs;

import java.io.Serializable;

/**
 * An input file that cannot be read, or not to its end.
 *
 * @param path where it is
 * @param rows rows its footer says it has; absent where the footer itself is damaged
 * @param rowsRead rows that can be read
 * @param reason what was found
 */
record CorruptFile(String path, Long rows, long rowsRead, String reason) implements Serializable {}
