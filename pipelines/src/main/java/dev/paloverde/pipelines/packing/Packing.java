package dev.paloverde.pipelines.packing;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.interleaved.Segments;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;

/**
 * Packs documents into sequences of exactly a context's length. A document that fits is never divided; a longer one is
 * divided as {@link Run#cuts} says; pieces share sequences as {@link BestFit} says. Sequences stand in an order that is a
 * permutation by the seed, so that a shard, which is so many of them in a row, is a sample of all.
 *
 * <p>All of that follows from the documents' keys, tokens and the seed: not from how documents are ordered or partitioned.
 *
 * @param context positions of a sequence, at least 2
 * @param padding the token that fills up sequences
 * @param shardTokens how many positions a shard has: as many whole sequences as fit, at least one; the last has fewer
 * @param seed of all that is by chance
 */
public record Packing(int context, int padding, long shardTokens, long seed) {
    /** Positions of a shard where nobody says. */
    public static final long STANDARD_SHARD_TOKENS = 1L << 26;

    private static final String DIGEST = "__paloverde_digest";
    private static final String PLACE = "__paloverde_place";
    private static final StructType PLACED =
            new StructType().add(Sequences.SEQUENCE, "long", false).add(Sequences.SLOT, "int", false);

    public Packing {
        if (context < 2 || shardTokens < context || shardTokens / context > Integer.MAX_VALUE) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "a context of %d positions in shards of %d; a context has at least 2, and a shard at least one context"
                            .formatted(context, shardTokens));
        }
    }

    /**
     * Divides documents into pieces.
     *
     * @param documents as {@link Mixture#drawn} makes them
     * @return one row a piece, to be written down before {@link #sequences}, which reads it more than once
     */
    public Dataset<Row> pieces(Dataset<Row> documents) {
        return Pieces.of(documents, context, seed);
    }

    /**
     * Packs pieces.
     *
     * @param pieces as {@link #pieces} makes them
     * @return {@code shard}; {@code sequence}, its number from 0; {@code tokens}, {@code positions} (in the piece, from 0),
     *     {@code documents} (number of the piece in the sequence, -1 where there is none), {@code blocks} (number of the
     *     picture in the sequence, -1 where there is none) and {@code loss} (whether a position is to be learnt from those
     *     before it), arrays as long as the context; {@code pieces}, where each comes from; {@code padding}, how many
     *     positions hold nothing. Rows of a shard are in one partition, in order
     */
    public Dataset<Row> sequences(Dataset<Row> pieces) {
        BestFit plan = plan(pieces);
        int shardSequences = shardSequences();
        int shards = (int) Math.min(Integer.MAX_VALUE, (plan.sequences() + shardSequences - 1) / shardSequences);
        Dataset<Row> ranked =
                Ranks.within(pieces, Pieces.LENGTH, Pieces.ORDER, Tokens.DOCUMENT, Mixture.COPY, Pieces.PIECE);
        Column place = place(plan).apply(functions.col(Pieces.LENGTH), functions.col(Ranks.RANK));
        Column[] columns = Stream.concat(
                        Stream.of(Pieces.SCHEMA.fieldNames()),
                        Stream.of(Sequences.SHARD, Sequences.SEQUENCE, Sequences.SLOT))
                .map(functions::col)
                .toArray(Column[]::new);
        int length = context;
        int filler = padding;
        MapPartitionsFunction<Row, Row> assemble = rows -> new Sequences(rows, length, filler);
        return ranked.withColumn(PLACE, place)
                .withColumn(Sequences.SEQUENCE, functions.col(PLACE).getField(Sequences.SEQUENCE))
                .withColumn(Sequences.SLOT, functions.col(PLACE).getField(Sequences.SLOT))
                .withColumn(
                        Sequences.SHARD,
                        functions
                                .floor(functions.col(Sequences.SEQUENCE).divide(shardSequences))
                                .cast("int"))
                .select(columns)
                .repartition(Math.max(1, shards), functions.col(Sequences.SHARD))
                .sortWithinPartitions(Sequences.SEQUENCE, Sequences.SLOT)
                .mapPartitions(assemble, Encoders.row(Sequences.SCHEMA))
                .sortWithinPartitions(Sequences.SHARD, Sequences.SEQUENCE);
    }

    /** {@return the columns of {@link #sequences}} */
    public static StructType schema() {
        return Sequences.SCHEMA;
    }

    private int shardSequences() {
        return (int) (shardTokens / context);
    }

    private BestFit plan(Dataset<Row> pieces) {
        long[] counts = new long[context + 1];
        for (Row row : pieces.groupBy(Pieces.LENGTH).count().collectAsList()) {
            counts[row.getInt(0)] = row.getLong(1);
        }
        return BestFit.of(counts);
    }

    private UserDefinedFunction place(BestFit plan) {
        Shuffle shuffle = new Shuffle(plan.sequences(), seed);
        UDF2<Integer, Long, Row> place =
                (length, rank) -> RowFactory.create(shuffle.at(plan.sequence(length, rank)), plan.slot(length, rank));
        return functions.udf(place, PLACED);
    }

    /**
     * {@return a number for the content of each shard, 64 hexadecimal digits by the shard's: the SHA-256 of those of its
     * sequences in their order, each the SHA-256 of its columns as JSON} Equal sequences have equal numbers in any file
     * format, and in Parquet files whose bytes differ, as those of two runs do: their footers list encodings in the order
     * of a hash set, which is another in each JVM.
     */
    public static SortedMap<Integer, String> digests(Dataset<Row> sequences) {
        Column[] columns =
                Stream.of(Sequences.SCHEMA.fieldNames()).map(functions::col).toArray(Column[]::new);
        Column digest =
                functions.sha2(functions.to_json(functions.struct(columns)).cast("binary"), 256);
        Column ordered = functions.array_sort(
                functions.collect_list(functions.struct(functions.col(Sequences.SEQUENCE), digest.as(DIGEST))));
        Column joined = functions.concat_ws("", functions.transform(ordered, each -> each.getField(DIGEST)));
        SortedMap<Integer, String> digests = new TreeMap<>();
        for (Row row : sequences
                .groupBy(Sequences.SHARD)
                .agg(functions.sha2(joined.cast("binary"), 256))
                .collectAsList()) {
            digests.put(row.getInt(0), row.getString(1));
        }
        return digests;
    }

    /**
     * What is in sequences, by shard, source and objective.
     *
     * @param shard number of the shard
     * @param source name of the source
     * @param objective name of the {@link dev.paloverde.pipelines.interleaved.Objective}
     * @param documents documents that begin there
     * @param pieces pieces there
     * @param textTokens positions that hold tokens
     * @param visualTokens positions that hold latents
     * @param trained positions that are to be learnt
     * @param attended over all positions, how many positions each sees
     */
    public record Content(
            int shard,
            String source,
            String objective,
            long documents,
            long pieces,
            long textTokens,
            long visualTokens,
            long trained,
            long attended) {}

    /** {@return what is in sequences, by shard, source and objective, in that order} */
    public static List<Content> content(Dataset<Row> sequences) {
        Dataset<Row> pieces = sequences
                .select(
                        functions.col(Sequences.SHARD),
                        functions.explode(functions.col(Sequences.PIECES)).as("piece"))
                .select(Sequences.SHARD, "piece.*");
        List<Content> content = new ArrayList<>();
        for (Row row : pieces.groupBy(Sequences.SHARD, Tokens.SOURCE, Segments.OBJECTIVE)
                .agg(
                        functions.sum(functions
                                .when(functions.col(Pieces.OFFSET).equalTo(0), 1L)
                                .otherwise(0L)),
                        functions.count(functions.lit(1)),
                        functions.sum(Tokens.TEXT_TOKENS),
                        functions.sum(Tokens.VISUAL_TOKENS),
                        functions.sum("trained"),
                        functions.sum("attended"))
                .orderBy(Sequences.SHARD, Tokens.SOURCE, Segments.OBJECTIVE)
                .collectAsList()) {
            content.add(new Content(
                    row.getInt(0),
                    row.getString(1),
                    row.getString(2),
                    row.getLong(3),
                    row.getLong(4),
                    row.getLong(5),
                    row.getLong(6),
                    row.getLong(7),
                    row.getLong(8)));
        }
        return content;
    }
}
