package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** From pictures, films, drives and texts to one packed corpus, by the commands alone, on the sample corpus. */
class PictureCorpusTest {
    private static final int LATENTS = 16;

    private final SparkSession spark = LocalSpark.session();

    @TempDir
    Path directory;

    private JobRuns.Ended run(String... arguments) {
        JobRuns.Ended ended = JobRuns.run(arguments);
        assertThat(ended.status()).as(ended.said()).isZero();
        return ended;
    }

    private String at(String name) {
        return directory.resolve(name).toString();
    }

    @Test
    void packsWhatTheReadersGive() throws IOException {
        run("images", "--input", "../data/corpus/image-text", "--output", at("pictures"));
        run(
                "images",
                "--input",
                "../data/corpus/video",
                "--output",
                at("films"),
                "--folder-frames-per-second",
                "2",
                "--min-side",
                "16");
        JobRuns.Ended drives = run(
                "trajectories", "--input", "../data/corpus/video", "--output", at("drives"), "--image-tokens", "16");
        assertThat(drives.said()).contains("5 trajectories", "5 documents");
        assertThat(run(
                                "trajectories",
                                "--input",
                                "../data/corpus/video",
                                "--output",
                                at("drives"),
                                "--image-tokens",
                                "16")
                        .said())
                .contains("done before");

        String[] pack = {
            "corpus-pack",
            "--input",
            "../data/corpus/text/stories.jsonl",
            "--source-column",
            "source",
            "--also",
            "pictures=" + at("pictures/kept"),
            "--also",
            "films=" + at("films/kept"),
            "--also",
            "drives=" + at("drives/documents"),
            "--image-tokens",
            "16",
            "--image-marks",
            "3,4",
            "--tokenizer",
            "embedded:sample-draft",
            "--context",
            "256",
            "--output",
            at("packed")
        };
        run(pack);
        CorpusPackSummary summary =
                Json.read(Files.readString(directory.resolve("packed/summary.json")), CorpusPackSummary.class);
        PackSummary packed = summary.packed();
        assertThat(packed.refused()).isEmpty();
        long stills = spark.read().parquet(at("pictures/kept")).count();
        long frames = spark.read().parquet(at("films/kept")).count();
        long driven = Json.read(Files.readString(directory.resolve("drives/summary.json")), TrajectoriesJob.Ended.class)
                .frames();
        assertThat(driven).isEqualTo(45);
        assertThat(packed.visualTokens()).isEqualTo((stills + frames + driven) * LATENTS);
        assertThat(packed.mixture().stream().map(share -> share.source()))
                .containsExactly("drives", "films", "pictures", "stories");
        assertThat(packed.ledger())
                .allSatisfy(model -> assertThat(model.total()).isPositive());

        // what the manifest says of objectives is what there is
        Map<String, Long> visual = new TreeMap<>();
        Map<String, Long> documents = new TreeMap<>();
        PackSummary.Shard[] shards =
                Json.read(Files.readString(directory.resolve("packed/shards.json")), PackSummary.Shard[].class);
        for (PackSummary.Shard shard : shards) {
            shard.contents().forEach(each -> {
                visual.merge(each.objective(), each.visualTokens(), Long::sum);
                documents.merge(each.objective(), each.documents(), Long::sum);
            });
        }
        assertThat(visual)
                .containsEntry("text", 0L)
                .containsEntry("video", frames * LATENTS)
                .containsEntry("action", driven * LATENTS);
        assertThat(visual.get("image_to_text")).isPositive();
        assertThat(visual.get("image_to_text") + visual.get("text_to_image")).isEqualTo(stills * LATENTS);
        assertThat(documents).containsEntry("video", 10L).containsEntry("action", 5L);

        // every block is whole
        for (Row sequence : spark.read().parquet(at("packed/packed")).collectAsList()) {
            List<Integer> tokens = sequence.getList(sequence.fieldIndex("tokens"));
            for (int i = 0; i < tokens.size(); i++) {
                if (tokens.get(i) == -1) {
                    assertThat(tokens.get(i - 1)).isEqualTo(3);
                    assertThat(tokens.subList(i, i + LATENTS)).containsOnly(-1);
                    i += LATENTS;
                    assertThat(tokens.get(i)).isEqualTo(4);
                }
            }
        }
        assertThat(run(pack).said()).contains("done before");
        pack[15] = "3";
        pack[18] = "512";
        assertThat(JobRuns.run(pack).status()).isEqualTo(ExitCode.USAGE.status());
    }

    @Test
    void saysWhatIsMissing() {
        run("images", "--input", "../data/corpus/image-text", "--output", at("pictures"));
        JobRuns.Ended unmarked = JobRuns.run(
                "corpus-pack",
                "--input",
                at("pictures/kept"),
                "--tokenizer",
                "embedded:sample-draft",
                "--output",
                at("p"));
        assertThat(unmarked.status()).isEqualTo(ExitCode.USAGE.status());
        assertThat(unmarked.said()).contains("--image-marks BEGIN,END");
        JobRuns.Ended none =
                JobRuns.run("trajectories", "--input", "../data/corpus/image-text", "--output", at("none"));
        assertThat(none.status()).isEqualTo(ExitCode.INPUT.status());
        assertThat(none.said()).contains("actions.jsonl");
    }
}
