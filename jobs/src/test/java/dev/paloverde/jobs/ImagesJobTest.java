package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands {@code images} and {@code embed-image} from their arguments to their tables, on the sample corpus. */
class ImagesJobTest {
    private static final Path SHARD = Path.of("../data/corpus/image-text/000000.tar");
    private static final String VISION_MODEL = "../gpu/src/test/resources/vision/siglip";

    private final SparkSession spark = LocalSpark.session();

    @TempDir
    Path directory;

    private JobRuns.Ended images(List<Path> inputs, String... more) {
        ArrayList<String> arguments = new ArrayList<>(
                List.of("images", "--output", directory.resolve("out").toString()));
        inputs.forEach(input -> arguments.addAll(List.of("--input", input.toString())));
        arguments.addAll(List.of(more));
        return JobRuns.run(arguments.toArray(String[]::new));
    }

    private Dataset<Row> table(String name) {
        return spark.read().parquet(directory.resolve("out").resolve(name).toString());
    }

    @Test
    void accountsForTheSampleShardAndEmbedsIt() throws IOException {
        Path shards = Files.createDirectory(directory.resolve("shards"));
        Files.copy(SHARD, shards.resolve("one.tar"));
        byte[] shard = Files.readAllBytes(SHARD);
        // the same again, cut within: its samples are those of the first, up to the cut
        Files.write(shards.resolve("two.tar"), Arrays.copyOf(shard, shard.length / 2));
        JobRuns.Ended ended = images(List.of(shards));
        assertThat(ended.status()).as(ended.said()).isEqualTo(ExitCode.INPUT_INCOMPLETE.status());
        Map<String, Long> reasons = new TreeMap<>();
        table("rejects")
                .groupBy("reason")
                .count()
                .collectAsList()
                .forEach(row -> reasons.put(row.getString(0), row.getLong(1)));
        assertThat(reasons).containsKey("EXACT_DUPLICATE").containsEntry("TRUNCATED_SHARD", 1L);
        long kept = table("kept").count();
        long twice = reasons.get("EXACT_DUPLICATE");
        assertThat(twice).isBetween(15L, 40L);
        assertThat(kept + reasons.getOrDefault("NEAR_DUPLICATE", 0L)).isEqualTo(48);
        assertThat(table("kept")
                        .select("key", "source.path")
                        .where("path LIKE '%two.tar'")
                        .count())
                .isZero();
        assertThat(table("kept")
                        .where("caption IS NULL OR NOT checks.decodable OR image IS NULL")
                        .count())
                .isZero();
        assertThat(ended.said()).contains("TRUNCATED_SHARD", "(kept)");

        JobRuns.Ended again = images(List.of(shards));
        assertThat(again.said()).contains("done before");
        assertThat(images(List.of(shards), "--distance", "2").status()).isEqualTo(ExitCode.OUTPUT.status());

        for (String[] model : new String[][] {{"--model", VISION_MODEL}, {}}) {
            Path latents = directory.resolve("latents" + model.length);
            String[] embed = {
                "embed-image",
                "--input",
                directory.resolve("out/kept").toString(),
                "--output",
                latents.toString(),
                "--limit",
                "5"
            };
            String[] all = Arrays.copyOf(embed, embed.length + model.length);
            System.arraycopy(model, 0, all, embed.length, model.length);
            JobRuns.Ended embedded = JobRuns.run(all);
            assertThat(embedded.status()).as(embedded.said()).isZero();
            Dataset<Row> written = spark.read().parquet(latents.toString());
            int numbers = model.length == 0 ? 256 * 588 : 16 * 32;
            assertThat(written.where("status = 'ok' AND size(latents) = tokens * width AND size(latents) = " + numbers)
                            .count())
                    .isEqualTo(5);
        }
    }

    @Test
    void readsVideosAsFrames() {
        JobRuns.Ended ended =
                images(List.of(Path.of("../data/corpus/video")), "--folder-frames-per-second", "2", "--min-side", "16");
        assertThat(ended.status()).as(ended.said()).isZero();
        // every other frame of the drive of 7 frames, as files and as an animation
        assertThat(table("kept")
                        .where("key LIKE '%actions-1-000000'")
                        .orderBy("position")
                        .selectExpr("CAST(source.frame_index AS STRING)")
                        .collectAsList()
                        .stream()
                        .map(row -> row.getString(0)))
                .containsExactly("0", "2", "4", "6");
        assertThat(table("kept").where("key LIKE '%actions-1-000000/drive'").count())
                .isEqualTo(4);
        assertThat(table("rejects").count()).isZero();
    }

