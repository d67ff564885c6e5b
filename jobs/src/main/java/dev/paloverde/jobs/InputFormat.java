package dev.paloverde.jobs;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** How rows lie in input files. */
enum InputFormat {
    PARQUET("parquet", "parq", "pq"),
    /** One JSON object a line. */
    JSONL("jsonl", "ndjson", "json"),
    CSV("csv", "tsv"),
    /** Plain text, one row a line or a file; the only column is {@code text}. */
    TEXT("txt", "text", "md"),
    /** Web archives; columns are those of {@link WarcRows}. */
    WARC("warc", "wet");

    /** Endings of compressed files, which Spark's readers look through. */
    private static final List<String> COMPRESSIONS = List.of(".gz", ".bz2", ".zst", ".lz4", ".snappy", ".deflate");

    private final List<String> extensions;

    InputFormat(String... extensions) {
        this.extensions = List.of(extensions);
    }

    /** {@return the format that a file's name tells} */
    static Optional<InputFormat> ofFile(String name) {
        String bare = name.toLowerCase(Locale.ROOT);
        for (String compression : COMPRESSIONS) {
            if (bare.endsWith(compression)) {
                bare = bare.substring(0, bare.length() - compression.length());
            }
        }
        String extension = bare.substring(bare.lastIndexOf('.') + 1);
        return Arrays.stream(values())
                .filter(format -> format.extensions.contains(extension))
                .findFirst();
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
