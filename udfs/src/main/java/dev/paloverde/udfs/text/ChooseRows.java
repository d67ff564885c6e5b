package dev.paloverde.udfs.text;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.decode.Choices;
import dev.paloverde.gpu.decode.ChoicesRequest;
import dev.paloverde.gpu.decode.Engine;
import dev.paloverde.gpu.decode.RowKey;
import dev.paloverde.udfs.Settings;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.spark.sql.catalyst.expressions.UnsafeArrayData;

/**
 * Compares continuations. As in lm-evaluation-harness, blanks at the end of the context belong to the continuations, and
 * a continuation's tokens are those that the whole text has beyond the context's.
 */
final class ChooseRows implements RowFunction<ChoicesRequest, Choices> {
    private final TextModel model;
    private final Settings settings;
    private final int[] anchor;

    ChooseRows(TextModel model, Settings settings) {
        this.model = model;
        this.settings = settings;
        this.anchor = new int[] {model.anchor()};
    }

    @Override
    @SuppressWarnings("unchecked")
    public Prepared<ChoicesRequest> prepare(List<?> inputs) {
        String given = Inputs.text(inputs.get(0), "the context", settings);
        List<byte[]> texts = (List<byte[]>) inputs.get(1);
        if (texts == null) {
            throw new PaloverdeException(ErrorCode.NULL_INPUT, "the choices are null");
        }
        if (texts.isEmpty()) {
            throw new PaloverdeException(ErrorCode.EMPTY_INPUT, "there are no choices");
        }
        String context = given.stripTrailing();
        String blanks = given.substring(context.length());
        int[] contextTokens = model.tokenizer().encode(context);
        List<int[]> choices = new ArrayList<>();
        long[] bytes = new long[texts.size()];
        int longest = 0;
        int total = 0;
        for (int i = 0; i < texts.size(); i++) {
            String name = "choice " + i;
            String text = Inputs.text(texts.get(i), name, settings);
            int[] whole = model.tokenizer().encode(context + blanks + text);
            if (whole.length <= contextTokens.length) {
                throw new PaloverdeException(ErrorCode.EMPTY_INPUT, name + " has no tokens of its own");
            }
            int[] choice = Arrays.copyOfRange(whole, contextTokens.length, whole.length);
            choices.add(choice);
            bytes[i] = Utf8.length(text);
            longest = Math.max(longest, choice.length);
            total += choice.length;
        }
        int room = model.context() - longest - anchor.length;
        boolean truncated = contextTokens.length > room;
        if (truncated) {
            if (room < 1 || settings.value(Settings.ON_TOO_LONG) == Settings.OnTooLong.ERROR) {
                throw Inputs.tooLong(
                        "the context with its longest choice",
                        anchor.length + contextTokens.length + longest,
                        model.context(),
                        "set on-too-long=truncate to keep the end of the context, or shorten it");
            }
            contextTokens = Arrays.copyOfRange(contextTokens, contextTokens.length - room, contextTokens.length);
        }
        int[] before = TextModel.concat(anchor, contextTokens);
        return new Prepared<>(new ChoicesRequest(before, choices), contextTokens.length + total, truncated, bytes);
    }

    @Override
    public CompletableFuture<Choices> submit(Engine engine, RowKey key, ChoicesRequest question) {
        return engine.choose(question);
    }

    @Override
    public Object[] write(Prepared<ChoicesRequest> row, Choices answer) {
        int count = answer.choices().size();
        double[] sums = new double[count];
        int[] tokens = new int[count];
        int best = 0;
        int bestNormalized = 0;
        for (int i = 0; i < count; i++) {
            sums[i] = answer.choices().get(i).sum();
            tokens[i] = answer.choices().get(i).logProbabilities().length;
            if (sums[i] > sums[best]) {
                best = i;
            }
            if (sums[i] / row.bytes()[i] > sums[bestNormalized] / row.bytes()[bestNormalized]) {
                bestNormalized = i;
            }
        }
        return new Object[] {
            UnsafeArrayData.fromPrimitiveArray(sums), UnsafeArrayData.fromPrimitiveArray(tokens), best, bestNormalized
        };
    }

    @Override
    public int columns() {
        return 4;
    }
}
