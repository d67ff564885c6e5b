package dev.paloverde.jobs;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.SerializableConfiguration;

/** SHA-256 of files, each read by one task. */
final class FileDigests {
    private static final int BUFFER_BYTES = 1 << 20;
    private static final int MOST_TASKS = 1000;
    private static final StructType SCHEMA =
            new StructType().add("path", "string", false).add("sha256", "string", false);

    private FileDigests() {}

    /** {@return 64 hexadecimal digits for each file} */
    static Map<String, String> of(SparkSession spark, List<String> paths) {
        SerializableConfiguration configuration =
                new SerializableConfiguration(spark.sessionState().newHadoopConf());
        MapFunction<String, Row> digest = path -> RowFactory.create(path, digest(path, configuration));
        return spark
                .createDataset(paths, Encoders.STRING())
                .repartition(Math.max(1, Math.min(MOST_TASKS, paths.size())))
                .map(digest, Encoders.row(SCHEMA))
                .collectAsList()
                .stream()
                .collect(Collectors.toMap(row -> row.getString(0), row -> row.getString(1)));
    }

    private static String digest(String path, SerializableConfiguration configuration) {
        Path file = new Path(path);
        try (InputStream in = file.getFileSystem(configuration.value()).open(file)) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            byte[] buffer = new byte[BUFFER_BYTES];
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                digest.update(buffer, 0, read);
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
