package dev.paloverde.data;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.data.picture.ImageText;
import dev.paloverde.data.picture.Videos;
import dev.paloverde.data.text.Document;
import dev.paloverde.data.text.EvaluationSets;
import dev.paloverde.data.text.TextSource;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * Writes the sample corpus, or a training corpus that shares no document with it. The same seed gives the same bytes of
 * text and the same pixels.
 */
@Command(
        name = "sample-corpus",
        mixinStandardHelpOptions = true,
        description = "Writes self-made sample text, pictures and video.")
public final class SampleCorpus {
    /** The seed of the committed sample. */
    public static final long SAMPLE_SEED = 1;

    /** The seed of the committed held-out split, prompts and choices. */
    public static final long HELD_OUT_SEED = 2;

    /** The seed of the training corpus of the sample models. */
    public static final long TRAINING_SEED = 1000;

    private static final int IMAGE_TEXT_PAIRS = 48;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final long sampleBytesPerSource;
    private final long heldOutBytesPerSource;

    /** A sample of the committed size. */
    public SampleCorpus() {
        this(42_000, 14_000);
    }

    SampleCorpus(long sampleBytesPerSource, long heldOutBytesPerSource) {
        this.sampleBytesPerSource = sampleBytesPerSource;
        this.heldOutBytesPerSource = heldOutBytesPerSource;
    }

    public static void main(String[] arguments) {
        System.setProperty("java.awt.headless", "true");
        System.exit(new CommandLine(new SampleCorpus()).execute(arguments));
    }

    @Command(
            name = "sample",
            mixinStandardHelpOptions = true,
            description = "Writes text/, held-out/, prompts/, eval/, image-text/ and video/.")
    int sample(@Option(names = "--output", required = true, description = "The folder to write to.") Path output)
            throws IOException {
        writeSample(output);
        return CommandLine.ExitCode.OK;
    }

    @Command(
            name = "training",
            mixinStandardHelpOptions = true,
            description = "Writes a training corpus to one JSONL file.")
    int training(
            @Option(names = "--output", required = true, description = "The file to write.") Path output,
            @Option(names = "--megabytes", defaultValue = "30", description = "Text in it, in 10^6 bytes of UTF-8.")
                    int megabytes,
            @Option(names = "--seed", defaultValue = "" + TRAINING_SEED, description = "Any but those of the sample.")
                    long seed)
            throws IOException {
        TrainingSummary summary = writeTraining(output, megabytes * 1_000_000L, seed);
        System.out.printf(
                "%d documents, %d bytes of text, %d drawn again because they were in the sample or there twice%n",
                summary.documents(), summary.textBytes(), summary.skipped());
        return CommandLine.ExitCode.OK;
    }

    @Command(
            name = "index",
            mixinStandardHelpOptions = true,
            description = "Writes INDEX into each folder: the size and SHA-256 of every file in it.")
    int index(@Parameters(arity = "1..*", description = "Folders of models, or the corpus.") List<Path> folders)
            throws IOException {
        for (Path folder : folders) {
            ContentIndex.write(folder);
        }
        return CommandLine.ExitCode.OK;
    }

    /**
     * What a training corpus holds.
     *
     * @param documents documents written
     * @param textBytes bytes of UTF-8 in their texts
     * @param skipped documents drawn but left out, because their text is in the sample or was written before
     */
    public record TrainingSummary(long documents, long textBytes, long skipped) {}

    /** The documents of the sample, all sources, in the order of the files. */
    public List<Document> sampleDocuments() {
        return documents(SAMPLE_SEED, sampleBytesPerSource);
    }

    /** The documents of the held-out split. */
    public List<Document> heldOutDocuments() {
        return documents(HELD_OUT_SEED, heldOutBytesPerSource);
    }

