package dev.paloverde.pipelines.packing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.paloverde.pipelines.LocalSpark;
import dev.paloverde.pipelines.image.SampleDocuments;
import dev.paloverde.pipelines.image.Samples;
import dev.paloverde.pipelines.interleaved.Segments;
import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Settings;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.Test;

/** What the readers of images give, through documents and tokens into sequences. */
class PicturePackingTest {
    private static final int LATENTS = 6;
    private static final int BLOCK = LATENTS + 2;
    private static final int CONTEXT = 40;
    private static final Tokens.Marks MARKS = new Tokens.Marks(7, 8);
    private static final Settings SETTINGS =
            Settings.resolve(Operation.SCORE, Map.of("model", "../data/models/sample-draft"), Map.of());

    private static Row sample(String key, int position, String caption, String path, Integer frame) {
        return RowFactory.create(
                key,
                position,
                new byte[] {1},
                caption,
                null,
                RowFactory.create(path, path.endsWith(".tar") ? key + ".png" : null, 512L * position, 9L, frame),
                null,
                null);
    }

    /** Stills with and without captions, and films of several frames, some longer than the context. */
    private static List<Row> samples(Random random) {
        List<Row> samples = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            String words = "toad ".repeat(1 + random.nextInt(12));
            samples.add(sample("still-" + i, 0, i % 5 == 0 ? (i % 2 == 0 ? null : "  ") : words + i, "a.tar", null));
        }
        for (int film = 0; film < 8; film++) {
            int frames = 1 + random.nextInt(9);
            for (int frame = 0; frame < frames; frame++) {
                samples.add(sample("film-" + film, frame, film % 2 == 0 ? "a film" : null, "b.tar", frame * 3));
            }
        }
        return samples;
    }

    private static Dataset<Row> documents(List<Row> samples, int partitions, double share) {
        Dataset<Row> rows =
                LocalSpark.session().createDataFrame(samples, Samples.SCHEMA).repartition(partitions);
        return new SampleDocuments(LATENTS, share, 3)
                .of(rows)
                .select(
                        functions
                                .substring(
                                        functions.sha2(
                                                functions.col(Samples.KEY).cast("binary"), 256),
                                        1,
                                        32)
                                .as(Tokens.DOCUMENT),
                        functions.lit("pictures").as(Tokens.SOURCE),
                        functions.col(Segments.OBJECTIVE),
                        functions.col(Segments.SEGMENTS));
    }

    private static List<Row> packed(Dataset<Row> tokens) {
        Packing packing = new Packing(CONTEXT, 2, CONTEXT * 6L, 5);
        Mixture mixture =
                Mixture.of(tokens, new Mixture.Request(Collections.emptySortedMap(), OptionalLong.empty(), 1, 0));
        Dataset<Row> pieces = packing.pieces(mixture.drawn(tokens)).cache();
        return packing.sequences(pieces).orderBy("sequence").collectAsList();
    }

    @Property(tries = 3, shrinking = ShrinkingMode.OFF)
    void everyPictureIsOneWholeBlockOfItsDocument(@ForAll Random random) {
        List<Row> samples = samples(random);
        Dataset<Row> tokens = new Tokens(SETTINGS, MARKS, CONTEXT)
                .of(documents(samples, 3, .5))
                .cache();
        Map<String, Row> whole = new TreeMap<>();
        for (Row row : tokens.collectAsList()) {
            assertThat(row.<String>getAs(Tokens.REFUSED)).isNull();
            whole.put(row.getString(0), row);
        }
        long pictures = 0;
        Map<String, TreeMap<Integer, List<Integer>>> parts = new HashMap<>();
        Set<String> objectives = new HashSet<>();
        for (Row sequence : packed(tokens)) {
            List<Integer> ids = sequence.getList(2);
            List<Integer> numbers = sequence.getList(4);
            List<Integer> blocks = sequence.getList(5);
            List<Boolean> loss = sequence.getList(6);
            List<Row> pieces = sequence.getList(7);
            int block = 0;
            for (int number = 0; number < pieces.size(); number++) {
                Row piece = pieces.get(number);
                int start = piece.getAs("start");
                int end = start + piece.<Integer>getAs("length");
                String objective = piece.getAs("objective");
                objectives.add(objective);
                parts.computeIfAbsent(piece.getAs("document"), key -> new TreeMap<>())
                        .put(piece.getAs("offset"), ids.subList(start, end));
                assertThat(numbers.subList(start, end)).containsOnly(number);
                for (int i = start; i < end; i++) {
                    if (ids.get(i) != MARKS.begin() || i + BLOCK > end || ids.get(i + 1) != Tokens.VISUAL) {
                        // outside of blocks: no latent, no number, and learnt only where text is
                        assertThat(ids.get(i)).isNotEqualTo(Tokens.VISUAL);
                        assertThat(blocks.get(i)).isEqualTo(-1);
                        boolean text = objective.equals("image_to_text") || objective.equals("video");
                        assertThat(loss.get(i)).isEqualTo(text && i > start);
                        continue;
                    }
                    boolean learnt = !objective.equals("image_to_text");
                    assertThat(blocks.get(i)).isEqualTo(-1);
                    assertThat(loss.get(i)).isEqualTo(learnt && i > start);
                    for (int latent = 1; latent <= LATENTS; latent++) {
                        assertThat(ids.get(i + latent)).isEqualTo(Tokens.VISUAL);
                        assertThat(blocks.get(i + latent)).isEqualTo(block);
                        assertThat(loss.get(i + latent)).isEqualTo(learnt);
                    }
                    i += BLOCK - 1;
                    assertThat(ids.get(i)).isEqualTo(MARKS.end());
                    assertThat(blocks.get(i)).isEqualTo(-1);
                    assertThat(loss.get(i)).isFalse();
                    block++;
                    pictures++;
                }
            }
        }
        assertThat(pictures).isEqualTo(samples.size());
        assertThat(objectives).containsExactlyInAnyOrder("image_to_text", "text_to_image", "video");
        assertThat(parts.keySet()).isEqualTo(whole.keySet());
        parts.forEach((document, pieces) -> assertThat(
                        pieces.values().stream().flatMap(List::stream).toList())
                .isEqualTo(whole.get(document).getList(3)));
        long visual = whole.values().stream()
                .mapToLong(row -> row.<Integer>getAs(Tokens.VISUAL_TOKENS))
                .sum();
        assertThat(visual).isEqualTo((long) samples.size() * LATENTS);
    }

    @Property(tries = 2, shrinking = ShrinkingMode.OFF)
    void nothingDependsOnOrderOrPartitions(@ForAll Random random) {
        List<Row> samples = samples(random);
        List<Row> shuffled = new ArrayList<>(samples);
        Collections.shuffle(shuffled, random);
        Tokens tokens = new Tokens(SETTINGS, MARKS, CONTEXT);
        assertThat(packed(tokens.of(documents(shuffled, 5, .5)).cache()))
                .isEqualTo(packed(tokens.of(documents(samples, 1, .5)).cache()));
    }

    @Test
    void documentsHaveTheirSegmentsInOrder() {
        List<Row> samples = List.of(
                sample("a", 0, "a toad", "a.tar", null),
                sample("b", 0, null, "a.tar", null),
                sample("c", 2, null, "c/2.png", 4),
                sample("c", 0, "slow", "c/0.png", 0),
                sample("c", 1, "slow", "c/1.png", 2),
                // the same name in another shard is another film
                sample("d", 0, null, "a.tar", 0),
                sample("d", 0, null, "b.tar", 0));
        assertThat(outline(samples, 1))
                .containsExactlyInAnyOrder(
                        "image_to_text: image(a.tar) text(a toad)",
                        "text_to_image: image(a.tar)",
                        "video: text(slow) video(c/0.png) video(c/1.png) video(c/2.png)",
                        "video: video(a.tar)",
                        "video: video(b.tar)");
        assertThat(outline(samples, 0)).contains("text_to_image: text(a toad) image(a.tar)");
        assertThat(SampleDocuments.areIn(Samples.SCHEMA)).isTrue();
        assertThat(SampleDocuments.areIn(documents(samples, 1, 1).schema())).isFalse();
    }

    private static List<String> outline(List<Row> samples, double share) {
        return documents(samples, 2, share).collectAsList().stream()
                .map(row -> row.getString(2) + ": "
                        + row.<Row>getList(3).stream()
                                .map(segment -> segment.getString(0) + "("
                                        + (segment.isNullAt(1)
                                                ? segment.getStruct(3).getString(0)
                                                : segment.getString(1))
                                        + ")")
                                .collect(Collectors.joining(" ")))
                .toList();
    }
}
