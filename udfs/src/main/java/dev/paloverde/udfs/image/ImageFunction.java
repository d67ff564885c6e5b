package dev.paloverde.udfs.image;

import dev.paloverde.udfs.Settings;
import dev.paloverde.udfs.arrow.BatchContext;
import dev.paloverde.udfs.arrow.BatchFunction;
import dev.paloverde.udfs.arrow.BatchLimits;
import dev.paloverde.udfs.text.TextFunction;
import dev.paloverde.udfs.text.TextRun;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * What a model does with images, as a function over batches: each becomes as many latents as it has patches, one behind the
 * other in one array of the same length for every row. What goes wrong with a row is said in that row.
 *
 * @param settings how
 */
public record ImageFunction(Settings settings) implements BatchFunction {
    /** Rows of a batch, and rows ahead, at the most: the latents of an image are a megabyte. */
    private static final int BATCH_ROWS = 16;

    private static final int AHEAD_ROWS = 128;

    @Override
    public StructType input() {
        // bytes as they are, see BatchFunctionFactory.Argument
        return new StructType().add("image", DataTypes.StringType);
    }

    @Override
    public StructType output() {
        return TextFunction.withStandard(new StructType()
                .add("latents", DataTypes.createArrayType(DataTypes.FloatType, false))
                .add("tokens", DataTypes.IntegerType)
                .add("width", DataTypes.IntegerType));
    }

    @Override
    public BatchLimits limits() {
        return new BatchLimits(
                Math.min(BATCH_ROWS, settings.value(Settings.BATCH_ROWS)),
                settings.value(Settings.BATCH_BYTES),
                Math.min(AHEAD_ROWS, settings.value(Settings.AHEAD_ROWS)),
                settings.value(Settings.AHEAD_BYTES));
    }

    @Override
    public Run open(BatchContext context) {
        ImageServing serving = ImageServing.open(settings);
        try {
            return new TextRun<>(
                    serving,
                    new EmbedImageRows(ImageModel.limits(settings), serving.tokens(), serving.width()),
                    serving.receipt(settings),
                    output(),
                    context);
        } catch (RuntimeException e) {
            serving.close();
            throw e;
        }
    }
}
