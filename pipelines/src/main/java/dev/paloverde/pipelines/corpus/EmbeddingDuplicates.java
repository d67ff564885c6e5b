package dev.paloverde.pipelines.corpus;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.RowStream;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import scala.collection.Seq;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Finds rows whose embeddings point the same way: those with a cosine of at least a threshold, and those that are connected
 * by such.
 *
 * <p>Candidates come from random hyperplanes ({@link Hyperplanes}): rows that lie on the same side of all planes of a band
 * share a bucket. A band has as many planes as give each row a bucket of its own where embeddings have nothing in common,
 * the logarithm of their number, and there are as many bands as bring two rows at the threshold into a bucket with the
 * probability {@code recall}. What shares a bucket is compared by 256 more planes, which leave out what is far from the
 * threshold, and then by the embeddings themselves: nothing is held to be alike that is not. Rows of equal embeddings are
 * one until the end. What comes out depends on the rows and the seed alone, not on their order or how they are
 * partitioned.
 *
 * @param threshold least cosine, above 0 and up to 1
 * @param recall least probability that two rows at the threshold are found, above 0 and below 1
 * @param seed what the planes are drawn from
 */
public record EmbeddingDuplicates(double threshold, double recall, long seed) implements Serializable {
    /** The column with a row's embedding, an array of floats; all of one length. */
    public static final String EMBEDDING = "embedding";

    /** The result column with the least key of the rows that a row is connected to. */
    public static final String REPRESENTATIVE = "representative";

    /** The result column with why a row cannot be compared: the name of a {@link Refusal}. */
    public static final String REFUSED = "refused";

    /** A cosine of 0.95, found with a probability of 0.99. */
    public static final EmbeddingDuplicates STANDARD = new EmbeddingDuplicates(.95, .99, 0);

    /** Members of a bucket that each of the others is compared with, at most. */
    static final int MOST_COMPARED = 4096;

    private static final int LEAST_BITS = 8;
    private static final int MOST_BITS = 30;
    private static final int MOST_BANDS = 1024;
    private static final String WIDTH = "__paloverde_width";
    private static final String SAME = "__paloverde_same";

    private static final StructType BUCKETS = new StructType()
            .add("band", "int", false)
            .add("bucket", "long", false)
            .add(Documents.KEY, "string", false)
            .add("sketch", "binary", false);

    /** Why a row cannot be compared. */
    public enum Refusal {
        /** It has no embedding. */
        NULL_EMBEDDING,
        /** Its embedding has another length than most have. */
        OTHER_WIDTH,
        /** A number of it is infinite or none. */
        NOT_FINITE,
        /** All its numbers are 0, or so small that its length is 0. */
        ZERO
    }

