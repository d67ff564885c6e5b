package dev.paloverde.udfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SettingsTest {
    private static Settings generate(Map<String, String> call, Map<String, String> session) {
        return Settings.resolve(Operation.GENERATE, call, session);
    }

    @Test
    void callWinsOverSessionWinsOverDefault() {
        assertThat(generate(Map.of(), Map.of()).value(Settings.MAX_TOKENS)).isEqualTo(128);
        Map<String, String> session = Map.of("spark.paloverde.max-tokens", "7", "spark.sql.shuffle.partitions", "2");
        assertThat(generate(Map.of(), session).value(Settings.MAX_TOKENS)).isEqualTo(7);
        assertThat(generate(Map.of("max-tokens", " 9 "), session).value(Settings.MAX_TOKENS))
                .isEqualTo(9);
    }

    @Test
    void unknownKeyNamesTheNearest() {
        assertThatThrownBy(() -> generate(Map.of("max-tokns", "4"), Map.of()))
                .isInstanceOf(PaloverdeException.class)
                .hasMessageContaining("there is no option max-tokns; the nearest is max-tokens.")
                .extracting(e -> ((PaloverdeException) e).code())
                .isEqualTo(ErrorCode.INVALID_OPTION);
        assertThatThrownBy(() -> generate(Map.of(), Map.of("spark.paloverde.temprature", "1")))
                .hasMessageContaining("spark.paloverde.temprature; the nearest is spark.paloverde.temperature");
    }

    @Test
    void valueOutOfRangeNamesValueAndRange() {
        assertThatThrownBy(() -> generate(Map.of("temperature", "-1"), Map.of()))
                .hasMessage("temperature is '-1'; it must be a number: 0 to 100 (default: 0)");
        assertThatThrownBy(() -> generate(Map.of("temperature", "NaN"), Map.of()))
                .hasMessageContaining("0 to 100");
        assertThatThrownBy(() -> generate(Map.of("max-tokens", "many"), Map.of()))
                .hasMessageContaining("max-tokens is 'many'; it must be a whole number: 1 to 1048576");
        assertThatThrownBy(() -> generate(Map.of("on-too-long", "cut"), Map.of()))
                .hasMessageContaining("it must be a choice: error, truncate (default: error)");
        assertThatThrownBy(() -> generate(Map.of("stop", "[\"a\", 3"), Map.of()))
                .hasMessageContaining("stop is");
        assertThatThrownBy(() -> generate(Map.of(), Map.of("spark.paloverde.top-p", "0")))
                .hasMessage("spark.paloverde.top-p is '0'; it must be a number: above 0, to 1 (default: 1)");
    }

    @Test
    void anOptionOfAnotherFunctionIsRefusedInACallButNotInTheSession() {
        assertThatThrownBy(() -> Settings.resolve(Operation.SCORE, Map.of("temperature", "1"), Map.of()))
                .hasMessageContaining("llm_score has no option temperature; it is one of llm_generate");
        Settings settings = Settings.resolve(Operation.SCORE, Map.of(), Map.of("spark.paloverde.temperature", "1"));
        assertThat(settings.written()).isEmpty();
    }

    @Test
    void readsListsAndSizes() {
        Settings settings = generate(Map.of("stop", "[\"\\n\", \"END\"]", "kv-memory", "3G"), Map.of());
        assertThat(settings.value(Settings.STOP)).containsExactly("\n", "END");
        assertThat(settings.value(Settings.KV_MEMORY)).isEqualTo(3L << 30);
        assertThat(generate(Map.of("stop", "END"), Map.of()).value(Settings.STOP))
                .containsExactly("END");
        assertThat(generate(Map.of(), Map.of()).value(Settings.STOP)).isEqualTo(List.of());
    }

    @Test
    void windowsAndStridesMustFit() {
        assertThatThrownBy(() -> Settings.resolve(Operation.SCORE, Map.of("window", "64", "stride", "64"), Map.of()))
                .hasMessageContaining("stride is 64 and window is 64");
        assertThatThrownBy(() -> Settings.resolve(Operation.SCORE, Map.of("window", "1"), Map.of()))
                .hasMessageContaining("window is 1");
    }

    @Test
    void receiptsHaveWhatChangesResultsAndNothingElse() {
        Settings one = generate(Map.of("batch-rows", "3", "temperature", "0.5"), Map.of());
        Settings other = generate(Map.of("batch-rows", "4", "temperature", "0.50"), Map.of());
        assertThat(one.parameters(Operation.GENERATE))
                .isEqualTo(other.parameters(Operation.GENERATE))
                .containsEntry("temperature", 0.5)
                .containsEntry("prompt-style", "PLAIN")
                .doesNotContainKeys("batch-rows", "model", "seed", "pooling");
    }

    @Test
    void guessingAheadIsPartOfTheReceiptOnlyWhereItChangesResults() {
        Map<String, String> ahead = new HashMap<>(
                Map.of("strategy", "ssd", "draft-model", "embedded:sample-draft", "speculation-tokens", "7"));
        assertThat(generate(ahead, Map.of()).parameters(Operation.GENERATE))
                .isEqualTo(generate(Map.of(), Map.of()).parameters(Operation.GENERATE));
        ahead.put("speculation-rule", "rejection");
        Map<String, Object> seven = generate(ahead, Map.of()).parameters(Operation.GENERATE);
        ahead.put("speculation-tokens", "8");
        assertThat(generate(ahead, Map.of()).parameters(Operation.GENERATE)).isNotEqualTo(seven);
        ahead.put("speculation-tokens", "7");
        ahead.put("speculation-fallback", "draft");
        ahead.put("strategy", "speculative");
        assertThat(generate(ahead, Map.of()).parameters(Operation.GENERATE)).isEqualTo(seven);
    }

    @Test
    void whereTheDraftModelRunsIsOneOfTwoWays() {
        Map<String, String> ssd = Map.of("strategy", "ssd", "draft-model", "embedded:sample-draft");
        Map<String, String> apart = new HashMap<>(ssd);
        apart.put("draft-multiprocessors", "16");
        assertThat(generate(apart, Map.of()).value(Settings.DRAFT_MULTIPROCESSORS))
                .isEqualTo(16);
        apart.put("draft-device", "cuda:1");
        assertThatThrownBy(() -> generate(apart, Map.of())).hasMessageContaining("draft-multiprocessors is 16");
        apart.put("draft-multiprocessors", "0");
        assertThat(generate(apart, Map.of()).value(Settings.DRAFT_DEVICE)).isEqualTo("cuda:1");
        apart.put("draft-device", "tpu");
        assertThatThrownBy(() -> generate(apart, Map.of()))
                .hasMessageContaining("draft-device is \"tpu\"")
                .hasMessageContaining("cuda:1 for the second GPU");
    }

    @Test
    void whoGuessesMustBeThere() {
        assertThatThrownBy(() -> generate(Map.of("strategy", "speculative"), Map.of()))
                .hasMessageContaining("strategy is speculative and there is no draft-model")
                .hasMessageContaining("drafter=lookup");
        assertThatThrownBy(() -> generate(Map.of("strategy", "ssd", "drafter", "lookup"), Map.of()))
                .hasMessageContaining("set strategy=speculative");
        assertThat(generate(Map.of("strategy", "speculative", "drafter", "lookup"), Map.of())
                        .speculation()
                        .needsDraftModel())
                .isFalse();
    }

    @Test
    void keysAreUniqueAndKebabCase() {
        List<String> keys = Settings.all().stream().map(Setting::key).toList();
        assertThat(new HashSet<>(keys)).hasSameSizeAs(keys);
        assertThat(keys).allMatch(key -> key.matches("[a-z][a-z0-9]*(-[a-z0-9]+)*"));
    }

    @Test
    void travelsToExecutors() throws Exception {
        Settings settings = generate(Map.of("stop", "END", "seed", "-3"), Map.of());
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(settings);
        }
        try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
            assertThat(in.readObject()).isEqualTo(settings);
        }
    }

    @Test
    void theReferenceIsUpToDate() throws Exception {
        Path file = Path.of("..", "docs", "configuration.md");
        if (Boolean.getBoolean("paloverde.write-reference")) {
            SettingsReference.main(new String[] {file.toString()});
        }
        assertThat(file).exists();
        assertThat(Files.readString(file))
                .as("docs/configuration.md is out of date. To write it again: mvn -q -pl udfs -am test"
                        + " -Dtest=SettingsTest#theReferenceIsUpToDate -Dpaloverde.write-reference=true"
                        + " -Dsurefire.failIfNoSpecifiedTests=false")
                .isEqualTo(SettingsReference.markdown());
    }
}
