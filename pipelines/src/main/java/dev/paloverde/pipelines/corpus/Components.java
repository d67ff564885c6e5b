package dev.paloverde.pipelines.corpus;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.RowStream;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;

/**
 * The connected components of a graph, by alternating large-star and small-star (Kiveris, Lattanzi, Mirrokni, Rastogi and
 * Vassilvitskii, "Connected Components in MapReduce and Beyond", SoCC 2014). Each of the two is a sort by node and one
 * pass that remembers a node and its least neighbour, so a node of any degree takes no more memory than another; the edges
 * never become more than they were. A graph of few edges is done in one task by union-find, to the same result.
 */
public final class Components {
    /** The column with the one end of an edge. */
    public static final String SOURCE = "source";

    /** The column with the other end. */
    public static final String TARGET = "target";

    /** The column with a node. */
    public static final String NODE = "node";

    /** The column with the least node of its component. */
    public static final String COMPONENT = "component";

    /** Graphs up to so many edges are done in one task; it takes some 100 MB. */
    public static final long LOCAL_EDGES = 200_000;

    static final StructType EDGES =
            new StructType().add(SOURCE, "string", false).add(TARGET, "string", false);
    private static final StructType MEMBERS =
            new StructType().add(NODE, "string", false).add(COMPONENT, "string", false);

    /** Far more than there can be: rounds grow with the square of the logarithm of the nodes at most. */
    private static final int MOST_ROUNDS = 200;

    private Components() {}

    /**
     * Finds the component of each node that has an edge and is not the least of its component.
     *
     * @param edges {@link #SOURCE} and {@link #TARGET}, strings of ASCII characters; in either direction, in any number
     * @return {@link #NODE} and {@link #COMPONENT}, one row for each such node
     */
    public static Dataset<Row> of(Dataset<Row> edges) {
        return of(edges, LOCAL_EDGES);
    }

    static Dataset<Row> of(Dataset<Row> edges, long localEdges) {
        Dataset<Row> graph = Lineage.cut(
                edges.select(SOURCE, TARGET).where(functions.col(SOURCE).notEqual(functions.col(TARGET))));
        if (graph.count() <= localEdges) {
            MapPartitionsFunction<Row, Row> united = Components::unite;
            return graph.coalesce(1).mapPartitions(united, Encoders.row(MEMBERS));
        }
        Row before = null;
        for (int round = 0; round < MOST_ROUNDS; round++) {
            graph = Lineage.cut(smallStar(largeStar(graph)));
            Row now = fingerprint(graph);
            if (now.equals(before)) {
                return graph.select(
                        functions.col(SOURCE).as(NODE), functions.col(TARGET).as(COMPONENT));
            }
            before = now;
        }
        throw new PaloverdeException(
                ErrorCode.INTERNAL,
                "components of %s edges were not found in %d rounds".formatted(before.get(0), MOST_ROUNDS));
    }

    /** Connects the neighbours that are larger than a node to the least of the node and its neighbours. */
    private static Dataset<Row> largeStar(Dataset<Row> edges) {
        Dataset<Row> both = edges.union(edges.select(
                functions.col(TARGET).as(SOURCE), functions.col(SOURCE).as(TARGET)));
        MapPartitionsFunction<Row, Row> star = rows -> new Star(rows) {
            @Override
            void neighbour(String node, String neighbour, String least) {
                if (neighbour.compareTo(node) > 0) {
                    emit(RowFactory.create(neighbour, least));
                }
            }
        };
        return byNode(both).mapPartitions(star, Encoders.row(EDGES));
    }

    /** Connects a node and the neighbours that are smaller to the least of them. */
    private static Dataset<Row> smallStar(Dataset<Row> downward) {
        MapPartitionsFunction<Row, Row> star = rows -> new Star(rows) {
            @Override
            void neighbour(String node, String neighbour, String least) {
                emit(RowFactory.create(neighbour.equals(least) ? node : neighbour, least));
            }
        };
        return byNode(downward).mapPartitions(star, Encoders.row(EDGES));
    }

    private static Dataset<Row> byNode(Dataset<Row> edges) {
        return edges.repartition(functions.col(SOURCE)).sortWithinPartitions(SOURCE, TARGET);
    }

    /** {@return what two lists of edges have in common only if they hold the same edges} */
    private static Row fingerprint(Dataset<Row> edges) {
        return edges.agg(
                        functions.count(functions.lit(1)),
                        functions.bit_xor(
                                functions.xxhash64(functions.lit(0), functions.col(SOURCE), functions.col(TARGET))),
                        functions.bit_xor(
                                functions.xxhash64(functions.lit(1), functions.col(SOURCE), functions.col(TARGET))))
                .head();
    }

    /** One pass over edges that are sorted by node and neighbour: what comes first is a node's least neighbour. */
    private abstract static class Star extends RowStream {
        private String node;
        private String last;
        private String least;

        Star(Iterator<Row> rows) {
            super(rows);
        }

        @Override
        protected final void accept(Row row) {
            String neighbour = row.getString(1);
            if (!row.getString(0).equals(node)) {
                node = row.getString(0);
                least = neighbour.compareTo(node) < 0 ? neighbour : node;
            } else if (neighbour.equals(last)) {
                return;
            }
            last = neighbour;
            neighbour(node, neighbour, least);
        }

        abstract void neighbour(String node, String neighbour, String least);
    }

    private static Iterator<Row> unite(Iterator<Row> edges) {
        Map<String, String> parents = new HashMap<>();
        while (edges.hasNext()) {
            Row edge = edges.next();
            String one = root(parents, edge.getString(0));
            String other = root(parents, edge.getString(1));
            int order = one.compareTo(other);
            if (order != 0) {
                parents.put(order < 0 ? other : one, order < 0 ? one : other);
            }
        }
        // every root is the least of its tree, since the lesser of two roots stays one
        return parents.keySet().stream()
                .sorted()
                .map(node -> RowFactory.create(node, root(parents, node)))
                .toList()
                .iterator();
    }

    private static String root(Map<String, String> parents, String node) {
        String root = node;
        for (String parent = parents.get(root); parent != null; parent = parents.get(root)) {
            String above = parents.get(parent);
            if (above != null) {
                parents.put(root, above);
            }
            root = parent;
        }
        return root;
    }
}
