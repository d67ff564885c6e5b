package dev.paloverde.jobs;

import dev.paloverde.pipelines.image.ShardOpener;
import java.io.IOException;
import java.io.InputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.util.SerializableConfiguration;

/** Opens files of any file system that Hadoop's configuration knows, in tasks. */
final class HadoopOpener implements ShardOpener {
    private static final long serialVersionUID = 1L;

    private final SerializableConfiguration configuration;

    HadoopOpener(Configuration configuration) {
        this.configuration = new SerializableConfiguration(configuration);
    }

    @Override
    public InputStream open(String path) throws IOException {
        Path file = new Path(path);
        return file.getFileSystem(configuration.value()).open(file);
    }
}
