package dev.paloverde.pipelines.corpus;

import dev.paloverde.pipelines.RowStream;
import java.nio.ByteBuffer;
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

/**
 * Finds texts that are much alike: texts to buckets, one for each band of their MinHash signature; buckets to pairs;
 * pairs, verified if one likes, to connected components.
 *
 * <p>A bucket is sorted by key and each of its members is paired with the first few only. So a bucket of a million
 * members gives a million pairs, not half a billion, and takes no memory; and as all its members are paired with the
 * first, they are connected as they would be by all pairs. Where pairs are verified the first may turn out to be a
 * stranger to all others, hence the few.
 */
final class NearDuplicates {
    private static final StructType BUCKETS = new StructType()
            .add("band", "int", false)
            .add("bucket", "long", false)
            .add(Documents.KEY, "string", false);

    private final MinHash minHash;
    private final Verification verification;

    NearDuplicates(MinHash.Parameters parameters, Verification verification) {
        this.minHash = new MinHash(parameters);
        this.verification = verification;
    }

    /**
     * {@return each document that is much like one of a smaller key, and the least key that it is connected to by others,
     * as {@link Components#NODE} and {@link Components#COMPONENT}}
     *
     * @param documents {@link Documents#KEY} and {@link Documents#TEXT}, other columns are not read
     */
    Dataset<Row> clusters(Dataset<Row> documents) {
        return Components.of(verified(pairs(documents), documents));
    }

    /** {@return the pairs that share a bucket, each perhaps several times: the larger key is the source} */
    Dataset<Row> pairs(Dataset<Row> documents) {
        MinHash hash = minHash;
        int centres = verification.method() == Verification.Method.NONE ? 1 : verification.centres();
        MapPartitionsFunction<Row, Row> toBuckets = rows -> new Signatures(rows, hash);
        MapPartitionsFunction<Row, Row> toPairs = rows -> new Buckets(rows, centres);
        return withText(documents)
                .mapPartitions(toBuckets, Encoders.row(BUCKETS))
                .repartition(functions.col("band"), functions.col("bucket"))
                .sortWithinPartitions("band", "bucket", Documents.KEY)
                .mapPartitions(toPairs, Encoders.row(Components.EDGES));
    }

    private Dataset<Row> verified(Dataset<Row> pairs, Dataset<Row> documents) {
        if (verification.method() == Verification.Method.NONE) {
            return pairs;
        }
        Dataset<Row> distinct = Lineage.cut(pairs.distinct());
        Dataset<Row> sketches = withText(documents)
                .join(
                        distinct.select(functions
                                        .explode(functions.array(Components.SOURCE, Components.TARGET))
                                        .as(Documents.KEY))
                                .distinct(),
                        Documents.KEY)
                .select(functions.col(Documents.KEY), sketch().as("sketch"));
        return distinct.join(named(sketches, Components.SOURCE), Components.SOURCE)
                .join(named(sketches, Components.TARGET), Components.TARGET)
                .where(similarity().geq(verification.similarity()))
                .select(Components.SOURCE, Components.TARGET);
    }

    private static Dataset<Row> named(Dataset<Row> sketches, String end) {
        return sketches.select(
                functions.col(Documents.KEY).as(end), functions.col("sketch").as(end + "_sketch"));
    }

    private Column sketch() {
        MinHash hash = minHash;
        UDF1<String, byte[]> function = verification.method() == Verification.Method.ESTIMATE
                ? text -> bytes(hash.signature(Words.of(text)))
                : text -> bytes(hash.set(Words.of(text)));
        return functions.udf(function, DataTypes.BinaryType).apply(functions.col(Documents.TEXT));
    }

    private Column similarity() {
        UDF2<byte[], byte[], Double> function = verification.method() == Verification.Method.ESTIMATE
                ? (one, other) -> MinHash.estimate(longs(one), longs(other))
                : (one, other) -> MinHash.jaccard(longs(one), longs(other));
        UserDefinedFunction similarity = functions.udf(function, DataTypes.DoubleType);
        return similarity.apply(
                functions.col(Components.SOURCE + "_sketch"), functions.col(Components.TARGET + "_sketch"));
    }

    private static Dataset<Row> withText(Dataset<Row> documents) {
        return documents
                .select(Documents.KEY, Documents.TEXT)
                .where(functions.col(Documents.TEXT).isNotNull());
    }

    private static byte[] bytes(long[] values) {
        ByteBuffer buffer = ByteBuffer.allocate(Math.multiplyExact(values.length, Long.BYTES));
        buffer.asLongBuffer().put(values);
        return buffer.array();
    }

    private static long[] longs(byte[] bytes) {
        long[] values = new long[bytes.length / Long.BYTES];
        ByteBuffer.wrap(bytes).asLongBuffer().get(values);
        return values;
    }

    /** The buckets of documents. */
    private static final class Signatures extends RowStream {
        private final MinHash hash;

        Signatures(Iterator<Row> rows, MinHash hash) {
            super(rows);
            this.hash = hash;
        }

        @Override
        protected void accept(Row row) {
            long[] signature = hash.signature(Words.of(row.getString(1)));
            for (int band = 0; signature.length > 0 && band < hash.parameters().bands(); band++) {
                emit(RowFactory.create(band, hash.bucket(signature, band), row.getString(0)));
            }
        }
    }

    /** Pairs of the members of buckets, the buckets sorted and their members too. */
    private static final class Buckets extends RowStream {
        private final int most;
        private final List<String> centres = new ArrayList<>();
        private int band = -1;
        private long bucket;
        private String last;

        Buckets(Iterator<Row> rows, int most) {
            super(rows);
            this.most = most;
        }

        @Override
        protected void accept(Row row) {
            if (row.getInt(0) != band || row.getLong(1) != bucket) {
                band = row.getInt(0);
                bucket = row.getLong(1);
                centres.clear();
                last = null;
            }
            String key = row.getString(2);
            if (key.equals(last)) {
                return;
            }
            last = key;
            for (String centre : centres) {
                emit(RowFactory.create(key, centre));
            }
            if (centres.size() < most) {
                centres.add(key);
            }
        }
    }
}
