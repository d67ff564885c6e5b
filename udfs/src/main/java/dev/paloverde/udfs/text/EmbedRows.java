package dev.paloverde.udfs.text;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.decode.Embedding;
import dev.paloverde.gpu.decode.EmbeddingRequest;
import dev.paloverde.gpu.decode.Engine;
import dev.paloverde.gpu.decode.RowKey;
import dev.paloverde.gpu.model.Pooling;
import dev.paloverde.udfs.Settings;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.spark.sql.catalyst.expressions.UnsafeArrayData;

/** Embeds texts. */
final class EmbedRows implements RowFunction<EmbeddingRequest, Embedding> {
    private final TextModel model;
    private final Settings settings;
    private final int[] prefix;
    private final Pooling pooling;
    private final boolean normalize;

    EmbedRows(TextModel model, Settings settings) {
        this.model = model;
        this.settings = settings;
        this.prefix = model.prefix(settings);
        this.pooling = settings.value(Settings.POOLING);
        this.normalize = settings.value(Settings.NORMALIZE) == Settings.Normalize.L2;
    }

    @Override
    public Prepared<EmbeddingRequest> prepare(List<?> inputs) {
        String text = Inputs.text(inputs.get(0), "the text", settings);
        int[] tokens = TextModel.concat(prefix, model.tokenizer().encode(text));
        if (tokens.length == prefix.length) {
            throw new PaloverdeException(ErrorCode.EMPTY_INPUT, "the text has no tokens");
        }
        boolean truncated = tokens.length > model.context();
        if (truncated) {
            if (settings.value(Settings.ON_TOO_LONG) == Settings.OnTooLong.ERROR) {
                throw Inputs.tooLong(
                        "the text",
                        tokens.length,
                        model.context(),
                        "set on-too-long=truncate to keep its beginning, or split it");
            }
            tokens = Arrays.copyOf(tokens, model.context());
        }
        return new Prepared<>(new EmbeddingRequest(tokens, pooling), tokens.length, truncated);
    }

    @Override
    public CompletableFuture<Embedding> submit(Engine engine, RowKey key, EmbeddingRequest question) {
        return engine.embed(question);
    }

    @Override
    public Object[] write(Prepared<EmbeddingRequest> row, Embedding answer) {
        float[] values = answer.values();
        return new Object[] {UnsafeArrayData.fromPrimitiveArray(normalize ? normalized(values) : values), row.tokensIn()
        };
    }

    /** {@return the values over their Euclidean length, summed in order in double precision; zeros stay zeros} */
    private static float[] normalized(float[] values) {
        double squares = 0;
        for (float value : values) {
            squares += (double) value * value;
        }
        double length = Math.sqrt(squares);
        float[] scaled = values.clone();
        for (int i = 0; length > 0 && i < scaled.length; i++) {
            scaled[i] = (float) (values[i] / length);
        }
        return scaled;
    }

    @Override
    public int columns() {
        return 2;
    }
}
