package dev.paloverde.pipelines.corpus;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;

class DecontaminationTest {
    private static final String QUESTION =
            "A rabbit has three burrows, and a fox passes by each of them twice a night.";

    private static Dataset<Row> evaluation(Map<String, String> texts) {
        return LocalSpark.documents(texts, 2).withColumnRenamed("row_key", Decontamination.EVALUATION_KEY);
    }

    private static List<String> hits(Map<String, String> documents, Map<String, String> evaluation) {
        return new Decontamination(13)
                .hits(LocalSpark.documents(documents, 3), evaluation(evaluation)).collectAsList().stream()
                        .map(row ->
                                row.getString(0) + "@" + row.getInt(1) + " " + row.getString(3) + "@" + row.getInt(4))
                        .sorted()
                        .toList();
    }

    @Test
    void whatWasPlantedIsFoundWhereItIsAndNothingElse() {
        Map<String, String> evaluation = new TreeMap<>();
        evaluation.put("q1", QUESTION);
        evaluation.put("q2", "No document holds these words in a row, thirteen or more of them, at all.");
        evaluation.put("short", "A rabbit has three burrows");
        evaluation.put("null", null);
        Map<String, String> documents = new TreeMap<>();
        documents.put(
                "whole",
                "Read this. " + QUESTION.toUpperCase(java.util.Locale.ROOT).replace(" ", "\n"));
        // twelve words in a row are one too few, whatever surrounds them
        documents.put("twelve", "A rabbit has three burrows and a fox passes by each of us");
        documents.put("thirteen", "Here a rabbit has three burrows -- and a fox passes by each of them, too.");
        documents.put("none", "Nothing");
        documents.put("null", null);

        assertThat(hits(documents, evaluation))
                .containsExactly("thirteen@1 q1@0", "whole@2 q1@0", "whole@3 q1@1", "whole@4 q1@2", "whole@5 q1@3");
    }

    @Test
    void rowsTooShortToBeFoundAreTold() {
        Map<String, String> evaluation = new TreeMap<>();
        evaluation.put("long", QUESTION);
        evaluation.put("short", "A rabbit has three burrows");
        evaluation.put("null", null);

        assertThat(new Decontamination(13).tooShort(evaluation(evaluation)).collectAsList())
                .extracting(row -> row.getString(0))
                .containsExactlyInAnyOrder("short", "null");
    }
}