    /** Checks the bounds. */
    public EmbeddingDuplicates {
        if (!(threshold > 0 && threshold <= 1) || !(recall > 0 && recall < 1)) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "a cosine of %s found with a probability of %s; give a number above 0 and up to 1, and one between 0 and 1"
                            .formatted(threshold, recall));
        }
    }

    /**
     * What was found.
     *
     * @param duplicates {@link Documents#KEY} and {@link #REPRESENTATIVE} of each row that is connected to one of a smaller
     *     key
     * @param refused {@link Documents#KEY} and {@link #REFUSED} of each row that cannot be compared
     */
    public record Found(Dataset<Row> duplicates, Dataset<Row> refused) {}

    /**
     * Finds the rows that are alike.
     *
     * @param rows {@link Documents#KEY}, different for each, and {@link #EMBEDDING}; read several times
     */
    public Found of(Dataset<Row> rows) {
        Dataset<Row> keyed = rows.select(
                functions.col(Documents.KEY),
                functions.col(EMBEDDING).cast("array<float>").as(EMBEDDING));
        int width = width(keyed);
        Dataset<Row> judged = keyed.withColumn(REFUSED, refusal(width).apply(functions.col(EMBEDDING)));
        Dataset<Row> refused = judged.where(functions.col(REFUSED).isNotNull()).select(Documents.KEY, REFUSED);
        Dataset<Row> usable = judged.where(functions.col(REFUSED).isNull())
                .select(
                        functions.col(Documents.KEY),
                        functions.col(EMBEDDING),
                        functions.xxhash64(functions.col(EMBEDDING)).as(SAME));
        // of equal embeddings the row of the least key stands for all
        Column least = functions.min(functions.col(Documents.KEY));
        Dataset<Row> standing = Lineage.cut(
                usable.groupBy(SAME, EMBEDDING).agg(least.as(Documents.KEY)).select(SAME, Documents.KEY, EMBEDDING));
        Dataset<Row> own = usable.join(
                        standing.select(
                                functions.col(SAME),
                                functions.col(EMBEDDING),
                                functions.col(Documents.KEY).as("least")),
                        CollectionConverters.asScala(List.of(SAME, EMBEDDING)).toSeq())
                .where(functions.col(Documents.KEY).notEqual(functions.col("least")))
                .select(
                        functions.col(Documents.KEY).as(Components.SOURCE),
                        functions.col("least").as(Components.TARGET));
        Dataset<Row> duplicates = Components.of(own.union(pairs(standing, width)))
                .select(
                        functions.col(Components.NODE).as(Documents.KEY),
                        functions.col(Components.COMPONENT).as(REPRESENTATIVE));
        return new Found(duplicates, refused);
    }

    /** {@return the length that most embeddings have, of two as frequent the lesser; 0 if there are none} */
    private static int width(Dataset<Row> rows) {
        return rows
                .where(functions.col(EMBEDDING).isNotNull())
                .groupBy(functions.size(functions.col(EMBEDDING)).as(WIDTH))
                .count()
                .orderBy(functions.col("count").desc(), functions.col(WIDTH))
                .limit(1)
                .collectAsList()
                .stream()
                .findFirst()
                .map(row -> row.getInt(0))
                .orElse(0);
    }

    private static UserDefinedFunction refusal(int width) {
        UDF1<Seq<Float>, String> judge = values -> {
            Refusal refusal = refusal(values, width);
            return refusal == null ? null : refusal.name();
        };
        return functions.udf(judge, DataTypes.StringType);
    }

    private static Refusal refusal(Seq<Float> values, int width) {
        if (values == null) {
            return Refusal.NULL_EMBEDDING;
        }
        if (values.length() != width || width == 0) {
            return Refusal.OTHER_WIDTH;
        }
        double square = 0;
        for (int i = 0; i < width; i++) {
            Float value = values.apply(i);
            if (value == null || !Float.isFinite(value)) {
                return Refusal.NOT_FINITE;
            }
            square += (double) value * value;
        }
        return square == 0 ? Refusal.ZERO : null;
    }

    /** {@return planes of a band for so many rows} */
    static int bits(long rows) {
        return Math.max(LEAST_BITS, Math.min(MOST_BITS, 64 - Long.numberOfLeadingZeros(Math.max(1, rows))));
    }

    /** {@return how many bands of so many planes find two rows at the threshold with the probability asked for} */
    int bands(int bits) {
        // Charikar 2002: a plane divides two vectors with the probability of their angle over pi
        double together = Math.pow(1 - Math.acos(threshold) / Math.PI, bits);
        double bands = together >= 1 ? 1 : Math.ceil(Math.log1p(-recall) / Math.log1p(-together));
        if (bands > MOST_BANDS) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "a cosine of %s among so many rows takes %,.0f bands of hyperplanes, more than %,d; give a higher one, or a recall lower than %s"
                            .formatted(threshold, bands, MOST_BANDS, recall));
        }
        return (int) Math.max(1, bands);
    }

    private Dataset<Row> pairs(Dataset<Row> standing, int width) {
        int bits = bits(standing.count());
        Hyperplanes planes = new Hyperplanes(seed, width, bands(bits), bits);
        double angle = Math.acos(threshold) / Math.PI;
        // so many bits differ at the threshold, and four standard deviations more
        int most = (int) Math.ceil(
                Hyperplanes.SKETCH_BITS * angle + 4 * Math.sqrt(Hyperplanes.SKETCH_BITS * angle * (1 - angle)));
        MapPartitionsFunction<Row, Row> toBuckets = rows -> new Bands(rows, planes);
        MapPartitionsFunction<Row, Row> toPairs = rows -> new Buckets(rows, most);
        Dataset<Row> candidates = Lineage.cut(standing.select(Documents.KEY, EMBEDDING)
                .mapPartitions(toBuckets, Encoders.row(BUCKETS))
                .repartition(functions.col("band"), functions.col("bucket"))
                .sortWithinPartitions("band", "bucket", Documents.KEY)
                .mapPartitions(toPairs, Encoders.row(Components.EDGES))
                .distinct());
        UDF2<Seq<Float>, Seq<Float>, Double> cosine = EmbeddingDuplicates::cosine;
        return candidates
                .join(named(standing, Components.SOURCE), Components.SOURCE)
                .join(named(standing, Components.TARGET), Components.TARGET)
                .where(functions
                        .udf(cosine, DataTypes.DoubleType)
                        .apply(functions.col("source_embedding"), functions.col("target_embedding"))
                        .geq(threshold))
                .select(Components.SOURCE, Components.TARGET);
    }

    private static Dataset<Row> named(Dataset<Row> standing, String end) {
        return standing.select(
                functions.col(Documents.KEY).as(end), functions.col(EMBEDDING).as(end + "_embedding"));
    }

    /** {@return the cosine of two, summed in one order, so that it is the same whichever comes first} */
    static double cosine(Seq<Float> one, Seq<Float> other) {
        double product = 0;
        double square = 0;
        double otherSquare = 0;
        int width = one.length();
        for (int i = 0; i < width; i++) {
            double a = one.apply(i);
            double b = other.apply(i);
            product += a * b;
            square += a * a;
            otherSquare += b * b;
        }
        return product / Math.sqrt(square) / Math.sqrt(otherSquare);
    }

    /** The buckets of rows. */
    private static final class Bands extends RowStream {
        private final Hyperplanes planes;

        Bands(Iterator<Row> rows, Hyperplanes planes) {
            super(rows);
            this.planes = planes;
        }

        @Override
        protected void accept(Row row) {
            List<Float> list = row.getList(1);
            float[] embedding = new float[list.size()];
            for (int i = 0; i < embedding.length; i++) {
                embedding[i] = list.get(i);
            }
            byte[] sketch = planes.sketch(embedding);
            for (int band = 0; band < planes.bands(); band++) {
                emit(RowFactory.create(band, planes.bucket(embedding, band), row.getString(0), sketch));
            }
        }
    }

    /** Pairs of the members of buckets whose sketches are near, the buckets sorted and their members too. */
    private static final class Buckets extends RowStream {
        private final int most;
        private final List<String> keys = new ArrayList<>();
        private final List<byte[]> sketches = new ArrayList<>();
        private int band = -1;
        private long bucket;

        Buckets(Iterator<Row> rows, int most) {
            super(rows);
            this.most = most;
        }

        @Override
        protected void accept(Row row) {
            if (row.getInt(0) != band || row.getLong(1) != bucket) {
                band = row.getInt(0);
                bucket = row.getLong(1);
                keys.clear();
                sketches.clear();
            }
            byte[] sketch = row.getAs(3);
            for (int i = 0; i < keys.size(); i++) {
                if (Hyperplanes.different(sketches.get(i), sketch) <= most) {
                    emit(RowFactory.create(row.getString(2), keys.get(i)));
                }
            }
            if (keys.size() < MOST_COMPARED) {
                keys.add(row.getString(2));
                sketches.add(sketch);
            }
        }
    }
}
