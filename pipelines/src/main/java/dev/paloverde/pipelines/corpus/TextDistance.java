package dev.paloverde.pipelines.corpus;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.RowStream;
import java.io.Serializable;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.function.ToLongFunction;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;

/**
 * How far texts are from others in what words they use: the Jensen-Shannon divergence of how often n-grams of words stand in
 * both (Lin, "Divergence Measures Based on the Shannon Entropy", IEEE Transactions on Information Theory 37, 1991). Captions
 * that are far from the texts a model learns from cost it more of what it knows of text, so this is what to look at before
 * they are mixed. Samples of the same texts are at a distance too, the more so the fewer they are; {@link Distance#within}
 * says what that comes to. Words are compared without case and punctuation. Counts are whole numbers and what is made of them
 * is added up in an order of its own, so that nothing depends on how rows are ordered or partitioned.
 *
 * @param ngram words in a row that are counted as one, from 1 to 5
 */
public record TextDistance(int ngram) implements Serializable {
    private static final int LONGEST = 5;
    private static final long SEED = 0;
    private static final StructType COUNTED = new StructType()
            .add("gram", "long", false)
            .add("ours", "long", false)
            .add("even", "long", false)
            .add("odd", "long", false);

    /**
     * What was found.
     *
     * @param ngram words of an n-gram
     * @param grams n-grams of the texts, repeated ones counted as often as they stand there
     * @param referenceGrams those of the reference
     * @param divergence between the two, in bits: 0 where both use the same n-grams as often, 1 where they share none
     * @param within between two halves of the reference, whole texts by their hash, in bits; NaN where one half has all
     * @param unseen share of the texts' n-grams that stand nowhere in the reference
     */
    public record Distance(
            int ngram, long grams, long referenceGrams, double divergence, double within, double unseen) {}

    /** Checks the length. */
    public TextDistance {
        if (ngram < 1 || ngram > LONGEST) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "n-grams of %d words; give a number from 1 to %d".formatted(ngram, LONGEST));
        }
    }

    /** How many n-grams stand equally often in each of the sets. */
    private record Group(long ours, long even, long odd, long grams) {
        static Group of(Row row) {
            return new Group(row.getLong(0), row.getLong(1), row.getLong(2), row.getLong(3));
        }

        private long reference() {
            return even + odd;
        }
    }

    /**
     * Compares texts with a reference.
     *
     * @param texts {@link Documents#TEXT}; null is no text
     * @param reference the same
     * @throws PaloverdeException {@code INPUT_UNREADABLE} if either has no text of so many words
     */
    public Distance of(Dataset<Row> texts, Dataset<Row> reference) {
        List<Group> groups = counted(texts, true)
                .union(counted(reference, false))
                .groupBy("gram")
                .agg(
                        functions.sum("ours").as("ours"),
                        functions.sum("even").as("even"),
                        functions.sum("odd").as("odd"))
                .groupBy("ours", "even", "odd")
                .agg(functions.count(functions.lit(1)))
                .collectAsList()
                .stream()
                .map(Group::of)
                .sorted(Comparator.comparingLong(Group::ours)
                        .thenComparingLong(Group::even)
                        .thenComparingLong(Group::odd))
                .toList();
        long ours = sum(groups, Group::ours);
        long even = sum(groups, Group::even);
        long odd = sum(groups, Group::odd);
        if (ours == 0 || even + odd == 0) {
            throw new PaloverdeException(
                    ErrorCode.INPUT_UNREADABLE,
                    "%s no text of %d words or more; name the column with the texts, or compare shorter n-grams"
                            .formatted(ours == 0 ? "what is compared has" : "what it is compared with has", ngram));
        }
        double divergence = 0;
        double within = 0;
        long unseen = 0;
        for (Group group : groups) {
            divergence += group.grams
                    * (part(group.ours, ours, group.reference(), even + odd)
                            + part(group.reference(), even + odd, group.ours, ours));
            within += group.grams * (part(group.even, even, group.odd, odd) + part(group.odd, odd, group.even, even));
            unseen += group.reference() == 0 ? group.grams * group.ours : 0;
        }
        return new Distance(
                ngram,
                ours,
                even + odd,
                divergence,
                even == 0 || odd == 0 ? Double.NaN : within,
                unseen / (double) ours);
    }

    /** {@return half of p log2(p / m), with p the share of one count and m the mean of both shares} */
    private static double part(long count, long all, long otherCount, long otherAll) {
        if (count == 0 || otherAll == 0) {
            return 0;
        }
        double share = count / (double) all;
        double mean = (share + otherCount / (double) otherAll) / 2;
        return share * Math.log(share / mean) / Math.log(2) / 2;
    }

    private static long sum(List<Group> groups, ToLongFunction<Group> count) {
        return groups.stream()
                .mapToLong(group -> Math.multiplyExact(group.grams, count.applyAsLong(group)))
                .reduce(0, Math::addExact);
    }

    private Dataset<Row> counted(Dataset<Row> texts, boolean ours) {
        int words = ngram;
        MapPartitionsFunction<Row, Row> count = rows -> new Grams(rows, words, ours);
        return texts.select(Documents.TEXT).mapPartitions(count, Encoders.row(COUNTED));
    }

    /** A row for each n-gram of each text. Texts of fewer words have none. */
    private static final class Grams extends RowStream {
        private final int ngram;
        private final boolean ours;

        Grams(Iterator<Row> rows, int ngram, boolean ours) {
            super(rows);
            this.ngram = ngram;
            this.ours = ours;
        }

        @Override
        protected void accept(Row row) {
            if (row.isNullAt(0)) {
                return;
            }
            Words words = Words.of(row.getString(0));
            if (words.count() < ngram) {
                return;
            }
            boolean even = (words.ngrams(words.count(), SEED)[0] & 1) == 0;
            for (long gram : words.ngrams(ngram, SEED)) {
                emit(RowFactory.create(gram, ours ? 1L : 0L, !ours && even ? 1L : 0L, !ours && !even ? 1L : 0L));
            }
        }
    }
}
