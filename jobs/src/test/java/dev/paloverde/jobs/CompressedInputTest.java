package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import com.github.luben.zstd.ZstdOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.zip.GZIPOutputStream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.netpreserve.jwarc.HttpRequest;
import org.netpreserve.jwarc.HttpResponse;
import org.netpreserve.jwarc.MediaType;
import org.netpreserve.jwarc.WarcCompression;
import org.netpreserve.jwarc.WarcConversion;
import org.netpreserve.jwarc.WarcRequest;
import org.netpreserve.jwarc.WarcResponse;
import org.netpreserve.jwarc.WarcWriter;

/** Compressed lines and web archives, whole and damaged, through the command {@code corpus}: the job goes on. */
class CompressedInputTest {
    private final SparkSession spark = LocalSpark.session();

    @TempDir
    Path directory;

    private JobRuns.Ended corpus(Path input) {
        return JobRuns.run(
                "corpus",
                "--input",
                input.toString(),
                "--output",
                directory.resolve("out").toString());
    }

    private List<Row> table(String name, String order) {
        return spark.read()
                .parquet(directory.resolve("out").resolve(name).toString())
                .orderBy(order)
                .collectAsList();
    }

    private static byte[] gzip(String... lines) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (OutputStream out = new GZIPOutputStream(bytes)) {
            out.write(String.join("\n", lines).getBytes(StandardCharsets.UTF_8));
        }
        return bytes.toByteArray();
    }

    private static String json(String text) {
        return "{\"text\":\"" + text + "\"}";
    }

    @Test
    void linesOfCompressedFilesAreRowsAndWhatIsWrongWithThemToo() throws IOException {
        Path input = Files.createDirectories(directory.resolve("in"));
        // two members, as a tool that appends writes them
        ByteArrayOutputStream twice = new ByteArrayOutputStream();
        twice.write(gzip(json("first"), "", "{broken", ""));
        twice.write(gzip(json("second"), json("third")));
        Files.write(input.resolve("a.jsonl.gz"), twice.toByteArray());
        try (OutputStream out = new ZstdOutputStream(Files.newOutputStream(input.resolve("b.jsonl.zst")))) {
            out.write((json("fourth") + "\r\n" + json("fifth") + "\n").getBytes(StandardCharsets.UTF_8));
        }
        String[] many = new String[5000];
        Arrays.setAll(many, i -> json("truncated " + Integer.toHexString(i * 7919)));
        byte[] whole = gzip(many);
        Files.write(input.resolve("c.jsonl.gz"), Arrays.copyOf(whole, whole.length / 2));
        Files.write(input.resolve("d.jsonl.gz"), "no gzip at all".getBytes(StandardCharsets.UTF_8));
        // 400 MB of nothing in 400 kB: a line that would fill memory, and a file that would never end
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(input.resolve("e.jsonl.gz")))) {
            byte[] zeros = new byte[1 << 20];
            for (int i = 0; i < 400; i++) {
                out.write(zeros);
            }
        }
        Files.write(input.resolve("f.jsonl"), List.of(json("plain")));

        JobRuns.Ended ended = corpus(input);
        assertThat(ended.status()).as(ended.said()).isZero();
        assertThat(table("kept", "text"))
                .extracting(row -> row.<String>getAs("text"))
                .contains("fifth", "first", "fourth", "plain", "second", "third");
        assertThat(table("rejects", "detail"))
                .filteredOn(row -> row.getAs("reason").equals("INVALID_RECORD"))
                .extracting(row -> row.<String>getAs("detail"))
                .hasSize(4)
                .anyMatch(detail -> detail.equals("{broken"))
                .anyMatch(detail -> detail.matches("the rest of .*c\\.jsonl\\.gz cannot be read: .*"))
                .anyMatch(detail -> detail.matches("the rest of .*d\\.jsonl\\.gz cannot be read: .*"))
                .anyMatch(
                        detail -> detail.matches("the rest of .*e\\.jsonl\\.gz cannot be read: it expands to more .*"));
        long truncated = table("kept", "text").stream()
                .filter(row -> row.<String>getAs("text").startsWith("truncated"))
                .count();
        assertThat(truncated).as("rows before the damage").isBetween(1000L, 4000L);
    }

    @Test
    void aLineThatIsTooLongIsPassedOver() throws IOException {
        Path input = directory.resolve("long.jsonl.zst");
        try (OutputStream out = new ZstdOutputStream(Files.newOutputStream(input))) {
            byte[] noise = new byte[1 << 16];
            Random random = new Random(1);
            out.write("{\"text\":\"".getBytes(StandardCharsets.UTF_8));
            for (int written = 0; written <= CompressedLines.MOST_LINE; written += noise.length) {
                random.nextBytes(noise);
                for (int i = 0; i < noise.length; i++) {
                    noise[i] = (byte) ('a' + (noise[i] & 15));
                }
                out.write(noise);
            }
            out.write(("\"}\n" + json("after") + "\n").getBytes(StandardCharsets.UTF_8));
        }
        JobRuns.Ended ended = corpus(input);
        assertThat(ended.status()).as(ended.said()).isZero();
        assertThat(table("rejects", "detail"))
                .extracting(row -> row.<String>getAs("detail"))
                .singleElement()
                .asString()
                .matches("a line of 67,\\d+,\\d+ bytes, which is longer than 67,108,864: \\{\"text\":\"[a-p]+");
        assertThat(table("kept", "text"))
                .extracting(row -> row.<String>getAs("text"))
                .containsExactly("after");
    }

    private static WarcConversion text(int number, String text) {
        return new WarcConversion.Builder()
                .setHeader("WARC-Target-URI", "http://example.org/" + number)
                .body(MediaType.PLAIN_TEXT, text.getBytes(StandardCharsets.UTF_8))
                .build();
    }

    private static WarcResponse answer(int number, String type, Charset charset, String body) throws IOException {
        return new WarcResponse.Builder(URI.create("http://example.org/" + number))
                .body(new HttpResponse.Builder(200, "OK")
                        .body(MediaType.parse(type), body.getBytes(charset))
                        .build())
                .build();
    }

    @Test
    void recordsOfWebArchivesAreRowsAndWhatIsWrongWithThemToo() throws IOException {
        Path input = Files.createDirectories(directory.resolve("in"));
        try (WarcWriter writer = new WarcWriter(
                Files.newByteChannel(
                        input.resolve("a.warc.wet.gz"), StandardOpenOption.CREATE, StandardOpenOption.WRITE),
                WarcCompression.GZIP)) {
            writer.write(text(1, "One page, with an \u00E9."));
            writer.write(text(2, "Another page."));
        }
        try (WarcWriter writer = new WarcWriter(Files.newOutputStream(input.resolve("b.warc")))) {
            writer.write(answer(3, "text/plain; charset=iso-8859-1", StandardCharsets.ISO_8859_1, "Old caf\u00E9."));
            writer.write(answer(4, "text/html", StandardCharsets.UTF_8, "<p>markup</p>"));
            writer.write(new WarcRequest.Builder(URI.create("http://example.org/4"))
                    .body(new HttpRequest.Builder("GET", "/4").build())
                    .build());
        }
        ByteArrayOutputStream archive = new ByteArrayOutputStream();
        try (WarcWriter writer = new WarcWriter(archive)) {
            writer.write(text(5, "Before the damage."));
            writer.write(text(
                    6,
                    new Random(1)
                            .ints(20_000, 'a', 'z')
                            .mapToObj(Character::toString)
                            .collect(Collectors.joining())));
        }
        Files.write(input.resolve("c.warc.gz"), Arrays.copyOf(gzip(archive.toString(StandardCharsets.UTF_8)), 6000));
        Files.write(input.resolve("d.warc"), Arrays.copyOf(archive.toByteArray(), archive.size() - 5000));
        Files.writeString(input.resolve("e.warc"), "no archive\n");

        JobRuns.Ended ended = corpus(input);
        assertThat(ended.status()).as(ended.said()).isZero();
        Map<String, String> texts = new TreeMap<>();
        for (Row row : table("kept", "url")) {
            texts.put(row.getAs("url"), row.getAs("text"));
            assertThat(row.<Long>getAs("duplicates"))
                    .isEqualTo(row.<String>getAs("url").endsWith("5") ? 1 : 0);
        }
        assertThat(texts)
                .containsEntry("http://example.org/1", "One page, with an \u00E9.")
                .containsEntry("http://example.org/2", "Another page.")
                .containsEntry("http://example.org/3", "Old caf\u00E9.")
                .containsEntry("http://example.org/5", "Before the damage.")
                .hasSize(4);
        assertThat(table("rejects", "detail"))
                .filteredOn(row -> row.getAs("reason").equals("INVALID_RECORD"))
                .extracting(row -> row.<String>getAs("detail"))
                .hasSize(4)
                .anyMatch(detail -> detail.contains("text/html, and no plain text"))
                .anyMatch(detail -> detail.matches("the rest of .*c\\.warc\\.gz cannot be read: .*"))
                .anyMatch(detail -> detail.matches("the rest of .*d\\.warc cannot be read: .*"))
                .anyMatch(detail -> detail.matches("the rest of .*e\\.warc cannot be read: .*"));
    }
}
