package dev.paloverde.jobs;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Locale;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.apache.commons.compress.compressors.zstandard.ZstdCompressorInputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.Path;

/**
 * The bytes of a file, decompressed if its name ends in {@code .gz} (of any number of members) or {@code .zst}. A file that
 * expands as no text does ends with an error: what is in it was made to fill memory and disks.
 */
final class BoundedExpansion extends InputStream {
    /** How much more may come out than went in. Text shrinks to a third or a tenth, logs of one line to a hundredth. */
    static final int MOST_RATIO = 250;

    /** Below this nothing is said. */
    static final long FREE_BYTES = 64L << 20;

    private static final int BUFFER_BYTES = 1 << 16;

    /** As much as is lost before a damaged place: what a read has come to when it fails is gone. */
    private static final int STEP_BYTES = 1 << 10;

    private final FSDataInputStream file;
    private final InputStream expanded;
    private long bytes;

    private BoundedExpansion(FSDataInputStream file, InputStream expanded) {
        this.file = file;
        this.expanded = expanded;
    }

    static BoundedExpansion open(String path, Configuration configuration) throws IOException {
        Path from = new Path(path);
        FSDataInputStream file = from.getFileSystem(configuration).open(from);
        try {
            InputStream buffered = new BufferedInputStream(file, BUFFER_BYTES);
            String lower = path.toLowerCase(Locale.ROOT);
            InputStream expanded = buffered;
            if (lower.endsWith(".gz")) {
                expanded = GzipCompressorInputStream.builder()
                        .setInputStream(buffered)
                        .setDecompressConcatenated(true)
                        .get();
            } else if (lower.endsWith(".zst")) {
                expanded = new ZstdCompressorInputStream(buffered);
            }
            return new BoundedExpansion(file, expanded);
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /** {@return whether a file's name says that it is compressed in a way that is known here} */
    static boolean isFor(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        return lower.endsWith(".gz") || lower.endsWith(".zst");
    }

    @Override
    public int read() throws IOException {
        int read = expanded.read();
        count(read < 0 ? 0 : 1);
        return read;
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
        int read = expanded.read(buffer, offset, Math.min(length, STEP_BYTES));
        count(Math.max(0, read));
        return read;
    }

    private void count(int more) throws IOException {
        bytes += more;
        if (bytes > FREE_BYTES && bytes / MOST_RATIO > file.getPos()) {
            throw new IOException("it expands to more than %d times its size, %,d bytes so far, and is left at that"
                    .formatted(MOST_RATIO, bytes));
        }
    }

    @Override
    public void close() throws IOException {
        try {
            expanded.close();
        } finally {
            file.close();
        }
    }
}
