package dev.paloverde.data;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The files of a folder, for readers that cannot list it: a class path has no directories. The file {@value #FILE_NAME}
 * has one line for each other file, in the order of their names: SHA-256 in hexadecimal, size in bytes, path with
 * {@code /}, with one space between them.
 *
 * @param entries in the order of their paths
 */
public record ContentIndex(List<Entry> entries) {
    /** The name of the file that holds the index, in the folder that it describes. */
    public static final String FILE_NAME = "INDEX";

    private static final Pattern LINE = Pattern.compile("([0-9a-f]{64}) (\\d+) (\\S.*)");

    /**
     * One file.
     *
     * @param path relative to the folder, with {@code /}
     * @param bytes its size
     * @param sha256 of its bytes, 64 hexadecimal digits
     */
    public record Entry(String path, long bytes, String sha256) {
        @Override
        public String toString() {
            return sha256 + " " + bytes + " " + path;
        }
    }

    public ContentIndex {
        entries = List.copyOf(entries);
    }

    /** The index of the files that are in the folder now, at any depth. */
    public static ContentIndex of(Path folder) throws IOException {
        List<Path> files;
        try (Stream<Path> walked = Files.walk(folder)) {
            files = walked.filter(Files::isRegularFile).toList();
        }
        List<Entry> entries = new ArrayList<>();
        for (Path file : files) {
            String path = folder.relativize(file).toString().replace('\\', '/');
            if (!path.equals(FILE_NAME)) {
                byte[] content = Files.readAllBytes(file);
                entries.add(new Entry(path, content.length, sha256(content)));
            }
        }
        entries.sort((left, right) -> left.path().compareTo(right.path()));
        return new ContentIndex(entries);
    }

    /**
     * Reads what {@link #write} wrote.
     *
     * @param text the content of the file {@value #FILE_NAME}
     * @throws IllegalArgumentException if a line is none of an index
     */
    public static ContentIndex parse(String text) {
        List<Entry> entries = new ArrayList<>();
        for (String line : text.lines().toList()) {
            Matcher matcher = LINE.matcher(line);
            if (!matcher.matches()) {
                throw new IllegalArgumentException(
                        "Not a line of an index, which is '<sha256> <bytes> <path>': '" + line + "'");
            }
            entries.add(new Entry(matcher.group(3), Long.parseLong(matcher.group(2)), matcher.group(1)));
        }
        return new ContentIndex(entries);
    }

    /** Writes the index of the folder into the folder. */
    public static void write(Path folder) throws IOException {
        String text = of(folder).entries().stream().map(entry -> entry + "\n").collect(Collectors.joining());
        Files.writeString(folder.resolve(FILE_NAME), text, StandardCharsets.UTF_8);
    }

    private static String sha256(byte[] content) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("Every Java platform has SHA-256", e);
        }
    }
}
