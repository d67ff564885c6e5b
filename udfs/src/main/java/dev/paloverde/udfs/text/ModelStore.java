package dev.paloverde.udfs.text;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds a model's directory on this machine, and brings it here where it lies elsewhere. A copy is keyed by what its
 * source lists (names, sizes, times, or hashes), made once by whoever locks it first, and appears whole or not at all.
 */
final class ModelStore {
    private static final Logger LOG = LoggerFactory.getLogger(ModelStore.class);
    private static final String EMBEDDED = "embedded:";
    private static final String RESOURCES = "dev/paloverde/models/";
    private static final List<String> KINDS = List.of(".json", ".safetensors", ".jinja", ".txt");

    /** One thread of this JVM at a time works on a directory: a file lock is the whole JVM's. */
    private static final ConcurrentHashMap<Path, Object> MONITORS = new ConcurrentHashMap<>();

    private final Path cache;
    private final Configuration hadoop;

    /**
     * @param cache of copies; empty for a directory of the user's in java.io.tmpdir
     * @param hadoop reaches file systems
     */
    ModelStore(String cache, Configuration hadoop) {
        this.cache = cache.isEmpty()
                ? Path.of(System.getProperty("java.io.tmpdir"), "paloverde-" + System.getProperty("user.name"))
                : Path.of(cache);
        this.hadoop = hadoop;
    }

    /**
     * {@return a local directory with the model's files}
     *
     * @param model a local directory, a URI, or embedded:&lt;name&gt;
     * @throws PaloverdeException MODEL_NOT_FOUND, or MODEL_CORRUPT for a copy that is not what its source says
     */
    Path find(String model) {
        if (model.startsWith(EMBEDDED)) {
            return unpack(model.substring(EMBEDDED.length()));
        }
        if (!model.matches("[A-Za-z][A-Za-z0-9+.-]+:.*")) {
            return local(Path.of(model), model);
        }
        URI uri;
        try {
            uri = new org.apache.hadoop.fs.Path(model).toUri();
        } catch (IllegalArgumentException e) {
            throw new PaloverdeException(ErrorCode.MODEL_NOT_FOUND, "model is '" + model + "', which is no URI", e);
        }
        return "file".equals(uri.getScheme()) ? local(Path.of(uri.getPath()), model) : copy(model);
    }

    private static Path local(Path directory, String model) {
        if (!Files.isDirectory(directory)) {
            throw new PaloverdeException(
                    ErrorCode.MODEL_NOT_FOUND,
                    ("there is no model directory at %s on this machine (model=%s); every executor needs it there, or give"
                                    + " a URI that all of them can read")
                            .formatted(directory.toAbsolutePath(), model));
        }
        return directory;
    }

    // Models that the jar carries. Each has a file INDEX with a line "<sha256> <bytes> <path>" for every file.

    private Path unpack(String name) {
        String folder = RESOURCES + name + "/";
        if (!name.matches("[A-Za-z0-9][A-Za-z0-9._-]*")) {
            throw notEmbedded(name);
        }
        List<Entry> entries = new ArrayList<>();
        String index;
        try (InputStream in = open(folder + "INDEX")) {
            if (in == null) {
                throw notEmbedded(name);
            }
            index = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw unreadable(EMBEDDED + name, e);
        }
        for (String line : index.lines().toList()) {
            String[] parts = line.split(" ", 3);
            entries.add(new Entry(parts[2], Long.parseLong(parts[1]), parts[0]));
        }
        return keep(EMBEDDED + name, name, index, entries, (entry, target) -> {
            try (InputStream in = open(folder + entry.path())) {
                if (in == null) {
                    throw new IOException("the class path lacks " + folder + entry.path());
                }
                Files.copy(in, target);
            }
        });
    }

    private static InputStream open(String resource) {
        ClassLoader own = ModelStore.class.getClassLoader();
        ClassLoader context = Thread.currentThread().getContextClassLoader();
        InputStream found = own.getResourceAsStream(resource);
        return found != null || context == null ? found : context.getResourceAsStream(resource);
    }

    private static PaloverdeException notEmbedded(String name) {
        return new PaloverdeException(
                ErrorCode.MODEL_NOT_FOUND,
                "no jar on the class path carries a model named '%s'; the sample models are embedded:sample-target and"
                                .formatted(name)
                        + " embedded:sample-draft, any other model is given by its directory");
    }

    // Models in a file system of Hadoop's.

