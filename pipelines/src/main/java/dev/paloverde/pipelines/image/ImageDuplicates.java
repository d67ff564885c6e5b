package dev.paloverde.pipelines.image;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.corpus.Components;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;

/**
 * Finds images that look alike: those whose perceptual hashes differ in few bits, and those that are connected by such.
 *
 * <p>All pairs within the distance are found, by the pigeonhole principle (Norouzi, Punjani and Fleet, "Fast Search in Hamming
 * Space with Multi-Index Hashing", CVPR 2012): of four parts of 16 bits, one differs in at most a quarter of the bits. So a
 * hash is looked up by each part, and by all that differ from it in as many bits. Equal hashes are one before that, so that a
 * picture that occurs a million times is looked up once. What comes out depends on the set of images alone.
 *
 * @param distance bits that may differ, 0 to {@value #MOST_DISTANCE}
 */
public record ImageDuplicates(int distance) {
    /** The column with the SHA-256 of an image's bytes. */
    public static final String DIGEST = "sha256";

    /** The column with its perceptual hash. */
    public static final String HASH = "perceptual_hash";

    /** The column with the least digest of the images that an image is connected to. */
    public static final String REPRESENTATIVE = "representative";

    /** Beyond it a part would have to be looked up by thousands of others. */
    static final int MOST_DISTANCE = 11;

    /** Bits that may differ between an image and the same one resized or encoded again. */
    public static final ImageDuplicates STANDARD = new ImageDuplicates(4);

    private static final int PARTS = 4;
    private static final int PART_BITS = 64 / PARTS;
    private static final int HEXADECIMAL_DIGITS = 16;

    private static final StructType PLACES =
            new StructType().add("part", "int", false).add("bits", "int", false).add(HASH, "long", false);

    /** Checks the distance. */
    public ImageDuplicates {
        if (distance < 0 || distance > MOST_DISTANCE) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION, "a distance of %d bits; give 0 to %d".formatted(distance, MOST_DISTANCE));
        }
    }

    /**
     * Finds the images that are alike.
     *
     * @param images {@link #DIGEST} and {@link #HASH}; digests in any number
     * @return {@link #DIGEST} and {@link #REPRESENTATIVE} of each image that is connected to one of a smaller digest
     */
    public Dataset<Row> clusters(Dataset<Row> images) {
        Dataset<Row> distinct = images.select(DIGEST, HASH)
                .where(functions.col(DIGEST).isNotNull().and(functions.col(HASH).isNotNull()))
                .distinct();
        // a hash stands for all images that have it, and is connected to each
        Dataset<Row> own = distinct.select(
                functions.col(DIGEST).as(Components.SOURCE),
                node(functions.col(HASH)).as(Components.TARGET));
        Dataset<Row> edges =
                distance == 0 ? own : own.union(pairs(distinct.select(HASH).distinct()));
        Dataset<Row> components = Components.of(edges);
        // hashes sort before digests, so that a component's name may be a hash: its least digest is what is wanted
        Dataset<Row> named = distinct.select(DIGEST)
                .join(
                        components.select(
                                functions.col(Components.NODE).as(DIGEST), functions.col(Components.COMPONENT)),
                        DIGEST);
        Dataset<Row> least =
                named.groupBy(Components.COMPONENT).agg(functions.min(DIGEST).as(REPRESENTATIVE));
        return named.join(least, Components.COMPONENT)
                .where(functions.col(DIGEST).notEqual(functions.col(REPRESENTATIVE)))
                .select(DIGEST, REPRESENTATIVE);
    }

    /** {@return the pairs of hashes within the distance, as edges} */
    Dataset<Row> pairs(Dataset<Row> hashes) {
        int radius = distance / PARTS;
        FlatMapFunction<Row, Row> indexed = row -> places(row.getLong(0), 0);
        FlatMapFunction<Row, Row> asked = row -> places(row.getLong(0), radius);
        Dataset<Row> index = hashes.flatMap(indexed, Encoders.row(PLACES)).withColumnRenamed(HASH, "other");
        Column different = functions.bit_count(functions.col(HASH).bitwiseXOR(functions.col("other")));
        return hashes.flatMap(asked, Encoders.row(PLACES))
                .join(
                        index,
                        scala.jdk.javaapi.CollectionConverters.asScala(List.of("part", "bits"))
                                .toSeq())
                .where(functions.col(HASH).lt(functions.col("other")))
                .where(different.leq(distance))
                .select(
                        node(functions.col(HASH)).as(Components.SOURCE),
                        node(functions.col("other")).as(Components.TARGET))
                .distinct();
    }

    /** {@return a hash as a node: a name that sorts before every digest and is none} */
    private static Column node(Column hash) {
        return functions.concat(functions.lit("#"), functions.lpad(functions.hex(hash), HEXADECIMAL_DIGITS, "0"));
    }

    /** {@return the parts of a hash, and all that differ from one in up to so many bits} */
    private static Iterator<Row> places(long hash, int radius) {
        List<Row> places = new ArrayList<>();
        for (int part = 0; part < PARTS; part++) {
            int bits = (int) (hash >>> part * PART_BITS & (1 << PART_BITS) - 1);
            around(hash, part, bits, 0, radius, places);
        }
        return places.iterator();
    }

    private static void around(long hash, int part, int bits, int from, int left, List<Row> places) {
        places.add(RowFactory.create(part, bits, hash));
        for (int bit = from; left > 0 && bit < PART_BITS; bit++) {
            around(hash, part, bits ^ 1 << bit, bit + 1, left - 1, places);
        }
    }
}
