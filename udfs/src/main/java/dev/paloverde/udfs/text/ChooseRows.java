package dev.paloverde.udfs.text;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.decode.Choices;
import dev.paloverde.gpu.decode.ChoicesRequest;
import dev.paloverde.gpu.decode.RowKey;
import dev.paloverde.udfs.Settings;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.spark.sql.catalyst.expressions.UnsafeArrayData;

/**
 * Compares continuations. As in lm-evaluation-harness, blanks at the end of the context belong to the continuations, and
 * a continuation's tokens are those that the whole text has beyond the context's.
 */
final class ChooseRows implements RowFunction<Choices> {
    private final TextEngine engine;
    private final Settings settings;
    private final int[] anchor;

    ChooseRows(TextEngine engine, Settings settings) {
        this.engine = engine;
        this.settings = settings;
        this.anchor = new int[] {engine.anchor()};
    }

    @Override
    public List<Object> read(VectorSchemaRoot batch, int row) {
        return Arrays.asList(Inputs.bytes(batch.getVector(0), row), Inputs.list(batch.getVector(1), row));
    }

    @Override
    @SuppressWarnings("unchecked")
    public Submitted<Choices> submit(RowKey key, List<Object> inputs) {
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
        int[] contextTokens = engine.tokenizer().encode(context);
        List<int[]> choices = new ArrayList<>();
        long[] bytes = new long[texts.size()];
        int longest = 0;
        int total = 0;
        for (int i = 0; i < texts.size(); i++) {
            String name = "choice " + i;
            String text = Inputs.text(texts.get(i), name, settings);
            int[] whole = engine.tokenizer().encode(context + blanks + text);
            if (whole.length <= contextTokens.length) {
                throw new PaloverdeException(ErrorCode.EMPTY_INPUT, name + " has no tokens of its own");
            }
            int[] choice = Arrays.copyOfRange(whole, contextTokens.length, whole.length);
            choices.add(choice);
            bytes[i] = Utf8.length(text);
            longest = Math.max(longest, choice.length);
            total += choice.length;
        }
        int room = engine.context() - longest - anchor.length;
        boolean truncated = contextTokens.length > room;
        if (truncated) {
            if (room < 1 || settings.value(Settings.ON_TOO_LONG) == Settings.OnTooLong.ERROR) {
                throw Inputs.tooLong(
                        "the context with its longest choice",
                        anchor.length + contextTokens.length + longest,
                        engine.context(),
                        "set on-too-long=truncate to keep the end of the context, or shorten it");
            }
            contextTokens = Arrays.copyOfRange(contextTokens, contextTokens.length - room, contextTokens.length);
        }
        int[] before = TextEngine.concat(anchor, contextTokens);
        return new Submitted<>(
                engine.engine().choose(new ChoicesRequest(before, choices)),
                contextTokens.length + total,
                truncated,
                bytes);
    }

    @Override
    public Object[] write(Submitted<Choices> row, Choices answer) {
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
            if (sums[i] / row.detail()[i] > sums[bestNormalized] / row.detail()[bestNormalized]) {
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
