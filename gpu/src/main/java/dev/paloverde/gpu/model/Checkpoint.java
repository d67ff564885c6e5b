package dev.paloverde.gpu.model;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.HostTensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The weights of a model, in one file or many. Open while a model is loaded from it. */
final class Checkpoint implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Checkpoint.class);

    private final List<SafetensorsFile> files;
    private final Map<String, SafetensorsFile> places;
    private final Set<String> unused;

    private Checkpoint(List<SafetensorsFile> files, Map<String, SafetensorsFile> places) {
        this.files = files;
        this.places = places;
        this.unused = new TreeSet<>(places.keySet());
    }

    /** @throws PaloverdeException MODEL_CORRUPT if a file is unsound or lacks what the index says it has */
    static Checkpoint open(WeightFiles weights) {
        List<SafetensorsFile> files = new ArrayList<>();
        try {
            Map<String, SafetensorsFile> byName = new TreeMap<>();
            weights.files().forEach(path -> {
                SafetensorsFile file = SafetensorsFile.open(path);
                files.add(file);
                byName.put(path.getFileName().toString(), file);
            });
            Map<String, SafetensorsFile> places = new HashMap<>();
            if (weights.index().isEmpty()) {
                files.get(0).names().forEach(name -> places.put(name, files.get(0)));
            }
            weights.places().forEach((tensor, name) -> {
                SafetensorsFile file = byName.get(name);
                if (!file.names().contains(tensor)) {
                    throw new PaloverdeException(
                            ErrorCode.MODEL_CORRUPT,
                            "%s says that tensor '%s' is in %s, and it is not; download both again"
                                    .formatted(weights.index().orElseThrow(), tensor, name));
                }
                places.put(tensor, file);
            });
            return new Checkpoint(List.copyOf(files), places);
        } catch (RuntimeException e) {
            files.forEach(SafetensorsFile::close);
            throw e;
        }
    }

    /**
     * A matrix, all of its numbers finite.
     *
     * @throws PaloverdeException TENSOR_MISSING if there is none of that name and shape; MODEL_CORRUPT if one of its
     *     numbers is not finite
     */
    HostTensor matrix(String name, int rows, int columns) {
        return sound(name, rows, columns);
    }

    /** As {@link #matrix}, of one row. */
    HostTensor vector(String name, int columns) {
        return sound(name, 1, columns);
    }

    /** {@return the size of the layers' projections in the files, in bytes} */
    long projectionBytes() {
        long bytes = 0;
        for (Map.Entry<String, SafetensorsFile> place : places.entrySet()) {
            if (place.getKey().endsWith("_proj.weight")) {
                HostTensor tensor = place.getValue().tensor(place.getKey()).orElseThrow();
                bytes += (long) tensor.rows() * tensor.columns() * tensor.type().bytes();
            }
        }
        return bytes;
    }

    /** {@return whether there is a tensor of that name} */
    boolean has(String name) {
        return places.containsKey(name);
    }

    /**
     * As {@link #matrix}, of a tensor of any shape whose numbers, in row-major order, are the matrix: the weights of a
     * convolution, a table with a batch of one.
     */
    HostTensor reshaped(String name, int rows, int columns) {
        SafetensorsFile file = place(name);
        HostTensor tensor = file.reshaped(name, rows, columns)
                .orElseThrow(() -> new PaloverdeException(
                        ErrorCode.TENSOR_MISSING,
                        "%s: tensor '%s' does not have the %,d times %,d numbers that config.json makes it have"
                                .formatted(file.path(), name, rows, columns)));
        unused.remove(name);
        FiniteScan.require(tensor, file.path());
        return tensor;
    }

    /** Says what the files hold that the model did not ask for. */
    void reportUnused() {
        if (!unused.isEmpty()) {
            LOG.warn(
                    "{} tensors of {} are not part of the architecture in config.json and are ignored, as transformers"
                            + " does; among them {}",
                    unused.size(),
                    files.get(0).path().getParent(),
                    unused.stream().limit(5).toList());
        }
    }

    private HostTensor sound(String name, int rows, int columns) {
        SafetensorsFile file = place(name);
        HostTensor tensor = file.tensor(name).orElseThrow();
        if (tensor.rows() != rows || tensor.columns() != columns) {
            throw new PaloverdeException(
                    ErrorCode.TENSOR_MISSING,
                    "%s: tensor '%s' is %,d by %,d; config.json makes it %,d by %,d"
                            .formatted(file.path(), name, tensor.rows(), tensor.columns(), rows, columns));
        }
        unused.remove(name);
        FiniteScan.require(tensor, file.path());
        return tensor;
    }

    private SafetensorsFile place(String name) {
        SafetensorsFile file = places.get(name);
        if (file == null) {
            throw new PaloverdeException(
                    ErrorCode.TENSOR_MISSING,
                    "%s: there is no tensor '%s' among %,d; the architecture in config.json needs it"
                            .formatted(files.get(0).path().getParent(), name, places.size()));
        }
        return file;
    }

    @Override
    public void close() {
        files.forEach(SafetensorsFile::close);
    }
}
