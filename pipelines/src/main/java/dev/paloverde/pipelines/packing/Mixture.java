package dev.paloverde.pipelines.packing;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF3;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;

/**
 * How often each document is in a corpus, by its source. A source that is to give more tokens than it has is gone through
 * as often as it takes; the rest of a last time is drawn in an order that a seed and the documents' keys give, up to the
 * last document that does not exceed it. So which documents those are depends on nothing else, and a source's tokens are
 * fewer than asked for by less than a document.
 */
public final class Mixture {
    /** The result column with the number of a document's copy, from 0. */
    public static final String COPY = "copy";

    /**
     * How often a text may be repeated where nobody says: up to here repeated tokens are worth almost as much as new ones
     * (Muennighoff et al., "Scaling Data-Constrained Language Models", 2023, section 5).
     */
    public static final double STANDARD_EPOCHS = 4;

    private static final String ORDER = "__paloverde_order";
    private static final String PART = "__paloverde_part";
    private static final int PART_BITS = 12;

    private final List<Share> shares;
    private final Map<String, Draw> draws;
    private final long seed;

    private Mixture(List<Share> shares, Map<String, Draw> draws, long seed) {
        this.shares = List.copyOf(shares);
        this.draws = draws;
        this.seed = seed;
    }

    /**
     * What is asked for.
     *
     * @param weights share of the tokens by source, in any unit; others are left out. Empty for all sources as they are
     * @param tokens how many tokens in all; where absent, as many as the sources named have
     * @param mostEpochs how often a source may be gone through
     * @param seed of the order in which documents are drawn
     */
    public record Request(SortedMap<String, Double> weights, OptionalLong tokens, double mostEpochs, long seed) {
        public Request {
            if (weights.values().stream().anyMatch(weight -> !(weight > 0) || weight.isInfinite())) {
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION, "the mixture %s; weights are above 0".formatted(weights));
            }
            if (tokens.isPresent() && tokens.getAsLong() < 1 || !(mostEpochs > 0)) {
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "%s tokens in at most %s epochs; both are above 0".formatted(tokens, mostEpochs));
            }
            weights = new TreeMap<>(weights);
        }
    }

    /**
     * What a source gives.
     *
     * @param source its name
     * @param documents it has
     * @param tokens it has
     * @param wanted tokens it is to give
     * @param drawnDocuments copies of documents it gives
     * @param drawnTokens tokens it gives
     * @param epochs the latter over what it has
     */
    public record Share(
            String source,
            long documents,
            long tokens,
            long wanted,
            long drawnDocuments,
            long drawnTokens,
            double epochs) {}

    /** How many copies there are of each document, and the last document in the order that has one more. */
    private record Draw(int copies, long order, String document) implements Serializable {
        int of(long documentOrder, String key) {
            boolean more = document != null
                    && (documentOrder < order || documentOrder == order && key.compareTo(document) <= 0);
            return copies + (more ? 1 : 0);
        }
    }

    private record Total(long documents, long tokens) {}

    /**
     * Works out a mixture.
     *
     * @param tokens as {@link Tokens} makes them; those refused have no part in it
     * @throws PaloverdeException {@code INVALID_OPTION} if a source is not there, or would be repeated too often
     */
    public static Mixture of(Dataset<Row> tokens, Request request) {
        Dataset<Row> ordered = ordered(tokens, request.seed());
        Map<String, Total> totals = new TreeMap<>();
        for (Row row : ordered.groupBy(Tokens.SOURCE)
                .agg(functions.count(functions.lit(1)), functions.sum(size()))
                .collectAsList()) {
            totals.put(row.getString(0), new Total(row.getLong(1), row.getLong(2)));
        }
        List<Share> shares = new ArrayList<>();
        Map<String, Draw> draws = new HashMap<>();
        wanted(totals, request).forEach((source, wanted) -> {
            Total total = totals.get(source);
            int copies = (int) (wanted / total.tokens());
            long rest = wanted % total.tokens();
            Drawn drawn = rest == 0 ? new Drawn(0, 0, 0, null) : drawn(ordered, source, rest);
            draws.put(source, new Draw(copies, drawn.order(), drawn.document()));
            long given = copies * total.tokens() + drawn.tokens();
            shares.add(new Share(
                    source,
                    total.documents(),
                    total.tokens(),
                    wanted,
                    copies * total.documents() + drawn.documents(),
                    given,
                    (double) given / total.tokens()));
        });
        return new Mixture(shares, draws, request.seed());
    }

    /** {@return what each source gives, in the order of their names} */
    public List<Share> shares() {
        return shares;
    }

    /** {@return the tokens of the documents drawn, one row for each copy, with {@link #COPY}} */
    public Dataset<Row> drawn(Dataset<Row> tokens) {
        Map<String, Draw> drawing = draws;
        UDF3<String, Long, String, Integer> copies = (source, order, document) ->
                drawing.containsKey(source) ? drawing.get(source).of(order, document) : 0;
        Column count = functions
                .udf(copies, DataTypes.IntegerType)
                .apply(functions.col(Tokens.SOURCE), functions.col(ORDER), functions.col(Tokens.DOCUMENT));
        return ordered(tokens, seed)
                .withColumn(COPY, count)
                .where(functions.col(COPY).gt(0))
                .withColumn(
                        COPY,
                        functions.explode(functions.sequence(
                                functions.lit(0), functions.col(COPY).minus(1))))
                .drop(ORDER);
    }

    private static SortedMap<String, Long> wanted(Map<String, Total> totals, Request request) {
        SortedMap<String, Double> weights = new TreeMap<>(request.weights());
        if (weights.isEmpty()) {
            totals.forEach((source, total) -> weights.put(source, (double) total.tokens()));
        }
        if (!totals.keySet().containsAll(weights.keySet())) {
            TreeSet<String> missing = new TreeSet<>(weights.keySet());
            missing.removeAll(totals.keySet());
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "the mixture names %s, and there are no documents of it; there are of %s"
                            .formatted(missing, totals.keySet()));
        }
        long available = weights.keySet().stream()
                .mapToLong(source -> totals.get(source).tokens())
                .sum();
        long budget = request.tokens().orElse(available);
        boolean asTheyAre = request.weights().isEmpty() && budget == available;
        double all = weights.values().stream().mapToDouble(Double::doubleValue).sum();
        SortedMap<String, Long> wanted = new TreeMap<>();
        weights.forEach((source, weight) -> {
            long has = totals.get(source).tokens();
            long tokens = asTheyAre ? has : Math.round(budget * (weight / all));
            if (tokens > request.mostEpochs() * has) {
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "the mixture takes %,d tokens of %s, which has %,d: %.2f epochs, and %s are the most; take fewer tokens, give it less weight, or allow more epochs"
                                .formatted(tokens, source, has, (double) tokens / has, request.mostEpochs()));
            }
            wanted.put(source, tokens);
        });
        return wanted;
    }

    /** The last document drawn of a source, and what it and those before it hold. */
    private record Drawn(long documents, long tokens, long order, String document) {}

    /**
     * Draws up to so many tokens: first finds the part of the order in which they end, then the document in it. No more than
     * one part of {@code 2^12} of the source's keys is in memory.
     */
    private static Drawn drawn(Dataset<Row> ordered, String source, long most) {
        Dataset<Row> own = ordered.where(functions.col(Tokens.SOURCE).equalTo(source));
        Column part = functions.shiftright(functions.col(ORDER), Long.SIZE - PART_BITS);
        long documents = 0;
        long tokens = 0;
        Drawn drawn = new Drawn(0, 0, Long.MIN_VALUE, null);
        for (Row row : own.groupBy(part.as(PART))
                .agg(functions.count(functions.lit(1)), functions.sum(size()))
                .orderBy(PART)
                .collectAsList()) {
            if (tokens + row.getLong(2) > most) {
                for (Row each : own.where(part.equalTo(row.getLong(0)))
                        .select(functions.col(ORDER), functions.col(Tokens.DOCUMENT), size())
                        .orderBy(ORDER, Tokens.DOCUMENT)
                        .collectAsList()) {
                    if (tokens + each.getLong(2) > most) {
                        break;
                    }
                    tokens += each.getLong(2);
                    documents++;
                    drawn = new Drawn(documents, tokens, each.getLong(0), each.getString(1));
                }
                return documents == 0 || drawn.document() != null
                        ? drawn
                        : new Drawn(documents, tokens, row.getLong(0) << Long.SIZE - PART_BITS, "");
            }
            tokens += row.getLong(2);
            documents += row.getLong(1);
        }
        throw new IllegalStateException("%s has fewer than %d tokens".formatted(source, most));
    }

    private static Dataset<Row> ordered(Dataset<Row> tokens, long seed) {
        return tokens.where(functions.col(Tokens.REFUSED).isNull())
                .withColumn(
                        ORDER,
                        functions.xxhash64(
                                functions.lit("mixture"),
                                functions.lit(seed),
                                functions.col(Tokens.SOURCE),
                                functions.col(Tokens.DOCUMENT)));
    }

    private static Column size() {
        return functions
                .col(Tokens.TEXT_TOKENS)
                .plus(functions.col(Tokens.VISUAL_TOKENS))
                .cast("long");
    }
}
