package dev.paloverde.udfs.text;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.decode.Embedding;
import dev.paloverde.gpu.decode.EmbeddingRequest;
import dev.paloverde.gpu.decode.RowKey;
import dev.paloverde.gpu.model.Pooling;
import dev.paloverde.udfs.Settings;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.spark.sql.catalyst.expressions.UnsafeArrayData;

/** Embeds texts. */
final class EmbedRows implements RowFunction<Embedding> {
    private final TextEngine engine;
    private final Settings settings;
    private final int[] prefix;
    private final Pooling pooling;
    private final boolean normalize;

    EmbedRows(TextEngine engine, Settings settings) {
        this.engine = engine;
        this.settings = settings;
        this.prefix = engine.prefix(settings);
        this.pooling = settings.value(Settings.POOLING);
        this.normalize = settings.value(Settings.NORMALIZE) == Settings.Normalize.L2;
    }

    @Override
    public List<Object> read(VectorSchemaRoot batch, int row) {
        return Collections.singletonList(Inputs.bytes(batch.getVector(0), row));
    }

    @Override
    public Submitted<Embedding> submit(RowKey key, List<Object> inputs) {
        String text = Inputs.text(inputs.get(0), "the text", settings);
        int[] tokens = TextEngine.concat(prefix, engine.tokenizer().encode(text));
        if (tokens.length == prefix.length) {
            throw new PaloverdeException(ErrorCode.EMPTY_INPUT, "the text has no tokens");
        }
        boolean truncated = tokens.length > engine.context();
        if (truncated) {
            if (settings.value(Settings.ON_TOO_LONG) == Settings.OnTooLong.ERROR) {
                throw Inputs.tooLong(
                        "the text",
                        tokens.length,
                        engine.context(),
                        "set on-too-long=truncate to keep its beginning, or split it");
            }
            tokens = Arrays.copyOf(tokens, engine.context());
        }
        return new Submitted<>(
                engine.engine().embed(new EmbeddingRequest(tokens, pooling)), tokens.length, truncated, null);
    }

    @Override
    public Object[] write(Submitted<Embedding> row, Embedding answer) {
        float[] values = answer.values();
        return new Object[] {
            UnsafeArrayData.fromPrimitiveArray(normalize ? normalized(values) : values), row.tokensIn()
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
