package dev.paloverde.gpu.kernels;

import dev.paloverde.gpu.device.Graph;
import dev.paloverde.gpu.device.Stream;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * Steps that were recorded as graphs: queueing one costs what a handful of launches do. The first step of its kind runs
 * plainly, and makes the room it needs, which cannot be made while recording; the second is recorded.
 */
final class CudaRecordings {
    /** More kinds of steps than this are not a few sizes but a leak. */
    private static final int MOST = 512;

    /** Whose step, and of which sizes. */
    record Key(Object owner, CudaStep.Sizes sizes) {}

    private final Stream stream;
    private final Map<Key, Graph> graphs = new HashMap<>();
    private final Set<Key> seen = new HashSet<>();

    CudaRecordings(Stream stream) {
        this.stream = stream;
    }

    /** Queues a step's operations. */
    void run(Key key, Runnable operations) {
        Graph graph = graphs.get(key);
        if (graph == null) {
            if (seen.size() >= MOST) {
                forget();
                seen.clear();
            }
            if (seen.add(key)) {
                operations.run();
                return;
            }
            graph = stream.capture(operations);
            graphs.put(key, graph);
        }
        stream.launch(graph);
    }

    /** Drops all graphs: memory that they use has moved. Steps seen before are recorded again at once. */
    void forget() {
        if (!graphs.isEmpty()) {
            stream.synchronize();
            graphs.values().forEach(Graph::close);
            graphs.clear();
        }
    }
}
