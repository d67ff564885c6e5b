package dev.paloverde.jobs;

import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.IllegalCharsetNameException;
import java.nio.charset.StandardCharsets;
import java.nio.charset.UnsupportedCharsetException;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.SerializableConfiguration;
import org.netpreserve.jwarc.MediaType;
import org.netpreserve.jwarc.WarcConversion;
import org.netpreserve.jwarc.WarcPayload;
import org.netpreserve.jwarc.WarcReader;
import org.netpreserve.jwarc.WarcRecord;
import org.netpreserve.jwarc.WarcResource;
import org.netpreserve.jwarc.WarcResponse;
import org.netpreserve.jwarc.WarcTargetRecord;

/**
 * The records of web archives that have a payload, a row each: those that are plain text with their text (a WET file's
 * all), others and those that cannot be read as malformed rows that say why. Records of requests and about the archive are
 * none. A file is read by one task, a record at a time; a record longer than {@value #MOST_RECORD} bytes is passed over. The
 * reader is jwarc, that of the International Internet Preservation Consortium.
 */
final class WarcRows implements Iterator<Row> {
    static final int MOST_RECORD = 64 << 20;

    static final StructType SCHEMA = new StructType()
            .add("text", "string")
            .add("url", "string")
            .add("date", "string")
            .add("record_id", "string")
            .add("content_type", "string")
            .add("path", "string", false)
            .add("offset", "long", false);

    private static final int MOST_TASKS = 10_000;

    private final Iterator<String> paths;
    private final Configuration configuration;
    private String path;
    private WarcReader reader;
    private Row next;

    private WarcRows(Iterator<String> paths, Configuration configuration) {
        this.paths = paths;
        this.configuration = configuration;
        advance();
    }

    /** {@return the rows of archives, with a column for what is wrong with one} */
    static Dataset<Row> of(SparkSession spark, List<FileStatus> files, String corruptRecord) {
        SerializableConfiguration hadoop =
                new SerializableConfiguration(spark.sessionState().newHadoopConf());
        List<String> all =
                files.stream().map(file -> file.getPath().toString()).sorted().toList();
        MapPartitionsFunction<String, Row> records = batch -> new WarcRows(batch, hadoop.value());
        return spark.createDataset(all, Encoders.STRING())
                .repartition(Math.max(1, Math.min(MOST_TASKS, all.size())))
                .mapPartitions(records, Encoders.row(SCHEMA.add(corruptRecord, "string")));
    }

    @Override
    public boolean hasNext() {
        return next != null;
    }

    @Override
    public Row next() {
        if (next == null) {
            throw new NoSuchElementException();
        }
        Row row = next;
        advance();
        return row;
    }

    private void advance() {
        next = null;
        while (next == null && (reader != null || paths.hasNext())) {
            long offset = 0;
            try {
                if (reader == null) {
                    path = paths.next();
                    reader = new WarcReader(BoundedExpansion.open(path, configuration));
                    reader.setLenient(true);
                }
                Optional<WarcRecord> record = reader.next();
                offset = reader.position();
                if (record.isEmpty()) {
                    close();
                } else if (record.get() instanceof WarcConversion
                        || record.get() instanceof WarcResponse
                        || record.get() instanceof WarcResource) {
                    next = row((WarcTargetRecord) record.get(), offset);
                }
            } catch (IOException | RuntimeException e) {
                next = RowFactory.create(
                        null,
                        null,
                        null,
                        null,
                        null,
                        path,
                        offset,
                        "the rest of %s cannot be read: %s".formatted(path, e.getMessage()));
                close();
            }
        }
    }

    private void close() {
        try {
            if (reader != null) {
                reader.close();
            }
        } catch (IOException e) {
            // what was wrong with it is said already
        } finally {
            reader = null;
        }
    }

    private Row row(WarcTargetRecord record, long offset) throws IOException {
        Optional<WarcPayload> payload;
        MediaType type;
        try {
            payload = record.payload();
            type = payload.map(WarcPayload::type).orElse(MediaType.OCTET_STREAM);
        } catch (IOException | RuntimeException e) {
            return row(record, offset, null, null, "what was answered cannot be read: " + e.getMessage());
        }
        if (payload.isEmpty()) {
            return row(record, offset, null, null, "there is no payload");
        }
        if (!type.base().equals(MediaType.PLAIN_TEXT)) {
            return row(record, offset, type, null, "it is %s, and no plain text".formatted(type.base()));
        }
        byte[] bytes = payload.get().body().stream().readNBytes(MOST_RECORD + 1);
        if (bytes.length > MOST_RECORD) {
            return row(record, offset, type, null, "it is longer than %,d bytes".formatted(MOST_RECORD));
        }
        long promised = payload.get().body().size();
        if (promised >= 0 && bytes.length < promised) {
            throw new EOFException("a record of %,d bytes ends after %,d".formatted(promised, bytes.length));
        }
        return row(record, offset, type, new String(bytes, charset(type)), null);
    }

    private Row row(WarcTargetRecord record, long offset, MediaType type, String text, String wrong) {
        String id = record.headers().first("WARC-Record-ID").orElse(null);
        return RowFactory.create(
                text,
                record.headers().first("WARC-Target-URI").orElse(null),
                record.headers().first("WARC-Date").orElse(null),
                id,
                type == null ? null : type.base().toString(),
                path,
                offset,
                wrong == null ? null : "%s of %s: %s".formatted(id, path, wrong));
    }

    private static Charset charset(MediaType type) {
        String name = type.parameters().get("charset");
        try {
            return name == null ? StandardCharsets.UTF_8 : Charset.forName(name);
        } catch (IllegalCharsetNameException | UnsupportedCharsetException e) {
            return StandardCharsets.UTF_8;
        }
    }
}