    @Test
    void scoresOfTheUsersFunctionsAreColumnsAndReasons() {
        JobRuns.Ended ended = images(
                List.of(SHARD),
                "--function",
                "caption_length=dev.paloverde.jobs.CaptionLength",
                "--alignment-score",
                "caption_length(image, caption)",
                "--min-alignment",
                "2.9",
                "--nsfw-score",
                "CASE WHEN length(image) % 2 = 0 THEN 0.75 END",
                "--max-nsfw",
                "0.7");
        assertThat(ended.status()).as(ended.said()).isZero();
        assertThat(ended.said()).contains("NSFW", "MISALIGNED");
        Dataset<Row> kept = table("kept");
        assertThat(kept.where("length(caption) < 290 OR length(image) % 2 = 0 OR nsfw_score IS NOT NULL")
                        .count())
                .isZero();
        assertThat(kept.where("alignment_score = length(caption) / 100.0D").count())
                .isEqualTo(kept.count())
                .isPositive();
        Dataset<Row> rejects = table("rejects");
        assertThat(rejects.where("reason = 'NSFW' AND nsfw_score = 0.75D AND detail = 'nsfw_score 0.7500'")
                        .count())
                .isEqualTo(rejects.where("reason = 'NSFW'").count())
                .isPositive();
        assertThat(rejects.where("reason = 'MISALIGNED' AND alignment_score < 2.9")
                        .count())
                .isEqualTo(rejects.where("reason = 'MISALIGNED'").count())
                .isPositive();

        JobRuns.Ended unknown = images(List.of(SHARD), "--nsfw-score", "no_such_function(image)", "--overwrite");
        assertThat(unknown.status()).isEqualTo(ExitCode.USAGE.status());
        assertThat(unknown.said()).contains("no_such_function", "--function NAME=CLASS");
        JobRuns.Ended missing = images(List.of(SHARD), "--function", "a=no.such.Class", "--overwrite");
        assertThat(missing.status()).isEqualTo(ExitCode.USAGE.status());
        assertThat(missing.said()).contains("no.such.Class");
        assertThat(table("kept").count()).isEqualTo(kept.count());
    }

    @Test
    void damagedTablesAreRejectsAndTheRestIsRead() throws IOException {
        assertThat(images(List.of(SHARD)).status()).isZero();
        Path tables = Files.createDirectory(directory.resolve("tables"));
        // 8 rows a file, in pages small enough that damage in the middle leaves some whole
        table("kept")
                .orderBy("key")
                .select("image", "caption")
                .limit(24)
                .repartitionByRange(3, functions.col("caption"))
                .write()
                .option("compression", "none")
                .parquet(tables.resolve("made").toString());
        List<Path> files;
        try (var made = Files.list(tables.resolve("made"))) {
            files = made.filter(file -> file.toString().endsWith(".parquet"))
                    .sorted()
                    .toList();
        }
        assertThat(files).hasSize(3);
        Path input = Files.createDirectory(directory.resolve("a b"));
        byte[] whole = Files.readAllBytes(files.get(0));
        Files.write(input.resolve("whole.parquet"), whole);
        byte[] damaged = Files.readAllBytes(files.get(1));
        Arrays.fill(damaged, 4, damaged.length / 2, (byte) 0x5A);
        Files.write(input.resolve("damaged.parquet"), damaged);
        byte[] third = Files.readAllBytes(files.get(2));
        Files.write(input.resolve("cut.parquet"), Arrays.copyOf(third, third.length / 2));
        Files.writeString(input.resolve("text.parquet"), "no table at all");
        long rows =
                spark.read().parquet(input.resolve("whole.parquet").toString()).count();

        JobRuns.Ended ended = images(List.of(input), "--caption-column", "caption", "--overwrite");
        assertThat(ended.status()).as(ended.said()).isEqualTo(ExitCode.INPUT_INCOMPLETE.status());
        Map<String, String> rejects = new TreeMap<>();
        table("rejects")
                .where("reason IN ('UNREADABLE_SHARD', 'TRUNCATED_SHARD')")
                .selectExpr("source.path", "reason", "source.byte_size", "detail")
                .collectAsList()
                .forEach(row -> {
                    rejects.put(row.getString(0).replaceAll(".*/", ""), row.getString(1));
                    assertThat(row.getLong(2)).isPositive();
                    assertThat(row.getString(3)).isNotBlank();
                });
        assertThat(rejects)
                .containsExactlyInAnyOrderEntriesOf(Map.of(
                        "cut.parquet", "UNREADABLE_SHARD",
                        "text.parquet", "UNREADABLE_SHARD",
                        "damaged.parquet", "TRUNCATED_SHARD"));
        assertThat(table("kept").where("source.path LIKE '%whole.parquet'").count()
                        + table("rejects")
                                .where("source.path LIKE '%whole.parquet'")
                                .count())
                .isEqualTo(rows);

        // nothing but damage is no reason to fail either
        Path text = Files.createDirectory(directory.resolve("texts"));
        Files.writeString(text.resolve("text.parquet"), "no table at all");
        JobRuns.Ended nothing = images(List.of(text), "--overwrite");
        assertThat(nothing.status()).as(nothing.said()).isEqualTo(ExitCode.INPUT_INCOMPLETE.status());
        assertThat(table("kept").count()).isZero();
    }

    @Test
    void saysWhatIsWrongWithTheArguments() throws IOException {
        Path texts = Files.writeString(directory.resolve("a.txt"), "no image");
        assertThat(images(List.of(texts)).status()).isEqualTo(ExitCode.INPUT.status());
        // the assembly has no FFmpeg, and says how to add it
        Path film = Files.writeString(directory.resolve("a.mp4"), "a film");
        JobRuns.Ended films = images(List.of(film));
        assertThat(films.status()).isEqualTo(ExitCode.INPUT.status());
        assertThat(films.said()).contains("--packages org.bytedeco:ffmpeg-platform:");
        assertThat(images(List.of(directory.resolve("gone"))).status()).isEqualTo(ExitCode.INPUT.status());
        assertThat(images(List.of(SHARD), "--distance", "12").status()).isEqualTo(ExitCode.USAGE.status());
        assertThat(images(List.of(SHARD), "--frames-per-second", "0").status()).isEqualTo(ExitCode.USAGE.status());
        assertThat(directory.resolve("out")).doesNotExist();
    }
}
