package dev.paloverde.pipelines.corpus;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import net.jqwik.api.constraints.IntRange;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;

class ComponentsTest {
    private static final long DISTRIBUTED = 0;

    private record Edge(String source, String target) {}

    private static Dataset<Row> dataset(List<Edge> edges, int partitions) {
        List<Row> rows = edges.stream()
                .map(edge -> RowFactory.create(edge.source(), edge.target()))
                .toList();
        return LocalSpark.session().createDataFrame(rows, Components.EDGES).repartition(partitions);
    }

    /** What a search from each node in order finds. */
    private static Map<String, String> searched(List<Edge> edges) {
        Map<String, TreeSet<String>> neighbours = new TreeMap<>();
        for (Edge edge : edges) {
            neighbours.computeIfAbsent(edge.source(), node -> new TreeSet<>()).add(edge.target());
            neighbours.computeIfAbsent(edge.target(), node -> new TreeSet<>()).add(edge.source());
        }
        Map<String, String> components = new TreeMap<>();
        for (String least : neighbours.keySet()) {
            ArrayDeque<String> open = new ArrayDeque<>(List.of(least));
            while (!open.isEmpty()) {
                String node = open.remove();
                if (components.putIfAbsent(node, least) == null) {
                    open.addAll(neighbours.get(node));
                }
            }
        }
        components.entrySet().removeIf(entry -> entry.getKey().equals(entry.getValue()));
        return components;
    }

    @Property(tries = 5, shrinking = ShrinkingMode.OFF)
    void bothWaysFindWhatASearchFinds(@ForAll long seed, @ForAll @IntRange(min = 1, max = 4) int partitions) {
        Random random = new Random(seed);
        int nodes = 2 + random.nextInt(40);
        List<Edge> edges = new ArrayList<>();
        for (int i = random.nextInt(nodes * 3 / 2); i >= 0; i--) {
            edges.add(new Edge("n" + random.nextInt(nodes), "n" + random.nextInt(nodes)));
        }

        Map<String, String> expected = searched(edges);

        assertThat(LocalSpark.map(Components.of(dataset(edges, partitions), DISTRIBUTED)))
                .isEqualTo(expected);
        assertThat(LocalSpark.map(Components.of(dataset(edges, partitions)))).isEqualTo(expected);
    }

    @Example
    void aLongChainInAnyOrderIsOneComponent() {
        List<String> nodes = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            nodes.add("%04x".formatted(i * 40503 & 0xFFFF));
        }
        List<Edge> edges = new ArrayList<>();
        for (int i = 1; i < nodes.size(); i++) {
            edges.add(new Edge(nodes.get(i - 1), nodes.get(i)));
        }

        Map<String, String> found = LocalSpark.map(Components.of(dataset(edges, 3), DISTRIBUTED));

        assertThat(found).hasSize(59);
        assertThat(found.values()).containsOnly("0000");
    }

    @Example
    void aStarWhoseCentreIsItsLargestNodeIsOneComponent() {
        List<Edge> edges = Stream.iterate(0, i -> i + 1)
                .limit(300)
                .map(i -> new Edge("z", "leaf %05d".formatted(i)))
                .toList();

        Map<String, String> found = LocalSpark.map(Components.of(dataset(edges, 2), DISTRIBUTED));

        assertThat(found).hasSize(300).doesNotContainKey("leaf 00000");
        assertThat(found.values()).containsOnly("leaf 00000");
    }

    @Example
    void noEdgesAreNoComponents() {
        assertThat(LocalSpark.map(Components.of(dataset(List.of(), 1), DISTRIBUTED)))
                .isEmpty();
        assertThat(LocalSpark.map(Components.of(dataset(List.of(new Edge("a", "a")), 1))))
                .isEmpty();
    }

    @Example
    void checkpointsAreUsedWhereThereAreAny() throws IOException {
        Path directory = Files.createTempDirectory(Path.of("target"), "checkpoints");
        SparkContext context = LocalSpark.session().sparkContext();
        context.setCheckpointDir(directory.toUri().toString());
        try {
            assertThat(LocalSpark.map(Components.of(
                            dataset(List.of(new Edge("b", "a"), new Edge("c", "b")), 2), DISTRIBUTED)))
                    .isEqualTo(Map.of("b", "a", "c", "a"));
        } finally {
            context.setCheckpointDir(null);
        }
        try (Stream<Path> files = Files.walk(directory)) {
            assertThat(files.filter(file -> file.getFileName().toString().startsWith("part-")))
                    .isNotEmpty();
        }
    }
}
