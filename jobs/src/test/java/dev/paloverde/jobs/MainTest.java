package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Setting;
import dev.paloverde.udfs.Settings;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The command line from its arguments to its exit status, with the embedded model. */
class MainTest {
    private final ByteArrayOutputStream said = new ByteArrayOutputStream();

    @TempDir
    Path directory;

    private Path prompts;

    @BeforeEach
    void writePrompts() throws IOException {
        LocalSpark.session();
        prompts = Files.writeString(directory.resolve("prompts.jsonl"), """
                {"id":1,"animal":"quail","prompt":"Question: What kind of animal is the quail?\\nAnswer:"}
                {"id":2,"animal":"pack rat","prompt":"Question: When does a pack rat go out?\\nAnswer:"}
                {"id":3,"animal":null,"prompt":null}
                """);
    }

    private int run(String... arguments) {
        PrintStream out = new PrintStream(said, true, StandardCharsets.UTF_8);
        return Main.run(new Terminal(out, out, false), arguments);
    }

    private int run(String command, List<String> more) {
        List<String> all = new ArrayList<>(List.of(
                command,
                "--input",
                prompts.toString(),
                "--output",
                directory.resolve("out").toString()));
        all.addAll(more);
        return run(all.toArray(String[]::new));
    }

    private String said() {
        return said.toString(StandardCharsets.UTF_8);
    }

    private Dataset<Row> written() {
        return LocalSpark.session().read().parquet(directory.resolve("out").toString());
    }

    @Test
    void generatesAndSaysWhatItDid() {
        assertThat(run("generate", List.of("--max-tokens", "8", "--stop", "[\"\\n\"]")))
                .as(said())
                .isZero();

        List<Row> rows = written()
                .orderBy("id")
                .select("id", "text", "status", "error_code", "row_key", "receipt")
                .collectAsList();
        assertThat(rows.get(0).getString(1)).isEqualTo(" A bird.");
        assertThat(rows).extracting(row -> row.getString(2)).containsExactly("ok", "ok", "error");
        assertThat(rows.get(2).getString(3)).isEqualTo("NULL_INPUT");
        assertThat(said()).contains("3 rows", "NULL_INPUT: 1 rows", "manifest ");

        said.reset();
        assertThat(run("generate", List.of("--resume", "--max-tokens", "8", "--stop", "[\"\\n\"]")))
                .isZero();
        assertThat(said()).contains("0 rows (3 done before)");
        said.reset();
        assertThat(run("generate", List.of("--max-tokens", "9", "--stop", "[\"\\n\"]")))
                .isEqualTo(ExitCode.OUTPUT.status());
        assertThat(said()).contains("OUTPUT_EXISTS", "max-tokens: 8 -> 9", "--on-existing=overwrite");
    }

    @Test
    void makesPromptsFromTemplatesAndCountsTokensBeforehand() {
        List<String> template = List.of(
                "--prompt-template", "Question: What kind of animal is the {animal}?\\nAnswer:", "--max-tokens", "4");
        List<String> dry = new ArrayList<>(template);
        dry.add("--dry-run");
        assertThat(run("generate", dry)).as(said()).isZero();
        assertThat(directory.resolve("out")).doesNotExist();
        String exact = said().replaceAll("(?s).*tokens   ([\\d,]+) to read.*", "$1");

        assertThat(run("generate", template)).as(said()).isZero();

        assertThat(written()
                        .agg(org.apache.spark.sql.functions.sum("prompt_tokens"))
                        .head()
                        .getLong(0))
                .isEqualTo(Long.parseLong(exact.replace(",", "")));
        assertThat(written().where("id = 1").head().<String>getAs("text")).startsWith(" A bird");
    }

    @Test
    void scoresAndEmbedsTheColumnsNamed() {
        assertThat(run("score", List.of("--text-column", "prompt"))).as(said()).isZero();
        assertThat(written().where("status = 'ok' AND bits_per_byte > 0").count())
                .isEqualTo(2);
        assertThat(run("embed", List.of("--text-column", "prompt", "--on-existing", "overwrite")))
                .as(said())
                .isZero();
        assertThat(written().where("size(embedding) > 0").count()).isEqualTo(2);
    }

    @Test
    void saysWhatIsWrongBeforeAnythingRuns() throws IOException {
        assertThat(run("generate")).isEqualTo(ExitCode.USAGE.status());
        assertThat(run("generate", List.of("--max-token", "8"))).isEqualTo(ExitCode.USAGE.status());
        assertThat(said()).contains("--max-tokens");
        assertThat(run("generate", List.of("--max-tokens", "none"))).isEqualTo(ExitCode.USAGE.status());
        assertThat(said()).contains("max-tokens is 'none'");
        assertThat(run("generate", List.of("--prompt-column", "question"))).isEqualTo(ExitCode.INPUT.status());
        assertThat(said()).contains("no column question", "animal string", "prompt string");
        assertThat(run("score", List.of("--text-column", "id"))).isEqualTo(ExitCode.INPUT.status());
        assertThat(said()).contains("id is bigint", "--text-template '{id}'");
        assertThat(run("generate", List.of("--model", directory.resolve("none").toString())))
                .isEqualTo(ExitCode.MODEL.status());
        Path file = Files.writeString(directory.resolve("file"), "x");
        assertThat(run(
                        "generate",
                        "--input",
                        prompts.toString(),
                        "--output",
                        file.resolve("below").toString()))
                .isEqualTo(ExitCode.OUTPUT.status());
        assertThat(directory.resolve("out")).doesNotExist();
    }

    @Test
    void runsSqlWithTheFunctions() {
        // the session of these tests was made without the extension; the statement is enough here
        assertThat(run("sql", "-e", "SELECT 1 + 1 AS two")).as(said()).isZero();
        assertThat(said()).containsPattern("two\\s+-+\\s+2");
        assertThat(run("sql", "-e", "SELECT nothing")).isEqualTo(ExitCode.USAGE.status());
    }

    @Test
    void everySettingOfAFunctionIsAFlag() {
        for (Operation operation : Operation.values()) {
            said.reset();
            PrintStream before = System.out;
            System.setOut(new PrintStream(said, true, StandardCharsets.UTF_8));
            try {
                assertThat(run(operation.toString(), "--help")).isZero();
            } finally {
                System.setOut(before);
            }
            for (Setting<?> setting : Settings.of(operation)) {
                assertThat(said()).contains("--" + setting.key() + "=");
            }
        }
    }

    @ParameterizedTest
    @EnumSource(ErrorCode.class)
    void everyErrorOfAJobHasAnExitStatusOfItsKind(ErrorCode code) {
        ExitCode exit = ExitCode.of(code);
        if (code.scope() == ErrorCode.Scope.JOB) {
            assertThat(exit).isNotIn(ExitCode.OK, ExitCode.INTERNAL);
        }
        assertThat(exit.status()).isBetween(1, 125);
    }
}
