package dev.paloverde.pipelines.image;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.Serializable;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.api.java.function.Function2;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/**
 * Mean and variance of the latents of a data set, by which a representation autoencoder normalises them (Zheng et al.,
 * "Diffusion Transformers with Representation Autoencoders", 2025). Sums are exact, so the same rows give the same bits
 * however they are ordered or partitioned, and statistics of parts can be merged; the numbers are rounded once, at the end.
 *
 * @param over what has a mean of its own
 */
public record LatentStatistics(Over over) implements Serializable {
    /** The column with a row's latents, one behind the other, an array of floats. */
    public static final String LATENTS = "latents";

    /** The column with how many there are. */
    public static final String TOKENS = "tokens";

    /** The column with how many numbers each has. */
    public static final String WIDTH = "width";

    /** What has a mean of its own. */
    public enum Over {
        /** Each channel, over all rows and all places of an image. */
        CHANNEL,
        /** Each number of the array, over all rows. */
        ELEMENT
    }

    /**
     * What was found.
     *
     * @param over what has a mean of its own
     * @param rows rows with latents
     * @param without rows without, which are left out: their images failed
     * @param refused rows with latents of another shape than most have, or with a number that is infinite or none, which are
     *     left out
     * @param tokens latents of a row
     * @param width numbers of a latent
     * @param count numbers behind each mean
     * @param mean by channel, or by element
     * @param variance by channel, or by element: the mean of the squares of what is beside the mean
     */
    public record Statistics(
            Over over,
            long rows,
            long without,
            long refused,
            int tokens,
            int width,
            long count,
            List<Double> mean,
            List<Double> variance) {}

    /** Sums of a part of the rows. */
    private static final class Part implements Serializable {
        private static final long serialVersionUID = 1L;
        private final ExactSums sums;
        private final ExactSums squares;
        private long rows;
        private long refused;

        Part(int dimensions) {
            sums = new ExactSums(dimensions);
            squares = new ExactSums(dimensions);
        }

        void add(List<Float> latents) {
            int dimensions = sums.count();
            for (int i = 0; i < latents.size(); i++) {
                Float value = latents.get(i);
                if (value == null || !Float.isFinite(value)) {
                    refused++;
                    return;
                }
            }
            int dimension = 0;
            for (Float latent : latents) {
                double value = latent;
                sums.add(dimension, value);
                squares.add(dimension, value * value);
                dimension = dimension + 1 == dimensions ? 0 : dimension + 1;
            }
            sums.counted(latents.size() / dimensions);
            squares.counted(latents.size() / dimensions);
            rows++;
        }

        Part merge(Part other) {
            sums.merge(other.sums);
            squares.merge(other.squares);
            rows += other.rows;
            refused += other.refused;
            return this;
        }
    }

    /** The shape most rows have. */
    private record Shape(int tokens, int width) implements Serializable {}

    /**
     * Works the statistics out.
     *
     * @param rows {@link #LATENTS}, {@link #TOKENS} and {@link #WIDTH}, as {@code embed-image} writes them; read twice
     * @throws PaloverdeException {@code INPUT_UNREADABLE} if no row has latents
     */
    public Statistics of(Dataset<Row> rows) {
        Dataset<Row> latents = rows.select(
                functions.col(LATENTS).cast("array<float>").as(LATENTS),
                functions.col(TOKENS).cast("int").as(TOKENS),
                functions.col(WIDTH).cast("int").as(WIDTH));
        long all = 0;
        long without = 0;
        long most = 0;
        Shape shape = null;
        for (Row group : latents.groupBy(
                        functions.col(LATENTS).isNull(),
                        functions.col(TOKENS),
                        functions.col(WIDTH),
                        functions
                                .size(functions.col(LATENTS))
                                .equalTo(functions.col(TOKENS).multiply(functions.col(WIDTH))))
                .count()
                .orderBy(functions.col("count").desc(), functions.col(TOKENS), functions.col(WIDTH))
                .collectAsList()) {
            all += group.getLong(4);
            without += group.getBoolean(0) ? group.getLong(4) : 0;
            boolean whole = !group.getBoolean(0)
                    && !group.isNullAt(3)
                    && group.getBoolean(3)
                    && group.getInt(1) > 0
                    && group.getInt(2) > 0;
            if (whole && shape == null) {
                shape = new Shape(group.getInt(1), group.getInt(2));
                most = group.getLong(4);
            }
        }
        if (shape == null) {
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE,
                    "of %,d rows none has %s of %s times %s numbers; give what embed-image has written"
                            .formatted(all, LATENTS, TOKENS, WIDTH));
        }
        Part part = sums(latents, shape);
        if (part.rows == 0) {
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE,
                    "all %,d rows with latents have a number that is infinite or none".formatted(most));
        }
        return statistics(part, shape, without, all - without - most + part.refused);
    }

    private Part sums(Dataset<Row> latents, Shape shape) {
        int dimensions = over == Over.CHANNEL ? shape.width() : Math.multiplyExact(shape.tokens(), shape.width());
        FlatMapFunction<Iterator<Row>, Part> sum = rows -> {
            Part part = new Part(dimensions);
            rows.forEachRemaining(row -> part.add(row.getList(0)));
            return List.of(part).iterator();
        };
        Function2<Part, Part, Part> merge = Part::merge;
        return latents.where(functions.col(TOKENS).equalTo(shape.tokens()))
                .where(functions.col(WIDTH).equalTo(shape.width()))
                .where(functions.size(functions.col(LATENTS)).equalTo(shape.tokens() * shape.width()))
                .select(LATENTS)
                .toJavaRDD()
                .mapPartitions(sum)
                .treeReduce(merge);
    }

    private Statistics statistics(Part part, Shape shape, long without, long refused) {
        int dimensions = part.sums.count();
        long count = part.rows * (over == Over.CHANNEL ? shape.tokens() : 1);
        BigDecimal number = BigDecimal.valueOf(count);
        Double[] mean = new Double[dimensions];
        Double[] variance = new Double[dimensions];
        for (int i = 0; i < dimensions; i++) {
            BigDecimal sum = part.sums.sum(i);
            mean[i] = sum.divide(number, MathContext.DECIMAL128).doubleValue();
            BigDecimal beside = number.multiply(part.squares.sum(i)).subtract(sum.multiply(sum));
            variance[i] = beside.divide(number.multiply(number), MathContext.DECIMAL128)
                    .doubleValue();
        }
        return new Statistics(
                over,
                part.rows,
                without,
                refused,
                shape.tokens(),
                shape.width(),
                count,
                List.of(mean),
                List.of(variance));
    }
}
