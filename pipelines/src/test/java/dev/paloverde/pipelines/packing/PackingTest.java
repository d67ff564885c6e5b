package dev.paloverde.pipelines.packing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.model.ModelConfiguration;
import dev.paloverde.gpu.model.Tokenizer;
import dev.paloverde.pipelines.LocalSpark;
import dev.paloverde.pipelines.interleaved.SegmentKind;
import dev.paloverde.pipelines.interleaved.Segments;
import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Settings;
import dev.paloverde.udfs.text.TextModel;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;

/** Documents through tokens, a mixture and packing: nothing is lost, doubled or divided, whatever their order. */
class PackingTest {
    private static final int CONTEXT = 32;
    private static final int PAD = 2;
    private static final Tokens.Marks MARKS = new Tokens.Marks(7, 8);
    private static final Settings SETTINGS =
            Settings.resolve(Operation.SCORE, Map.of("model", "../data/models/sample-draft"), Map.of());
    private static final StructType DOCUMENTS = new StructType()
            .add(Tokens.DOCUMENT, "string")
            .add(Tokens.SOURCE, "string")
            .add(Segments.OBJECTIVE, "string")
            .add(Segments.SEGMENTS, Segments.TYPE);

    private static Row text(String kind, String text) {
        return RowFactory.create(kind, text, 0, null);
    }

    private static Row image(String kind, int visual) {
        return RowFactory.create(kind, null, visual, RowFactory.create("a.tar", "b.png", 512L, 99L, null));
    }

    private static Row document(int key, String source, String objective, Row... segments) {
        return RowFactory.create("%032x".formatted(key), source, objective, segments);
    }

    private static Dataset<Row> dataset(List<Row> documents, int partitions) {
        return LocalSpark.session().createDataFrame(documents, DOCUMENTS).repartition(partitions);
    }

