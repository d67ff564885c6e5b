package dev.paloverde.jobs;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.decode.speculate.SpeedModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Says how fast decoding would be that guesses ahead, from what was measured of its rounds. */
@Command(
        name = "ssd-model",
        description = {
            "Says how fast decoding would be that guesses ahead, from what was measured of its rounds. The unit of time"
                    + " is one verification; the unit of speed is decoding without guessing.",
            "The speed of strategy=ssd is Theorem 7 of Kumar, Dao and May (arXiv 2603.03251), where a batch waits for"
                    + " the fallback unless all of its rows hit."
        },
        mixinStandardHelpOptions = true,
        versionProvider = Versions.class,
        usageHelpAutoWidth = true)
final class SsdModelCommand implements Callable<Integer> {
    private static final double[] DRAFT_COSTS = {0.25, 0.5, 1, 2};
    private static final int POINTS = 101;

    private final Terminal terminal;

    @Option(
            names = "--tokens-per-round",
            paramLabel = "E",
            defaultValue = "4",
            description = "Tokens of a round with strategy=speculative (default: ${DEFAULT-VALUE}).")
    private double tokensPerRound;

    @Option(
            names = "--draft",
            paramLabel = "T",
            defaultValue = "0.5",
            description = "Time for drafting a round with strategy=speculative (default: ${DEFAULT-VALUE}).")
    private double draft;

    @Option(
            names = "--hit-rate",
            paramLabel = "P",
            defaultValue = "0.8",
            description = "How often an outcome is foreseen, 0 to 1 (default: ${DEFAULT-VALUE}).")
    private double hitRate;

    @Option(
            names = "--tokens-after-hit",
            paramLabel = "E",
            description = "Tokens of a round after a hit (default: as tokens-per-round).")
    private Double tokensAfterHit;

    @Option(
            names = "--tokens-after-miss",
            paramLabel = "E",
            description = "Tokens of a round after a miss (default: as tokens-per-round).")
    private Double tokensAfterMiss;

    @Option(
            names = "--ahead",
            paramLabel = "T",
            defaultValue = "1",
            description = "Time for drafting during a verification (default: ${DEFAULT-VALUE}).")
    private double ahead;

    @Option(names = "--fallback", paramLabel = "T", description = "Time for drafting after a miss (default: as draft).")
    private Double fallback;

    @Option(
            names = "--sequences",
            paramLabel = "N",
            defaultValue = "1",
            description = "Rows of a batch (default: ${DEFAULT-VALUE}).")
    private int sequences;

    @Option(
            names = "--measured",
            paramLabel = "FILE",
            description =
                    "JSON lines with hit_rate, E_hit, E_miss, T_p and T_b, and batch in case, to be used instead.")
    private Path measured;

    @Option(
            names = "--plot",
            paramLabel = "FILE",
            description = "A PNG to draw ssd over speculative into, against hit rate, for several costs of drafting.")
    private Path plot;

    SsdModelCommand(Terminal terminal, List<String> arguments) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() {
        check("hit-rate", hitRate, hitRate >= 0 && hitRate <= 1, "from 0 to 1");
        check("sequences", sequences, sequences >= 1, "at least 1");
        check("draft", draft, draft >= 0, "at least 0");
        check("ahead", ahead, ahead >= 0, "at least 0");
        check("tokens-per-round", tokensPerRound, tokensPerRound >= 1, "at least 1");
        terminal.say((measured == null ? ofOptions() : ofMeasurements()).toString());
        if (plot != null) {
            draw();
        }
        return ExitCode.OK.status();
    }

    private static void check(String option, Object value, boolean right, String range) {
        if (!right) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION, "%s is %s; it must be %s".formatted(option, value, range));
        }
    }

    private Table ofOptions() {
        double speculative = SpeedModel.speculative(tokensPerRound, draft);
        double ssd = SpeedModel.ahead(
                hitRate,
                tokensAfterHit == null ? tokensPerRound : tokensAfterHit,
                tokensAfterMiss == null ? tokensPerRound : tokensAfterMiss,
                ahead,
                fallback == null ? draft : fallback,
                sequences);
        Table table = new Table("strategy", "over autoregressive", "over speculative");
        table.add("autoregressive", 1.0, 1 / speculative);
        table.add("speculative", speculative, 1.0);
        table.add("ssd", ssd, ssd / speculative);
        return table;
    }

    private Table ofMeasurements() {
        Table table = new Table("bench", "batch", "hit rate", "T_p", "T_b", "over autoregressive", "measured");
        ObjectMapper json = new ObjectMapper();
        try {
            for (String line : Files.readAllLines(measured)) {
                JsonNode round = json.readTree(line);
                if (round.hasNonNull("T_p") && round.hasNonNull("T_b")) {
                    int batch = round.path("case").path("batch").asInt(1);
                    double speed = SpeedModel.ahead(
                            round.path("hit_rate").asDouble(),
                            round.path("E_hit").asDouble(),
                            round.path("E_miss").asDouble(),
                            round.path("T_p").asDouble(),
                            round.path("T_b").asDouble(),
                            batch);
                    table.add(
                            round.path("bench").asText(),
                            batch,
                            round.path("hit_rate").asDouble(),
                            round.path("T_p").asDouble(),
                            round.path("T_b").asDouble(),
                            speed,
                            round.hasNonNull("ratio")
                                    ? (Object) round.get("ratio").asDouble()
                                    : "");
                }
            }
        } catch (IOException e) {
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE, "%s cannot be read as JSON lines: %s".formatted(measured, e), e);
        }
        return table;
    }

    private void draw() {
        double[] rates = new double[POINTS];
        Map<String, double[]> lines = new LinkedHashMap<>();
        for (double cost : DRAFT_COSTS) {
            double[] speeds = new double[POINTS];
            for (int i = 0; i < POINTS; i++) {
                rates[i] = i / (POINTS - 1.0);
                speeds[i] = SpeedModel.ahead(rates[i], 1, 1, cost, cost, sequences) / SpeedModel.speculative(1, cost);
            }
            lines.put("drafting takes %s of a verification".formatted(cost), speeds);
        }
        try {
            Plots.lines(plot, "ssd over speculative, batch of " + sequences, "hit rate", "speed-up", rates, lines);
        } catch (IOException e) {
            throw new PaloverdeException(ErrorCode.OUTPUT_UNWRITABLE, "%s cannot be written: %s".formatted(plot, e), e);
        }
    }
}
