package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import dev.paloverde.pipelines.image.LatentStatistics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands {@code similar-embeddings}, {@code latent-statistics} and {@code text-distance} from their arguments to what they write. */
class SimilarityJobsTest {
    private final SparkSession spark = LocalSpark.session();

    @TempDir
    Path directory;

    private String at(String name) {
        return directory.resolve(name).toString();
    }

    @Test
    void embeddingsOfTheSampleFindTheirCopies() throws IOException {
        List<String> lines = new ArrayList<>(Files.readAllLines(Path.of("../data/corpus/text/stories.jsonl")));
        lines.subList(20, lines.size()).clear();
        lines.add(lines.get(3).replaceFirst("\"id\":\"[^\"]*\"", "\"id\":\"again\""));
        Path input = Files.write(directory.resolve("stories.jsonl"), lines);
        JobRuns.Ended embedded = JobRuns.run(
                "embed", "--input", input.toString(), "--output", at("embedded"), "--model", "embedded:sample-draft");
        assertThat(embedded.status()).as(embedded.said()).isZero();
        String[] command = {
            "similar-embeddings",
            "--input",
            at("embedded"),
            "--output",
            at("similar"),
            "--key-column",
            "id",
            "--cosine",
            "0.9999"
        };
        JobRuns.Ended ended = JobRuns.run(command);
        assertThat(ended.status()).as(ended.said()).isZero();
        assertThat(spark.read().parquet(at("similar/duplicates")).collectAsList())
                .extracting(row -> row.getString(0) + " " + row.getString(1))
                .hasSize(1)
                .allMatch(pair -> pair.contains("again"));
        assertThat(JobRuns.run(command).said()).contains("done before");

        command[6] = "source";
        JobRuns.Ended repeated = JobRuns.run(command);
        assertThat(repeated.status()).isEqualTo(ExitCode.INPUT.status());
        assertThat(repeated.said()).contains("tells rows apart");
        command[6] = "id";
        command[8] = "0";
        assertThat(JobRuns.run(command).status()).isEqualTo(ExitCode.USAGE.status());
        JobRuns.Ended text = JobRuns.run(
                "similar-embeddings",
                "--input",
                at("embedded"),
                "--output",
                at("similar"),
                "--embedding-column",
                "text");
        assertThat(text.status()).isEqualTo(ExitCode.INPUT.status());
        assertThat(text.said()).contains("arrays of numbers");
    }

    @Test
    void statisticsAreThoseOfAllLatents() throws IOException {
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            rows.add(RowFactory.create(new Float[] {(float) i, 1f, (float) -i, 3f}, 2, 2));
        }
        spark.createDataFrame(rows, StructType.fromDDL("latents ARRAY<FLOAT>, tokens INT, width INT"))
                .repartition(3, functions.col("latents"))
                .write()
                .mode(SaveMode.Overwrite)
                .parquet(at("latents"));
        String[] command = {"latent-statistics", "--input", at("latents"), "--output", at("statistics")};
        JobRuns.Ended ended = JobRuns.run(command);
        assertThat(ended.status()).as(ended.said()).isZero();
        LatentStatistics.Statistics statistics = Json.read(
                Files.readString(directory.resolve("statistics/statistics.json")), LatentStatistics.Statistics.class);
        assertThat(statistics.count()).isEqualTo(100);
        assertThat(statistics.mean()).containsExactly(0.0, 2.0);
        // the mean of the squares of 0 to 49 is 808.5
        assertThat(statistics.variance()).containsExactly(808.5, 1.0);
        assertThat(JobRuns.run(command).said()).contains("done before");
        JobRuns.Ended other = JobRuns.run(
                "latent-statistics", "--input", "../data/corpus/text/stories.jsonl", "--output", at("none"));
        assertThat(other.status()).isEqualTo(ExitCode.INPUT.status());
        assertThat(other.said()).contains("embed-image");
    }

    @Test
    void captionsAreFarFromStories() throws IOException {
        String[] command = {
            "text-distance",
            "--input",
            "../data/corpus/text/captions.jsonl",
            "--against",
            "../data/corpus/text/stories.jsonl",
            "--ngram",
            "1,3",
            "--output",
            at("distance")
        };
        JobRuns.Ended ended = JobRuns.run(command);
        assertThat(ended.status()).as(ended.said()).isZero();
        TextDistanceCommand.Ended found = Json.read(
                Files.readString(directory.resolve("distance/summary.json")), TextDistanceCommand.Ended.class);
        assertThat(found.distances()).extracting("ngram").containsExactly(1, 3);
        assertThat(found.distances()).allMatch(distance -> distance.divergence() > 2 * distance.within());
        assertThat(found.distances().get(1).unseen())
                .isGreaterThan(found.distances().get(0).unseen());
        assertThat(JobRuns.run(command).said()).contains("done before");
        command[6] = "9";
        assertThat(JobRuns.run(command).status()).isEqualTo(ExitCode.USAGE.status());
        JobRuns.Ended column = JobRuns.run(
                "text-distance",
                "--input",
                command[2],
                "--against",
                command[4],
                "--against-column",
                "caption",
                "--output",
                at("other"));
        assertThat(column.status()).isEqualTo(ExitCode.INPUT.status());
        assertThat(column.said()).contains("--against-column caption: there is no such column");
    }
}
