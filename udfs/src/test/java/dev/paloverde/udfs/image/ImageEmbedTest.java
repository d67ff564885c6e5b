package dev.paloverde.udfs.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Paloverde;
import dev.paloverde.udfs.Settings;
import dev.paloverde.udfs.TextOptions;
import dev.paloverde.udfs.sql.TestSession;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** {@code image_embed} over images that are whole, damaged and none, with a small model of random weights. */
class ImageEmbedTest {
    private static final String MODEL = "../gpu/src/test/resources/vision/dinov2";
    private static SparkSession spark;
    private static JsonNode expected;

    @BeforeAll
    static void data() throws IOException {
        spark = TestSession.get();
        expected = new ObjectMapper().readTree(new File(MODEL, "expected.json")).path("images");
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < expected.size(); i++) {
            rows.add(RowFactory.create("good" + i, png(i)));
        }
        rows.add(RowFactory.create("null", null));
        rows.add(RowFactory.create("empty", new byte[0]));
        rows.add(RowFactory.create("text", "no image, but a text".getBytes()));
        for (int length = 97; length < png(1).length - 8; length += 97) {
            rows.add(RowFactory.create("cut" + length, Arrays.copyOf(png(1), length)));
        }
        spark.createDataFrame(rows, StructType.fromDDL("id STRING, image BINARY"))
                .repartition(3)
                .createOrReplaceTempView("images");
    }

    @Test
    void givesEveryRowItsLatentsOrItsCode() {
        Map<String, Row> found = run("image_embed(image, map('model', '" + MODEL + "', 'latents', 'hidden'))");
        for (int i = 0; i < expected.size(); i++) {
            Row row = found.get("good" + i);
            assertThat(row.<String>getAs("status")).isEqualTo("ok");
            assertThat(row.<Integer>getAs("tokens")).isEqualTo(16);
            assertThat(row.<Integer>getAs("width")).isEqualTo(32);
            List<Float> latents = row.getList(row.fieldIndex("latents"));
            float[] theirs = floats(expected.get(i).path("hidden").textValue());
            assertThat(latents).hasSize(theirs.length);
            for (int j = 0; j < theirs.length; j++) {
                assertThat((double) latents.get(j)).isCloseTo(theirs[j], within(2e-5));
            }
        }
        found.forEach((id, row) -> {
            if (!id.startsWith("good")) {
                assertThat(row.<String>getAs("status")).as(id).isEqualTo("error");
                assertThat(row.<String>getAs("error_code"))
                        .as(id)
                        .isEqualTo(id.equals("null") ? "NULL_INPUT" : "INVALID_IMAGE");
                assertThat(row.<Object>getAs("latents")).isNull();
            }
        });
        assertThat(found.values().stream()
                        .map(row -> row.<String>getAs("receipt"))
                        .distinct())
                .hasSize(1);
    }

    @Test
    void givesTheSameBitsHoweverRowsAndStepsAreCut() {
        String call = "image_embed(image, map('model', '" + MODEL + "'%s))";
        Map<String, Row> one = run(call.formatted(""));
        assertThat(run(call.formatted(", 'step-images', '1', 'batch-rows', '1', 'ahead-rows', '1', 'threads', '1'")))
                .isEqualTo(one);
        assertThat(run(call.formatted(", 'step-images', '7', 'batch-rows', '2'")))
                .isEqualTo(one);
        String receipt = one.get("good0").getAs("receipt");
        assertThat(run(call.formatted(", 'latents', 'hidden'")).get("good0").<String>getAs("receipt"))
                .isNotEqualTo(receipt);
        TextOptions options = TextOptions.input("image").with(Settings.MODEL, MODEL);
        assertThat(Paloverde.receipt(spark, Operation.EMBED_IMAGE, options).digest())
                .isEqualTo(receipt);
        // what a job plans with
        Dataset<Row> images = spark.table("images");
        for (Row row : images.select(
                        functions.col("id"),
                        Paloverde.rowKey(Operation.EMBED_IMAGE, options),
                        Paloverde.tokens(spark, Operation.EMBED_IMAGE, options))
                .collectAsList()) {
            assertThat(row.getString(1)).isEqualTo(one.get(row.getString(0)).getAs("row_key"));
            assertThat(row.isNullAt(2)).isEqualTo(!row.getString(0).startsWith("good"));
        }
        assertThat(Paloverde.embedImages(images, options).schema().fieldNames())
                .containsSubsequence("id", "image", "latents", "tokens", "width", "row_key", "status");
    }

    @Test
    void cutsPatchesWithoutAModelAndRefusesAWrongOne() {
        Map<String, Row> pixels = run("image_embed(image)");
        Row row = pixels.get("good0");
        assertThat(row.<Integer>getAs("tokens")).isEqualTo(256);
        assertThat(row.<Integer>getAs("width")).isEqualTo(588);
        List<Float> latents = row.getList(row.fieldIndex("latents"));
        assertThat(latents).hasSize(256 * 588).allMatch(value -> value >= -1 && value <= 1);
        assertThat(pixels.get("null").<String>getAs("error_code")).isEqualTo("NULL_INPUT");
        assertThat(run("image_embed(image, map('max-pixels', '200'))")
                        .get("good0")
                        .<String>getAs("error_code"))
                .isEqualTo("IMAGE_TOO_LARGE");
        assertThatThrownBy(() -> run("image_embed(image, map('model', 'embedded:sample-draft'))"))
                .hasStackTraceContaining("the vision models that run here are");
        assertThatThrownBy(() -> run("image_embed(image, map('max-tokens', '4'))"))
                .hasMessageContaining("image_embed has no option max-tokens");
        assertThatThrownBy(() -> run("llm_embed(id, map('step-images', '4'))"))
                .hasMessageContaining("llm_embed has no option step-images");
    }

    private static Map<String, Row> run(String call) {
        Map<String, Row> found = new HashMap<>();
        for (Row row : spark.sql("SELECT id, e.* FROM (SELECT id, " + call + " AS e FROM images)")
                .collectAsList()) {
            found.put(row.getString(0), row);
        }
        assertThat(found).hasSize((int) spark.table("images").count());
        return found;
    }

    private static byte[] png(int i) {
        return Base64.getDecoder().decode(expected.get(i).path("png").textValue());
    }

    private static float[] floats(String base64) {
        ByteBuffer bytes = ByteBuffer.wrap(Base64.getDecoder().decode(base64)).order(ByteOrder.LITTLE_ENDIAN);
        float[] values = new float[bytes.remaining() / Float.BYTES];
        bytes.asFloatBuffer().get(values);
        return values;
    }
}
