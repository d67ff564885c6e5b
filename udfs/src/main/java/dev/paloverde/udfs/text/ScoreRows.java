package dev.paloverde.udfs.text;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.decode.Engine;
import dev.paloverde.gpu.decode.RowKey;
import dev.paloverde.gpu.decode.Scoring;
import dev.paloverde.gpu.decode.ScoringRequest;
import dev.paloverde.udfs.Settings;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.spark.sql.catalyst.expressions.UnsafeArrayData;

/** Scores texts. */
final class ScoreRows implements RowFunction<ScoringRequest, Scoring> {
    private static final double LN_2 = Math.log(2);

    private final TextModel model;
    private final Settings settings;
    private final int[] anchor;
    private final int window;
    private final int stride;
    private final boolean tokenLogProbabilities;

    ScoreRows(TextModel model, Settings settings) {
        this.model = model;
        this.settings = settings;
        this.anchor = new int[] {model.anchor()};
        int asked = settings.value(Settings.WINDOW);
        if (asked > model.context()) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "window is %d and the model's context %d; set window to that or less, or leave it out"
                            .formatted(asked, model.context()));
        }
        this.window = asked == 0 ? model.context() : asked;
        int step = settings.value(Settings.STRIDE);
        if (step >= window) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "stride is %d and the window %d, which is the model's context; stride must be less"
                            .formatted(step, window));
        }
        this.stride = step == 0 ? Math.max(1, window / 2) : step;
        this.tokenLogProbabilities = settings.value(Settings.TOKEN_LOG_PROBABILITIES);
    }

    @Override
    public Prepared<ScoringRequest> prepare(List<?> inputs) {
        String text = Inputs.text(inputs.get(0), "the text", settings);
        int[] tokens = model.tokenizer().encode(text);
        if (tokens.length == 0) {
            throw new PaloverdeException(ErrorCode.EMPTY_INPUT, "the text has no tokens");
        }
        return new Prepared<>(
                new ScoringRequest(TextModel.concat(anchor, tokens), window, stride),
                tokens.length,
                false,
                Utf8.length(text));
    }

    @Override
    public CompletableFuture<Scoring> submit(Engine engine, RowKey key, ScoringRequest question) {
        return engine.score(question);
    }

    @Override
    public Object[] write(Prepared<ScoringRequest> row, Scoring answer) {
        double sum = answer.sum();
        int tokens = answer.logProbabilities().length;
        long bytes = row.bytes()[0];
        Object[] values = new Object[columns()];
        values[0] = sum;
        values[1] = tokens;
        values[2] = bytes;
        values[3] = Math.exp(-sum / tokens);
        values[4] = -sum / LN_2 / bytes;
        values[5] = answer.windows();
        values[6] = answer.greedy();
        if (tokenLogProbabilities) {
            values[7] = UnsafeArrayData.fromPrimitiveArray(answer.logProbabilities());
        }
        return values;
    }

    @Override
    public int columns() {
        return tokenLogProbabilities ? 8 : 7;
    }
}
