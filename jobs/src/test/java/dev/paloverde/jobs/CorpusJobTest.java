package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/** The command {@code corpus} from its arguments to its tables. */
class CorpusJobTest {
    private static final String LONG = words(7, 200);
    private static final String QUESTION = "How many burrows does a rabbit dig in nine nights if it digs two a night?";

    private final SparkSession spark = LocalSpark.session();

    @TempDir
    Path directory;

    private Path output;

    @BeforeEach
    void nameOutput() {
        output = directory.resolve("out");
    }

    private static String words(long seed, int count) {
        Random random = new Random(seed);
        List<String> words = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            words.add("word" + random.nextInt(5000) + (i % 50 == 0 ? "." : ""));
        }
        return String.join(" ", words);
    }

    private static List<String> lines() {
        return new ArrayList<>(List.of(
                "{\"id\":1,\"text\":\"" + LONG + " end\"}",
                "{\"id\":2,\"text\":\"" + LONG + "\"}",
                "{\"id\":2,\"text\":\"" + LONG + "\"}",
                "{\"id\":3,\"text\":\"  " + LONG.replaceFirst(" ", "\\\\n") + "\"}",
                "{\"id\":4,\"text\":\"Here it is: " + QUESTION + " Two. Three.\"}",
                "{\"id\":4,\"text\":\"Here it is: " + QUESTION + " Two. Three.\"}",
                "{\"id\":5,\"text\":null}",
                "{\"id\":6,\"text\":\" \\n\"}",
                "{\"id\":7,\"text\":\"One {brace. Two. Three.\"}",
                "{\"id\":8,\"text\":\"cafÃ© by jo@example.org. Two. Three.\"}",
                "{\"id\":9,\"text\":"));
    }

    private JobRuns.Ended corpus(Path input, String... more) throws IOException {
        Path evaluation = Files.writeString(
                directory.resolve("evaluation.jsonl"),
                "{\"question\":\"" + QUESTION + "\"}\n{\"question\":\"Why?\"}\n");
        List<String> arguments = new ArrayList<>(List.of(
                "corpus",
                "--input",
                input.toString(),
                "--output",
                output.toString(),
                "--rules",
                "c4",
                "--mask-personal-data",
                "--evaluation",
                evaluation.toString(),
                "--evaluation-column",
                "question"));
        arguments.addAll(List.of(more));
        return JobRuns.run(arguments.toArray(String[]::new));
    }

    private static List<String> shown(Dataset<Row> rows) {
        Row[] all = (Row[]) rows.collect();
        List<String> shown = new ArrayList<>();
        for (Row row : all) {
            shown.add(row.toString());
        }
        Collections.sort(shown);
        return shown;
    }

    private Dataset<Row> table(String name) {
        return spark.read().parquet(output.resolve(name).toString());
    }

    private Map<String, List<String>> idsByReason() {
        Map<String, List<String>> ids = new TreeMap<>();
        table("rejects")
                .orderBy("id", "occurrence")
                .collectAsList()
                .forEach(row -> ids.computeIfAbsent(row.getAs("reason"), reason -> new ArrayList<>())
                        .add(String.valueOf(row.<Object>getAs("id"))));
        return ids;
    }

    @Test
    void everyRowIsKeptOrRejectedForOneReason() throws IOException {
        Path input = Files.write(directory.resolve("documents.jsonl"), lines());
        JobRuns.Ended ended = corpus(input);
        assertThat(ended.status()).as(ended.said()).isZero();

        List<Row> kept = table("kept").orderBy("id").collectAsList();
        assertThat(kept).hasSize(2);
        Row mended = kept.get(1);
        assertThat(mended.<String>getAs("text")).isEqualTo("caf\u00E9 by |||EMAIL_ADDRESS|||. Two. Three.");
        assertThat(kept.get(0).<Long>getAs("duplicates")).isEqualTo(3);
        Map<String, List<String>> rejected = idsByReason();
        long like = rejected.get("NEAR_DUPLICATE").size()
                + rejected.get("EXACT_DUPLICATE").size();
        assertThat(like).isEqualTo(3);
        assertThat(rejected).containsEntry("INVALID_RECORD", List.of("null"));
        assertThat(rejected).containsEntry("NULL_TEXT", List.of("5"));
        assertThat(rejected).containsEntry("EMPTY_TEXT", List.of("6"));
        assertThat(rejected).containsEntry("QUALITY", List.of("7"));
        assertThat(rejected).containsEntry("CONTAMINATED", List.of("4", "4"));
        assertThat(kept.size() + rejected.values().stream().mapToInt(List::size).sum())
                .isEqualTo(lines().size());
        String representative = kept.get(0).getAs("row_key");
        assertThat(table("rejects").where("reason LIKE '%DUPLICATE'").collectAsList())
                .allSatisfy(
                        row -> assertThat(row.<String>getAs("representative")).isEqualTo(representative));
        assertThat(table("rejects").where("reason = 'QUALITY'").head().<String>getAs("detail"))
                .isEqualTo("C4.curly_brackets");
        // 16 words hold 4 times 13 in a row
        assertThat(table("contamination").count()).isEqualTo(4);
        assertThat(ended.said())
                .contains("CONTAMINATED", "of 2 evaluation rows 1 stand", "1 are too short", "2 of 11 rows kept");
        assertThat(Files.readString(output.resolve("summary.json"))).contains("\"kept\" : 2", "\"too_short\" : 1");
    }

    @Test
    void tablesDoNotDependOnOrderOrFilesAndAreTakenUpAgain() throws IOException {
        List<String> lines = lines();
        Path input = Files.createDirectories(directory.resolve("documents"));
        Files.write(input.resolve("all.jsonl"), lines);
        JobRuns.Ended ended = corpus(input);
        assertThat(ended.status()).as(ended.said()).isZero();
        List<String> kept = shown(table("kept"));
        List<String> rejects = shown(table("rejects"));
        List<String> contamination = shown(table("contamination"));

        // the same rows in other files and another order are the same job: nothing is left to do
        Collections.shuffle(lines, new Random(1));
        Files.write(input.resolve("all.jsonl"), lines.subList(0, 4));
        Files.write(input.resolve("more.jsonl"), lines.subList(4, lines.size()));
        assertThat(corpus(input).said()).contains("done before");

        // other options are another job
        JobRuns.Ended refused = corpus(input, "--bands", "15");
        assertThat(refused.status()).isEqualTo(ExitCode.OUTPUT.status());
        assertThat(refused.said()).contains("OUTPUT_EXISTS", "--overwrite", "bands=15");

        assertThat(corpus(input, "--where", "id < 5").said()).contains("OUTPUT_EXISTS", "where=id < 5");
        // two rows that are equal leave the fingerprint as it was
        Path twice = Files.write(input.resolve("twice.jsonl"), List.of(lines.get(0), lines.get(0)));
        assertThat(corpus(input).said()).contains("OUTPUT_EXISTS");
        Files.delete(twice);

        // a run that ended early is taken up
        Files.delete(output.resolve("summary.json"));
        Files.delete(output.resolve("rejects/_SUCCESS"));
        assertThat(corpus(input).status()).isZero();
        assertThat(shown(table("kept"))).isEqualTo(kept);
        assertThat(shown(table("rejects"))).isEqualTo(rejects);

        // and computed anew, of the rows in their new order, all is the same
        output = directory.resolve("again");
        assertThat(corpus(input).status()).isZero();
        assertThat(shown(table("kept"))).isEqualTo(kept);
        assertThat(shown(table("rejects"))).isEqualTo(rejects);
        assertThat(shown(table("contamination"))).isEqualTo(contamination).isNotEmpty();
    }

    @Test
    void whatIsKeptIsPackedAndTheCardAddsUp() throws Exception {
        List<String> lines = lines();
        lines.add("{\"id\":10,\"text\":\"<script>alert('one')</script> & two. Three. Four.\"}");
        Path input = Files.createDirectories(directory.resolve("documents"));
        Files.write(input.resolve("all.jsonl"), lines);
        String[] pack = {"--tokenizer", "embedded:sample-draft", "--context", "64", "--shard-tokens", "640"};
        JobRuns.Ended ended = corpus(input, pack);
        assertThat(ended.status()).as(ended.said()).isZero();
        assertThat(ended.said()).contains("sequences of 64", "% padding", "operations");
        List<String> packed = shown(table("packed"));
        Map<String, String> files = digests();
        assertThat(files).hasSizeGreaterThan(1);
        PackSummary summary = Json.read(Files.readString(output.resolve("summary.json")), CorpusSummary.class)
                .packed();
        assertThat(summary.sequences() * 64).isEqualTo(summary.textTokens() + summary.padding());
        assertThat(summary.documents()).isEqualTo(table("kept").count());
        assertThat(summary.sequences()).isEqualTo(table("packed").count());
        assertThat(shards()).allSatisfy(shard -> {
            assertThat(shard.sha256()).isEqualTo(files.get(shard.path()));
            assertThat(shard.bytes()).isEqualTo(Files.size(output.resolve(shard.path())));
            assertThat(shard.contents().stream()
                                    .mapToLong(each -> each.textTokens() + each.visualTokens())
                                    .sum()
                            + shard.padding())
                    .isEqualTo(shard.sequences() * 64);
        });

        List<String> contents =
                shards().stream().map(PackSummary.Shard::content).toList();
        assertThat(contents).doesNotHaveDuplicates().allMatch(content -> content.matches("[0-9a-f]{64}"));
        card(lines.size(), summary);

        // taken up after its last whole stage, and made anew of the rows in another order, every sequence is the same
        Files.delete(output.resolve("summary.json"));
        Files.delete(output.resolve("packed/_SUCCESS"));
        assertThat(corpus(input, pack).status()).isZero();
        assertThat(shards().stream().map(PackSummary.Shard::content).toList()).isEqualTo(contents);
        Collections.shuffle(lines, new Random(2));
        Files.write(input.resolve("all.jsonl"), lines.subList(0, 5));
        Files.write(input.resolve("more.jsonl"), lines.subList(5, lines.size()));
        String card = Files.readString(output.resolve("card.html"));
        output = directory.resolve("again");
        assertThat(corpus(input, pack).status()).isZero();
        assertThat(shown(table("packed"))).isEqualTo(packed);
        assertThat(shards().stream().map(PackSummary.Shard::content).toList()).isEqualTo(contents);
        assertThat(output.resolve("card.html")).hasContent(card);
    }

    private void card(int rows, PackSummary summary) throws Exception {
        String card = Files.readString(output.resolve("card.html"));
        // one file: nothing is loaded from anywhere, nothing runs
        assertThat(card.replace("http://www.w3.org/2000/svg", ""))
                .doesNotContain("http", "src=", "href=", "<script", "url(", "@import");
        NodeList tables = DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new InputSource(new StringReader(card)))
                .getElementsByTagName("table");
        int sums = 0;
        for (int i = 0; i < tables.getLength(); i++) {
            NodeList lines = ((Element) tables.item(i)).getElementsByTagName("tr");
            Element last = (Element) lines.item(lines.getLength() - 1);
            if (!last.getAttribute("class").equals("sum")) {
                continue;
            }
            sums++;
            NodeList total = last.getElementsByTagName("td");
            for (int column = 1; column < total.getLength(); column++) {
                String text = total.item(column).getTextContent();
                if (text.isEmpty() || text.endsWith("%")) {
                    continue;
                }
                long sum = 0;
                for (int line = 1; line < lines.getLength() - 1; line++) {
                    sum += number(((Element) lines.item(line))
                            .getElementsByTagName("td")
                            .item(column)
                            .getTextContent());
                }
                assertThat(sum).as(last.getTextContent()).isEqualTo(number(text));
            }
        }
        assertThat(sums).isEqualTo(4);
        assertThat(card)
                .contains("sum = rows that went in</td><td></td><td>%,d</td>".formatted(rows))
                .contains("sum = documents in the corpus</td><td>%,d</td>"
                        .formatted(table("kept").count()))
                .contains("<td>%,d</td></tr>".formatted(summary.ledger().get(0).total()));
    }

    private static long number(String text) {
        return Long.parseLong(text.replace(",", ""));
    }

    private List<PackSummary.Shard> shards() throws IOException {
        return List.of(Json.read(Files.readString(output.resolve("shards.json")), PackSummary.Shard[].class));
    }

    private Map<String, String> digests() throws Exception {
        Map<String, String> digests = new TreeMap<>();
        try (Stream<Path> files = Files.walk(output.resolve("packed"))) {
            for (Path file :
                    files.filter(each -> each.toString().endsWith(".parquet")).toList()) {
                digests.put(
                        output.relativize(file).toString(),
                        HexFormat.of()
                                .formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file))));
            }
        }
        return digests;
    }

    @Test
    void aCorpusOfNothingIsWholeToo() throws Exception {
        Path input =
                Files.write(directory.resolve("documents.jsonl"), List.of("{\"text\":\"Bonjour tout le monde !\"}"));
        for (int run = 0; run < 2; run++) {
            JobRuns.Ended ended = corpus(input, "--tokenizer", "embedded:sample-draft", "--languages", "eng");
            assertThat(ended.status()).as(ended.said()).isZero();
            assertThat(ended.said()).contains("0 of 1 rows kept", "0 sequences of 2,048");
            assertThat(table("rejects").head().<String>getAs("reason")).isEqualTo("LANGUAGE");
            card(
                    1,
                    Json.read(Files.readString(output.resolve("summary.json")), CorpusSummary.class)
                            .packed());
            Files.delete(output.resolve("summary.json"));
        }
        Path windows = directory.resolve("config.json");
        Files.writeString(
                windows,
                "{\"model_type\":\"mistral\",\"hidden_size\":64,\"intermediate_size\":64,\"num_hidden_layers\":1,"
                        + "\"num_attention_heads\":2,\"num_key_value_heads\":2,\"vocab_size\":9,\"sliding_window\":16}");
        output = directory.resolve("windows");
        assertThat(corpus(input, "--tokenizer", "embedded:sample-draft", "--ledger", windows.toString())
                        .said())
                .contains("INVALID_OPTION", "sees 16 positions of 2048");
        assertThat(corpus(input, "--languages", "english").said()).contains("INVALID_OPTION", "english");
        assertThat(output).doesNotExist();
    }

    @Test
    void documentsArePackedByThemselvesInAMixture() throws Exception {
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            lines.add("{\"source\":\"%s\",\"text\":\"%s\"}"
                    .formatted(i % 4 == 0 ? "rare" : "plenty", words(i / 2 * 2, 5 + i / 2 * 3)));
        }
        lines.add("{\"source\":\"rare\",\"text\":null}");
        Path input = Files.write(directory.resolve("documents.jsonl"), lines);
        String[] command = {
            "corpus-pack",
            "--input",
            input.toString(),
            "--output",
            output.toString(),
            "--tokenizer",
            "embedded:sample-draft",
            "--context",
            "128",
            "--mixture",
            "rare=1,plenty=1",
            "--tokens",
            "9000"
        };
        JobRuns.Ended ended = JobRuns.run(command);
        assertThat(ended.status()).as(ended.said()).isZero();
        CorpusPackSummary summary =
                Json.read(Files.readString(output.resolve("summary.json")), CorpusPackSummary.class);
        assertThat(summary.rows()).isEqualTo(41);
        assertThat(summary.packed().refused()).containsExactly(new PackSummary.Refused("EMPTY", 1));
        assertThat(table("unpacked").count()).isEqualTo(1);
        assertThat(summary.packed().mixture())
                .allSatisfy(share -> assertThat(share.drawnTokens()).isBetween(4500L - 400, 4500L));
        assertThat(summary.packed().mixture().get(1).epochs()).isGreaterThan(1);
        assertThat(summary.packed().textTokens())
                .isEqualTo(summary.packed().mixture().stream()
                        .mapToLong(share -> share.drawnTokens())
                        .sum());
        assertThat(JobRuns.run(command).said()).contains("done before");
        command[8] = "256";
        assertThat(JobRuns.run(command).said()).contains("OUTPUT_EXISTS", "context=256");
        command[8] = "1";
        assertThat(JobRuns.run(command).status()).isEqualTo(ExitCode.USAGE.status());
        command[8] = "128";
        command[12] = "900000";
        command[4] = directory.resolve("other").toString();
        assertThat(JobRuns.run(command).said()).contains("INVALID_OPTION", "epochs");
    }

    @Test
    void passagesThatStandElsewhereAreReportedOrRemoved() throws IOException {
        String passage = words(3, 60);
        List<String> documents = List.of(passage + " one", words(4, 300) + " " + passage, passage, words(5, 80));
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < documents.size(); i++) {
            lines.add("{\"id\":%d,\"text\":\"%s\"}".formatted(i, documents.get(i)));
        }
        Path input = Files.write(directory.resolve("documents.jsonl"), lines);
        String[] options = {"--bands", "1", "--rows", "100", "--repeated-text", "report"};
        String[] command = {"corpus", "--input", input.toString(), "--output", output.toString(), "--overwrite"};
        List<String> arguments = new ArrayList<>(List.of(command));
        arguments.addAll(List.of(options));
        JobRuns.Ended reported = JobRuns.run(arguments.toArray(String[]::new));
        assertThat(reported.status()).as(reported.said()).isZero();
        assertThat(table("kept").count()).isEqualTo(4);
        List<Row> passages = table("passages").collectAsList();
        assertThat(passages).hasSize(2);
        Map<String, String> texts = new TreeMap<>();
        table("kept").collectAsList().forEach(row -> texts.put(row.getAs("row_key"), row.getAs("text")));
        for (Row row : passages) {
            byte[] bytes = texts.get(row.getString(0)).getBytes(StandardCharsets.UTF_8);
            assertThat(new String(bytes, row.getInt(1), row.getInt(2) - row.getInt(1), StandardCharsets.UTF_8))
                    .isEqualTo(passage);
            assertThat(row.getInt(3)).isEqualTo(60);
        }

        arguments.set(arguments.size() - 1, "remove");
        JobRuns.Ended removed = JobRuns.run(arguments.toArray(String[]::new));
        assertThat(removed.status()).as(removed.said()).isZero();
        List<String> left = new ArrayList<>();
        table("kept").collectAsList().forEach(row -> left.add(row.getAs("text")));
        assertThat(String.join(" / ", left).split(Pattern.quote(passage), -1)).hasSize(2);
        long rejected = table("rejects").where("reason = 'REPEATED_TEXT'").count();
        // the document that is the passage and nothing else goes, unless it is the one whose passage stays
        assertThat(left.contains(passage) ? 0 : 1).isEqualTo((int) rejected);
        assertThat(left.size() + rejected).isEqualTo(4);
        arguments.addAll(List.of("--repeated-words", "1"));
        assertThat(JobRuns.run(arguments.toArray(String[]::new)).status()).isEqualTo(ExitCode.USAGE.status());
    }

    @Test
    void nothingIsDoneWhereNothingCanBe() throws IOException {
        Path input = Files.write(directory.resolve("documents.jsonl"), lines());
        JobRuns.Ended dry = corpus(input, "--dry-run");
        assertThat(dry.status()).as(dry.said()).isZero();
        assertThat(dry.said()).contains("11 rows", "Nothing was written.");
        assertThat(output).doesNotExist();

        assertThat(corpus(input, "--text-column", "txt").status()).isEqualTo(ExitCode.INPUT.status());
        assertThat(corpus(input, "--text-column", "id").said()).contains("of type bigint");
        assertThat(corpus(input, "--bands", "0").status()).isEqualTo(ExitCode.USAGE.status());
        assertThat(corpus(input, "--rules", "taste").status()).isEqualTo(ExitCode.USAGE.status());
        assertThat(output).doesNotExist();

        Files.createDirectories(output);
        Files.writeString(output.resolve("thesis.txt"), "mine");
        JobRuns.Ended foreign = corpus(input, "--overwrite");
        assertThat(foreign.status()).isEqualTo(ExitCode.OUTPUT.status());
        assertThat(output.resolve("thesis.txt")).hasContent("mine");
    }

    @Test
    void aStageThatIsThereIsNotMadeAgain() {
        AtomicInteger made = new AtomicInteger();
        for (int run = 0; run < 3; run++) {
            StageDirectory stages = StageDirectory.at(spark, output.toString());
            Dataset<Row> rows = stages.stage("numbers", () -> {
                made.incrementAndGet();
                return spark.range(5).select(functions.col("id"));
            });
            assertThat(rows.count()).isEqualTo(5);
        }
        assertThat(made).hasValue(1);
    }
}