    private static List<Document> documents(long seed, long bytesPerSource) {
        List<Document> documents = new ArrayList<>();
        for (TextSource source : TextSource.values()) {
            long bytes = 0;
            for (int index = 0; bytes < bytesPerSource; index++) {
                Document document = source.document(seed, index);
                bytes += length(document);
                documents.add(document);
            }
        }
        return documents;
    }

    private static long length(Document document) {
        return document.text().getBytes(StandardCharsets.UTF_8).length;
    }

    /** Writes the folders of the committed sample, and their index. */
    public void writeSample(Path output) throws IOException {
        List<Document> sample = sampleDocuments();
        List<Document> heldOut = heldOutDocuments();
        for (TextSource source : TextSource.values()) {
            String file = source.label() + ".jsonl";
            writeLines(output.resolve("text").resolve(file), of(source, sample));
            writeLines(output.resolve("held-out").resolve(file), of(source, heldOut));
        }
        writeLines(output.resolve("prompts").resolve("prompts.jsonl"), EvaluationSets.prompts(HELD_OUT_SEED));
        writeLines(output.resolve("eval").resolve("choices.jsonl"), EvaluationSets.choices(HELD_OUT_SEED));
        ImageText.write(output.resolve("image-text").resolve("000000.tar"), SAMPLE_SEED, IMAGE_TEXT_PAIRS);
        Videos.write(output.resolve("video"), SAMPLE_SEED);
        ContentIndex.write(output);
    }

    private static List<Document> of(TextSource source, List<Document> documents) {
        return documents.stream()
                .filter(document -> document.source().equals(source.label()))
                .toList();
    }

    /**
     * Writes a training corpus: the sources interleaved so that each keeps its share of the bytes all along the file.
     *
     * @throws IllegalArgumentException if the seed is one of the sample's
     */
    public TrainingSummary writeTraining(Path output, long textBytes, long seed) throws IOException {
        if (seed == SAMPLE_SEED || seed == HELD_OUT_SEED) {
            throw new IllegalArgumentException(
                    "Seed " + seed + " is the sample's own; choose another, such as " + TRAINING_SEED);
        }
        Set<String> known = new HashSet<>();
        sampleDocuments().forEach(document -> known.add(document.text()));
        heldOutDocuments().forEach(document -> known.add(document.text()));
        TextSource[] sources = TextSource.values();
        long[] written = new long[sources.length];
        int[] next = new int[sources.length];
        long documents = 0;
        long total = 0;
        long skipped = 0;
        createParent(output);
        try (BufferedWriter writer = Files.newBufferedWriter(output, StandardCharsets.UTF_8)) {
            while (total < textBytes) {
                int behind = furthestBehind(sources, written, total);
                Document document = sources[behind].document(seed, next[behind]++);
                if (!known.add(document.text())) {
                    skipped++;
                    continue;
                }
                writer.write(JSON.writeValueAsString(document));
                writer.write('\n');
                long length = length(document);
                written[behind] += length;
                total += length;
                documents++;
            }
        }
        return new TrainingSummary(documents, total, skipped);
    }

    private static int furthestBehind(TextSource[] sources, long[] written, long total) {
        int behind = 0;
        double largest = Double.NEGATIVE_INFINITY;
        for (int source = 0; source < sources.length; source++) {
            double missing = sources[source].trainingShare() * (total + 1) - written[source];
            if (sources[source].trainingShare() > 0 && missing > largest) {
                largest = missing;
                behind = source;
            }
        }
        return behind;
    }

    private static void writeLines(Path file, List<?> records) throws IOException {
        createParent(file);
        try (BufferedWriter writer = Files.newBufferedWriter(file, StandardCharsets.UTF_8)) {
            for (Object line : records) {
                writer.write(JSON.writeValueAsString(line));
                writer.write('\n');
            }
        }
    }

    private static void createParent(Path file) throws IOException {
        Path parent = file.toAbsolutePath().getParent();
        if (parent != null) {
            Files.createDirectories(parent);
        }
    }
}