    Path copy(String model) {
        org.apache.hadoop.fs.Path source = new org.apache.hadoop.fs.Path(model);
        try {
            FileSystem files = source.getFileSystem(hadoop);
            List<Entry> entries = new ArrayList<>();
            StringBuilder listing =
                    new StringBuilder(files.makeQualified(source).toString());
            for (FileStatus status : files.listStatus(source)) {
                String name = status.getPath().getName();
                if (status.isFile() && KINDS.stream().anyMatch(name.toLowerCase(Locale.ROOT)::endsWith)) {
                    entries.add(new Entry(name, status.getLen(), null));
                    listing.append('\n')
                            .append(name)
                            .append(' ')
                            .append(status.getLen())
                            .append(' ')
                            .append(status.getModificationTime());
                }
            }
            if (entries.stream().noneMatch(entry -> entry.path().equals("config.json"))) {
                throw new PaloverdeException(
                        ErrorCode.MODEL_NOT_FOUND,
                        "there is no config.json in %s; model must name a Hugging Face model directory"
                                .formatted(model));
            }
            return keep(model, source.getName(), listing.toString(), entries, (entry, target) -> {
                try (InputStream in = files.open(new org.apache.hadoop.fs.Path(source, entry.path()))) {
                    Files.copy(in, target);
                }
            });
        } catch (IOException e) {
            throw new PaloverdeException(
                    ErrorCode.MODEL_NOT_FOUND,
                    "the model directory %s cannot be read: %s. Is the URI right, and has this executor access?"
                            .formatted(model, e.getMessage()),
                    e);
        }
    }

    /** A file of a model; its hash where the source has one. */
    private record Entry(String path, long bytes, String sha256) {}

    private interface Transfer {
        void run(Entry entry, Path target) throws IOException;
    }

    private Path keep(String model, String name, String listing, List<Entry> entries, Transfer transfer) {
        Path kept = cache.resolve(name + "-"
                        + sha256(listing.getBytes(StandardCharsets.UTF_8)).substring(0, 16))
                .toAbsolutePath();
        synchronized (MONITORS.computeIfAbsent(kept, key -> new Object())) {
            try {
                Files.createDirectories(cache);
                Path lockFile = kept.resolveSibling(kept.getFileName() + ".lock");
                try (FileChannel channel =
                                FileChannel.open(lockFile, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                        FileLock lock = channel.lock()) {
                    if (lock.isValid() && !isWhole(kept, entries)) {
                        long began = System.nanoTime();
                        fetch(kept, entries, transfer);
                        LOG.info(
                                "copied {} ({} bytes) to {} in {} ms",
                                model,
                                entries.stream().mapToLong(Entry::bytes).sum(),
                                kept,
                                (System.nanoTime() - began) / 1_000_000);
                    }
                }
            } catch (IOException e) {
                throw unreadable(model, e);
            }
        }
        return kept;
    }

    private PaloverdeException unreadable(String model, IOException e) {
        return new PaloverdeException(
                ErrorCode.MODEL_NOT_FOUND,
                "model %s cannot be copied to %s: %s. Is there room, and may this user write there? cache-directory names another place"
                        .formatted(model, cache.toAbsolutePath(), e),
                e);
    }

    private static boolean isWhole(Path directory, List<Entry> entries) throws IOException {
        for (Entry entry : entries) {
            Path file = directory.resolve(entry.path());
            if (!Files.isRegularFile(file) || Files.size(file) != entry.bytes()) {
                return false;
            }
            if (entry.sha256() != null && !entry.sha256().equals(sha256(Files.readAllBytes(file)))) {
                return false;
            }
        }
        return true;
    }

    private static void fetch(Path kept, List<Entry> entries, Transfer transfer) throws IOException {
        Path part = Files.createTempDirectory(kept.getParent(), kept.getFileName() + ".part-");
        try {
            for (Entry entry : entries) {
                Path target = part.resolve(entry.path()).normalize();
                if (!target.startsWith(part)) {
                    throw new IOException("the path " + entry.path() + " leads out of the model");
                }
                Files.createDirectories(target.getParent());
                transfer.run(entry, target);
            }
            if (!isWhole(part, entries)) {
                throw new IOException("the copy is not what the source lists; did it change meanwhile?");
            }
            delete(kept);
            try {
                Files.move(part, kept, StandardCopyOption.ATOMIC_MOVE);
            } catch (AtomicMoveNotSupportedException e) {
                throw new FileSystemException(kept.toString(), null, "cannot be renamed atomically: " + e.getReason());
            }
        } finally {
            delete(part);
        }
    }

    private static void delete(Path directory) throws IOException {
        if (Files.exists(directory)) {
            try (Stream<Path> found = Files.walk(directory)) {
                for (Path each : found.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(each);
                }
            }
        }
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("this Java runtime lacks SHA-256, which the platform requires", e);
        }
    }
}
