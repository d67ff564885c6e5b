package dev.paloverde.jobs;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.SerializableConfiguration;

/**
 * The lines of compressed files, which are read by one task each. What cannot be read is a line as well, one that says so
 * and is no JSON, so that it becomes a malformed row and is counted: the rest of a file that is damaged, is not there any
 * more or expands beyond all measure ({@link BoundedExpansion}); a line longer than {@value #MOST_LINE} bytes. Spark's own
 * reader would end the job, or hold the line.
 */
final class CompressedLines implements Iterator<String> {
    static final int MOST_LINE = 64 << 20;

    private static final int BUFFER_BYTES = 1 << 10;
    private static final int SHOWN = 160;
    private static final int MOST_TASKS = 10_000;

    private final Iterator<String> paths;
    private final Configuration configuration;
    private String path;
    private InputStream in;
    private String next;

    private CompressedLines(Iterator<String> paths, Configuration configuration) {
        this.paths = paths;
        this.configuration = configuration;
        advance();
    }

    /** {@return whether a file is for this reader} */
    static boolean isFor(FileStatus file) {
        return BoundedExpansion.isFor(file.getPath().getName());
    }

    static Dataset<String> of(SparkSession spark, List<FileStatus> files) {
        SerializableConfiguration hadoop =
                new SerializableConfiguration(spark.sessionState().newHadoopConf());
        List<String> paths =
                files.stream().map(file -> file.getPath().toString()).sorted().toList();
        MapPartitionsFunction<String, String> lines = batch -> new CompressedLines(batch, hadoop.value());
        return spark.createDataset(paths, Encoders.STRING())
                .repartition(Math.max(1, Math.min(MOST_TASKS, paths.size())))
                .mapPartitions(lines, Encoders.STRING());
    }

    @Override
    public boolean hasNext() {
        return next != null;
    }

    @Override
    public String next() {
        if (next == null) {
            throw new NoSuchElementException();
        }
        String line = next;
        advance();
        return line;
    }

    private void advance() {
        next = null;
        while (next == null && (in != null || paths.hasNext())) {
            try {
                if (in == null) {
                    path = paths.next();
                    in = new BufferedInputStream(BoundedExpansion.open(path, configuration), BUFFER_BYTES);
                }
                next = line();
                if (next == null) {
                    in.close();
                    in = null;
                }
            } catch (IOException | RuntimeException e) {
                next = "the rest of %s cannot be read: %s".formatted(path, e.getMessage());
                close();
            }
        }
    }

    private void close() {
        try {
            if (in != null) {
                in.close();
            }
        } catch (IOException e) {
            // what was wrong with it is said already
        } finally {
            in = null;
        }
    }

    /** {@return the next line that is not blank; null at the end} */
    private String line() throws IOException {
        byte[] line = new byte[1024];
        int length = 0;
        long all = 0;
        for (int read = in.read(); read >= 0; read = in.read()) {
            if (read == '\n') {
                if (length > 0) {
                    break;
                }
                continue;
            }
            all++;
            if (length < MOST_LINE) {
                if (length == line.length) {
                    line = Arrays.copyOf(line, length * 2);
                }
                line[length++] = (byte) read;
            }
        }
        if (all > MOST_LINE) {
            return "a line of %,d bytes, which is longer than %,d: %s"
                    .formatted(all, MOST_LINE, new String(line, 0, SHOWN, StandardCharsets.UTF_8));
        }
        return length == 0 ? null : new String(line, 0, length, StandardCharsets.UTF_8);
    }
}