    /** Documents of all kinds and lengths. */
    private static List<Row> documents(long seed, int count) {
        Random random = new Random(seed);
        List<Row> documents = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int kind = random.nextInt(4);
            String words = IntStream.range(0, 1 + random.nextInt(kind == 0 ? 60 : 8))
                    .mapToObj(word -> "toad " + random.nextInt(50))
                    .collect(Collectors.joining(" "));
            documents.add(
                    switch (kind) {
                        case 0, 1 -> document(i, "books", null, text("text", words));
                        case 2 ->
                            document(
                                    i,
                                    "web",
                                    random.nextBoolean() ? "image_to_text" : "text_to_image",
                                    text("text", words),
                                    image("image", 1 + random.nextInt(CONTEXT - 2)),
                                    image("image", 4),
                                    text("text", words));
                        default ->
                            document(
                                    i,
                                    "robots",
                                    "action",
                                    image("video", 5),
                                    text("action", "action: dx=1"),
                                    image("video", 5));
                    });
        }
        return documents;
    }

    private static Mixture.Request everything() {
        return new Mixture.Request(Collections.emptySortedMap(), OptionalLong.empty(), 1, 0);
    }

    private static Dataset<Row> tokens(Dataset<Row> documents) {
        return new Tokens(SETTINGS, MARKS, CONTEXT).of(documents).cache();
    }

    private static List<Row> packed(Dataset<Row> tokens, Mixture.Request request, Packing packing) {
        Dataset<Row> pieces =
                packing.pieces(Mixture.of(tokens, request).drawn(tokens)).cache();
        List<Row> sequences = new ArrayList<>(packing.sequences(pieces).collectAsList());
        for (int i = 1; i < sequences.size(); i++) {
            // a shard is in one partition, in order
            long before = sequences.get(i - 1).getLong(1);
            boolean follows = sequences.get(i).getLong(1) == before + 1;
            assertThat(follows
                            || sequences.get(i).getInt(0)
                                    != sequences.get(i - 1).getInt(0))
                    .isTrue();
        }
        sequences.sort(Comparator.comparingLong(sequence -> sequence.getLong(1)));
        pieces.unpersist();
        return sequences;
    }

    @Property(tries = 3, shrinking = ShrinkingMode.OFF)
    void everyTokenIsThereOnceAndEveryMaskSaysWhatItIs(@ForAll Random random) {
        List<Row> documents = documents(random.nextLong(), 60);
        Dataset<Row> tokens = tokens(dataset(documents, 3));
        List<Row> sequences = packed(tokens, everything(), new Packing(CONTEXT, PAD, CONTEXT * 10L, 5));

        Map<String, Map<Integer, List<Integer>>> parts = new TreeMap<>();
        for (int i = 0; i < sequences.size(); i++) {
            Row sequence = sequences.get(i);
            assertThat(sequence.<Long>getAs("sequence")).isEqualTo(i);
            assertThat(sequence.<Integer>getAs("shard")).isEqualTo(i / 10);
            collect(sequence, parts);
        }
        Map<String, List<Integer>> whole = new TreeMap<>();
        for (Row row : tokens.collectAsList()) {
            whole.put(row.getString(0), row.getList(3));
        }
        assertThat(parts.keySet()).isEqualTo(whole.keySet());
        parts.forEach((document, pieces) -> assertThat(
                        pieces.values().stream().flatMap(List::stream).toList())
                .as(document)
                .isEqualTo(whole.get(document)));
    }

    private static void collect(Row sequence, Map<String, Map<Integer, List<Integer>>> parts) {
        List<Integer> ids = sequence.getList(2);
        List<Integer> positions = sequence.getList(3);
        List<Integer> documents = sequence.getList(4);
        List<Integer> blocks = sequence.getList(5);
        List<Boolean> loss = sequence.getList(6);
        List<Row> pieces = sequence.getList(7);
        assertThat(List.of(ids.size(), positions.size(), documents.size(), blocks.size(), loss.size()))
                .containsOnly(CONTEXT);
        int end = 0;
        for (int number = 0; number < pieces.size(); number++) {
            Row piece = pieces.get(number);
            int start = piece.getAs("start");
            int length = piece.getAs("length");
            String objective = piece.getAs("objective");
            assertThat(start).isEqualTo(end);
            end = start + length;
            parts.computeIfAbsent(piece.getAs("document"), key -> new TreeMap<>())
                    .put(piece.getAs("offset"), ids.subList(start, end));
            long trained = 0;
            long visual = 0;
            for (int i = start; i < end; i++) {
                assertThat(documents.get(i)).isEqualTo(number);
                assertThat(positions.get(i)).isEqualTo(i - start);
                boolean latent = ids.get(i) == Tokens.VISUAL;
                assertThat(blocks.get(i) >= 0).isEqualTo(latent);
                trained += loss.get(i) ? 1 : 0;
                visual += latent ? 1 : 0;
                if (latent) {
                    // a block is whole: before it its begin or another latent of it, after it another or its end
                    assertThat(i > start
                                    && (ids.get(i - 1) == MARKS.begin()
                                            || blocks.get(i - 1).equals(blocks.get(i))))
                            .isTrue();
                    assertThat(i + 1 < end
                                    && (ids.get(i + 1) == MARKS.end()
                                            || blocks.get(i + 1).equals(blocks.get(i))))
                            .isTrue();
                    assertThat(loss.get(i)).isEqualTo(!objective.equals("image_to_text"));
                } else if (objective.equals("text")) {
                    assertThat(loss.get(i)).isEqualTo(i > start);
                } else if (loss.get(i)) {
                    assertThat(objective.equals("image_to_text") || ids.get(i) == MARKS.begin())
                            .as("%s trains the token %d", objective, ids.get(i))
                            .isTrue();
                }
            }
            assertThat(loss.get(start)).isFalse();
            assertThat(piece.<Integer>getAs("trained")).isEqualTo((int) trained);
            assertThat(piece.<Integer>getAs("visual_tokens")).isEqualTo((int) visual);
            assertThat(piece.<Integer>getAs("text_tokens")).isEqualTo((int) (length - visual));
        }
        assertThat(sequence.<Integer>getAs("padding")).isEqualTo(CONTEXT - end);
        for (int i = end; i < CONTEXT; i++) {
            assertThat(List.of(ids.get(i), documents.get(i), blocks.get(i))).containsExactly(PAD, -1, -1);
            assertThat(loss.get(i)).isFalse();
        }
    }

    @Property(tries = 2, shrinking = ShrinkingMode.OFF)
    void sequencesDoNotDependOnOrderOrPartitions(@ForAll Random random) {
        List<Row> documents = documents(random.nextLong(), 80);
        Mixture.Request request =
                new Mixture.Request(new TreeMap<>(Map.of("books", 2.0, "web", 1.0)), OptionalLong.of(3000), 9, 1);
        Packing packing = new Packing(CONTEXT, PAD, CONTEXT * 7L, 3);
        List<Row> one = packed(tokens(dataset(documents, 1)), request, packing);
        List<Row> shuffled = new ArrayList<>(documents);
        Collections.shuffle(shuffled, random);
        assertThat(packed(tokens(dataset(shuffled, 5)), request, packing)).isEqualTo(one);
        assertThat(packed(tokens(dataset(documents, 2)), request, new Packing(CONTEXT, PAD, CONTEXT * 7L, 4)))
                .isNotEqualTo(one);
    }

    @Property(tries = 3, shrinking = ShrinkingMode.OFF)
    void aMixtureGivesWhatIsAskedForToWithinADocument(@ForAll Random random) {
        Dataset<Row> tokens = tokens(dataset(documents(random.nextLong(), 70), 2));
        Map<String, Double> weights = new TreeMap<>(Map.of("books", 0.6, "web", 0.3, "robots", 0.1));
        long budget = 500 + random.nextInt(8000);
        Mixture mixture =
                Mixture.of(tokens, new Mixture.Request(new TreeMap<>(weights), OptionalLong.of(budget), 99, 7));
        Map<String, Long> drawn = new HashMap<>();
        Map<String, Map<String, Integer>> copies = new HashMap<>();
        Map<String, Integer> longest = new HashMap<>();
        for (Row row : tokens.collectAsList()) {
            longest.merge(row.getString(1), row.getList(3).size(), Integer::max);
        }
        for (Row row : mixture.drawn(tokens).collectAsList()) {
            drawn.merge(row.getString(1), (long) row.getList(3).size(), Long::sum);
            copies.computeIfAbsent(row.getString(1), key -> new HashMap<>()).merge(row.getString(0), 1, Integer::sum);
        }
        for (Mixture.Share share : mixture.shares()) {
            assertThat(share.wanted()).isEqualTo(Math.round(budget * weights.get(share.source())));
            assertThat(share.drawnTokens()).isEqualTo(drawn.getOrDefault(share.source(), 0L));
            assertThat(share.wanted() - share.drawnTokens()).isBetween(0L, longest.get(share.source()) - 1L);
            Map<String, Integer> own = copies.getOrDefault(share.source(), Map.of());
            assertThat(own.values().stream().mapToLong(Integer::longValue).sum())
                    .isEqualTo(share.drawnDocuments());
            assertThat(own.values())
                    .allMatch(count -> count == (int) share.epochs() || count == (int) share.epochs() + 1);
        }
    }

    @Test
    void moreTokensOfASourceAreTheSameAndMore() {
        Dataset<Row> tokens = tokens(dataset(documents(1, 60), 2));
        List<String> before = List.of();
        for (long budget = 100; budget < 1500; budget += 350) {
            List<String> drawn = Mixture.of(
                            tokens,
                            new Mixture.Request(new TreeMap<>(Map.of("books", 1.0)), OptionalLong.of(budget), 9, 7))
                    .drawn(tokens)
                    .collectAsList()
                    .stream()
                    .map(row -> row.getString(0) + " " + row.getAs(Mixture.COPY))
                    .toList();
            assertThat(drawn).containsAll(before);
            before = drawn;
        }
        assertThat(before).isNotEmpty();
    }

    @Test
    void refusesAMixtureThatCannotBe() {
        Dataset<Row> tokens = tokens(dataset(documents(1, 20), 2));
        assertThatThrownBy(() -> Mixture.of(
                        tokens, new Mixture.Request(new TreeMap<>(Map.of("poems", 1.0)), OptionalLong.empty(), 4, 0)))
                .isInstanceOfSatisfying(
                        PaloverdeException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_OPTION))
                .hasMessageContainingAll("poems", "books");
        assertThatThrownBy(() -> Mixture.of(
                        tokens,
                        new Mixture.Request(new TreeMap<>(Map.of("books", 1.0)), OptionalLong.of(1_000_000), 4, 0)))
                .hasMessageContaining("4.0 are the most");
        assertThatThrownBy(() -> new Mixture.Request(new TreeMap<>(Map.of("a", 0.0)), OptionalLong.empty(), 4, 0))
                .hasMessageContaining("above 0");
    }

    @Test
    void documentsThatCannotBePackedAreRefusedOneByOne() {
        List<Row> documents = List.of(
                document(1, "s", null, text("text", "")),
                document(2, "s", null, image("image", CONTEXT - 1)),
                document(3, "s", null, text("song", "la")),
                document(4, "s", null, text("text", null)),
                document(5, "s", "fun", text("text", "a")),
                document(6, "s", null, text("text", "a <|end|> b\uD800")),
                document(7, "s", null, image("image", CONTEXT - 2)),
                RowFactory.create("%032x".formatted(8), "s", null, null));
        Map<String, String> refused = new TreeMap<>();
        for (Row row : tokens(dataset(documents, 2)).collectAsList()) {
            refused.put(row.getString(0).substring(31), String.valueOf(row.<Object>getAs(Tokens.REFUSED)));
        }
        assertThat(refused)
                .containsAllEntriesOf(Map.of(
                        "1", "EMPTY",
                        "2", "BLOCK_TOO_LONG",
                        "3", "INVALID_SEGMENT",
                        "4", "INVALID_SEGMENT",
                        "5", "INVALID_OBJECTIVE",
                        "7", "null",
                        "8", "EMPTY"));
        Dataset<Row> without = new Tokens(SETTINGS, Tokens.Marks.NONE, CONTEXT).of(dataset(documents.subList(6, 7), 1));
        assertThat(without.head().<String>getAs(Tokens.REFUSED)).isEqualTo("INVALID_SEGMENT");
    }

    @Test
    void tokensAreThoseOfTheModel() {
        String words = "The toad slept. <|end|> It woke.";
        TextModel model = TextModel.shared(SETTINGS);
        Tokenizer tokenizer = model.directory().tokenizer();
        List<Integer> expected = new ArrayList<>();
        Arrays.stream(tokenizer.prefix()).forEach(expected::add);
        Arrays.stream(tokenizer.encode(words)).forEach(expected::add);
        expected.add(model.directory().generationDefaults().ends().get(0));
        Row row = tokens(dataset(List.of(document(1, "s", null, text("text", words))), 1))
                .head();
        assertThat(row.<Integer>getList(3)).isEqualTo(expected);
        assertThat(row.<String>getAs(Segments.OBJECTIVE)).isEqualTo("text");
    }

    @Test
    void documentsOfOrdinaryLengthsLeaveLessThanTwoPercentOfPadding() {
        Random random = new Random(3);
        List<Row> documents = new ArrayList<>();
        for (int i = 0; i < 3000; i++) {
            String words = "toad ".repeat((int) Math.max(1, Math.exp(random.nextGaussian() + 4)));
            documents.add(document(i, "s", null, text("text", words)));
        }
        Dataset<Row> tokens =
                new Tokens(SETTINGS, MARKS, 1024).of(dataset(documents, 2)).cache();
        List<Row> sequences = packed(tokens, everything(), new Packing(1024, PAD, 1 << 20, 0));
        double padding = sequences.stream()
                        .mapToInt(row -> row.getAs("padding"))
                        .average()
                        .orElseThrow()
                / 1024;
        assertThat(padding).isLessThan(0.02);
    }

    @Test
    void theLedgerCountsEveryProductOnce() {
        ModelConfiguration configuration =
                TextModel.shared(SETTINGS).directory().configuration();
        List<Run> piece = List.of(new Run(SegmentKind.TEXT, 5), new Run(SegmentKind.IMAGE, 6));
        FlopLedger ledger = FlopLedger.of(
                "draft", configuration, CONTEXT, new FlopLedger.Totals(7, 4, Run.attended(piece), 21), 1152);
        // one layer after another, one product after another, one position after another
        BigInteger counted = BigInteger.ZERO;
        int width = configuration.headWidth();
        long[] sees = {1, 2, 3, 4, 5, 6, 10, 10, 10, 10, 11};
        for (int layer = 0; layer < configuration.layers(); layer++) {
            for (long seen : sees) {
                long weights = 0;
                for (int head = 0; head < configuration.queryHeads(); head++) {
                    weights += 2L * configuration.hidden() * width;
                    counted = counted.add(BigInteger.valueOf(3 * (2 * 2 * seen * width)));
                }
                for (int head = 0; head < configuration.keyValueHeads(); head++) {
                    weights += 2L * configuration.hidden() * width;
                }
                weights += 3L * configuration.hidden() * configuration.intermediate();
                counted = counted.add(BigInteger.valueOf(3 * 2 * weights));
            }
        }
        assertThat(ledger.linear().add(ledger.attention())).isEqualTo(counted);
        assertThat(ledger.head())
                .isEqualTo(BigInteger.valueOf(
                        6L * configuration.hidden() * (7L * configuration.vocabulary() + 4L * 2 * 1152)));
        assertThat(ledger.total()).isEqualTo(counted.add(ledger.head()));
        assertThat(ledger.parameters() + ledger.embeddingParameters())
                .isLessThan(TextModel.shared(SETTINGS).directory().weightBytes());
    }
}
